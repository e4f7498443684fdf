"""Plots: pixel positions derived by hand, and text that can do no harm."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewright.report.plots import (
    Bar,
    Candidate,
    Roof,
    RoofPoint,
    bar_panel,
    front,
    pareto_panel,
    roofline_panel,
    score_panel,
)
from edgewright.report.plots.roofline import PANEL, Window, roof_corners
from edgewright.report.plots.scales import Linear, Log, linear_over, log_over
from edgewright.report.plots.svg import element
from edgewright.report.units import count_text


def test_a_linear_scale_maps_by_hand():
    scale = Linear(low=0, high=50, start=100, stop=0)  # upwards: 100 is the lower edge
    assert [scale(value) for value in (0, 25, 50)] == [100, 50, 0]


def test_a_logarithmic_scale_puts_equal_ratios_at_equal_distances():
    scale = Log(low=1, high=100, start=0, stop=200)
    assert [scale(value) for value in (1, 10, 100)] == pytest.approx([0, 100, 200])
    assert scale(20) - scale(2) == pytest.approx(100)


def test_linear_ticks_are_round_numbers():
    assert Linear(low=0, high=1, start=0, stop=1, num_ticks=3).ticks() == [0, 0.5, 1]
    assert Linear(low=53, high=93, start=0, stop=1, num_ticks=2).ticks() == [60, 80]
    assert Linear(low=89.9, high=92.5, start=0, stop=1).ticks() == [90, 90.5, 91, 91.5, 92, 92.5]


def test_logarithmic_ticks_are_powers_of_ten_and_more_when_few_fit():
    assert Log(low=0.1, high=1000, start=0, stop=1).ticks() == pytest.approx([0.1, 1, 10, 100, 1000])
    assert Log(low=15, high=60, start=0, stop=1).ticks() == [20, 50]
    assert Log(low=10.0005, high=60, start=0, stop=1).ticks() == [20, 50]  # 10 would stand beside the axis
    assert Log(low=60_000, high=1_200_000, start=0, stop=1, max_ticks=3, binary=True).ticks() == [2**16, 2**18, 2**20]


@given(st.lists(st.floats(min_value=1e-9, max_value=1e15), min_size=1, max_size=8))
def test_scales_over_values_hold_them_all_and_mark_something(values):
    linear = linear_over(values, start=0, stop=100)
    logarithmic = log_over(values, start=0, stop=100)
    for scale in (linear, logarithmic):
        assert all(0 <= scale(value) <= 100 for value in values)
        assert 1 <= len(scale.ticks()) <= 12
        assert all(-1e-6 <= scale(tick) <= 100 + 1e-6 for tick in scale.ticks())


def test_the_ridge_is_peak_over_bandwidth():
    roof = Roof(peak_macs_s=200e6, bandwidth_bytes_s=100e6)  # 100 MHz, 2 MACs a cycle; 100 MB/s
    assert roof.ridge == 2
    assert [roof.attainable(intensity) for intensity in (0.5, 1, 2, 8)] == [50e6, 100e6, 200e6, 200e6]


def test_the_roof_climbs_to_the_ridge_and_stays_flat():
    roof = Roof(peak_macs_s=200e6, bandwidth_bytes_s=100e6)
    view = Window(x_low=0.1, x_high=10, y_low=1e6, y_high=1e9)
    across, upward = zip(*roof_corners(roof, view), strict=True)
    assert across == pytest.approx([0.1, 2, 10])
    assert upward == pytest.approx([10e6, 200e6, 200e6])


def test_a_layer_stands_where_its_logarithms_say():
    view = Window(x_low=1, x_high=100, y_low=1e6, y_high=1e8)
    point = RoofPoint(label="conv1", bound="memory", intensity=10, macs_s=1e7, share=0.25)
    picture = roofline_panel("after", Roof(peak_macs_s=5e7, bandwidth_bytes_s=5e6), [point], view)
    middle_x, middle_y = (PANEL.x_start + PANEL.x_stop) / 2, (PANEL.y_start + PANEL.y_stop) / 2
    circle = re.search(
        r"<circle cx=\"(.+?)\" cy=\"(.+?)\" r=\"(.+?)\" class=\"layer memory\"><title>(.+?)</title>", picture
    )
    assert circle is not None
    assert [float(circle[group]) for group in (1, 2, 3)] == pytest.approx(
        [middle_x, middle_y, 2.5 + 11 * 0.5], abs=0.05
    )
    assert circle[4] == "conv1: 10.0 MAC/B, 10.0 MMAC/s, memory, 25.0 % of the latency"
    assert "ridge 10.0 MAC/B" in picture


def test_bars_start_at_zero_and_the_longest_fills_the_room():
    picture = bar_panel("MACs", [Bar(label="given", value=400), Bar(label="prune", value=100)], format_=count_text)
    assert re.findall(r"<rect class=\"bar (\w+)\" rx=\"1.5\" x=\"84\" y=\"[\d.]+\" width=\"([\d.]+)\"", picture) == [
        ("before", "190"),  # 340 wide, less 84 for the names and 66 for the values
        ("after", "47.5"),
    ]


def test_a_limit_is_drawn_only_when_it_is_in_sight():
    bars = [Bar(label="given", value=400)]
    assert "limit 800" in bar_panel("MACs", bars, format_=count_text, limit=800)
    assert "limit" not in bar_panel("MACs", bars, format_=count_text, limit=80_000)


def test_a_score_far_below_becomes_an_arrow_at_the_edge():
    bars = [Bar(label="given", value=92.0, error=0.9), Bar(label="prune", value=41.0, error=1.5)]
    picture = score_panel("Score", bars, floor=91.0)
    assert picture.count("<circle") == 1
    assert 'class="arrow after"' in picture
    assert "accepted from 91.00" in picture
    assert "accepted" not in score_panel("Score", bars, floor=12.0)
    assert "41.00" in picture


def candidate(score: float, cost: float, kind: str = "tried") -> Candidate:
    return Candidate(label=f"{score} at {cost}", kind=kind, score=score, cost=cost)


def test_the_front_holds_what_nothing_beats():
    points = [
        candidate(90, 1),
        candidate(92, 4),
        candidate(91, 2),
        candidate(89, 3),
        candidate(92, 5),
        candidate(90, 1),
    ]
    assert [(each.score, each.cost) for each in front(points)] == [(90, 1), (91, 2), (92, 4)]


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 20)), min_size=1, max_size=12))
def test_the_front_equals_the_definition(pairs):
    points = [candidate(score, cost) for score, cost in pairs]
    beaten = {
        (one.score, one.cost)
        for one in points
        for other in points
        if other.score >= one.score and other.cost <= one.cost and (other.score, other.cost) != (one.score, one.cost)
    }
    kept = {(each.score, each.cost) for each in front(points)}
    assert kept == {(each.score, each.cost) for each in points} - beaten


def test_the_chosen_point_is_named_and_equal_costs_draw():
    points = [candidate(92, 7, "start"), candidate(92, 7, "chosen")]
    picture = pareto_panel(points, cost_title="MACs", format_=count_text, floor=None)
    assert picture.count('class="point-name"') == 2
    assert "NaN" not in picture and "inf" not in picture


def test_text_and_attributes_are_escaped():
    drawn = element(
        "text", "<script>x</script>", element("tspan", "a & b"), class_='"><script>', text_anchor="end", x=1.25
    )
    assert drawn == (
        '<text class="&#34;&gt;&lt;script&gt;" text-anchor="end" x="1.2">&lt;script&gt;x&lt;/script&gt;'
        "<tspan>a &amp; b</tspan></text>"
    )
