"""The plot of live memory: pixel positions derived by hand, and no peak lost."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewright.report.plots.memory import PANEL, Moment, bands, memory_panel, steps

TWO = [
    Moment(operator="conv", live={"x": 64, "y": 256}),
    Moment(operator="fc", live={"y": 256, "z": 10}),
]
sizes = st.dictionaries(st.sampled_from("abcdef"), st.integers(min_value=1, max_value=10**9), min_size=1)


def paths(svg):
    return dict((found[1], found[0]) for found in re.findall(r'<path d="([^"]*)" class="([^"]*)"', svg))


def corners(path):
    return [tuple(map(float, each.split(","))) for each in re.findall(r"[\d.]+,[\d.]+", path)]


def test_the_tensors_of_the_peak_have_a_band_each_and_the_others_share_one():
    assert [(band.name, band.title) for band in bands(TWO)] == [
        ("y", "y 256 B"), ("x", "x 64 B"), (None, "all others"),
    ]  # fmt: skip
    assert [band.name for band in bands(TWO[:1])] == ["y", "x"]


def test_bands_are_stacked_to_scale():
    found = paths(memory_panel(TWO, bands(TWO)))
    left, right, bottom = PANEL.x_start, PANEL.x_stop, PANEL.y_start
    middle, pixel = (left + right) / 2, (bottom - PANEL.y_stop) / (1.06 * 320)  # 6 % of air above the peak of 320
    height = {value: pytest.approx(bottom - value * pixel, abs=0.06) for value in (256, 266, 320)}
    assert corners(found["band0"])[:2] == [(left, height[256]), (middle, height[256])]
    assert corners(found["band1"]) == [
        (left, height[320]), (middle, height[320]), (middle, height[256]), (left, height[256]),
    ]  # fmt: skip
    assert corners(found["band-others"])[:2] == [(middle, height[266]), (right, height[266])]
    assert corners(found["total"]) == [
        (left, height[320]), (middle, height[320]), (middle, height[266]), (right, height[266]),
    ]  # fmt: skip


def test_a_tensor_that_comes_back_leaves_a_gap():
    moments = [Moment(operator=name, live=live) for name, live in (("a", {"t": 5}), ("b", {"u": 1}), ("c", {"t": 5}))]
    assert paths(memory_panel(moments, bands(moments)))["band0"].count("Z") == 2


def test_the_limit_is_a_line_at_its_height():
    assert 'class="limit"' not in memory_panel(TWO, bands(TWO))
    svg = memory_panel(TWO, bands(TWO), limit=640)
    height = PANEL.y_start - (PANEL.y_start - PANEL.y_stop) / 1.06
    assert re.search(rf'y1="{height:.1f}"[^>]*class="limit"', svg)


def test_each_step_tells_what_is_alive():
    svg = memory_panel(TWO, bands(TWO))
    assert "<title>conv: 320 B\ny 256 B\nx 64 B</title>" in svg
    assert svg.count('class="hit"') == 2


@given(st.lists(sizes, min_size=1, max_size=60), st.integers(min_value=1, max_value=20))
def test_shortening_a_long_run_keeps_its_peak_and_its_length(lives, most):
    moments = [Moment(operator=f"op{index}", live=live) for index, live in enumerate(lives)]
    shown = steps(moments, most=most)
    assert len(shown) <= most
    assert [each.first for each in shown[1:]] == [each.stop for each in shown[:-1]]
    assert (shown[0].first, shown[-1].stop) == (0, len(moments))
    assert max(each.moment.num_bytes for each in shown) == max(each.num_bytes for each in moments)


@given(st.lists(sizes, min_size=1, max_size=12))
def test_the_bands_of_every_step_add_up_to_its_total(lives):
    moments = [Moment(operator=f"op{index}", live=live) for index, live in enumerate(lives)]
    found = paths(memory_panel(moments, bands(moments)))
    areas = [corners(path) for name, path in found.items() if name.startswith("band")]
    tops = [
        min(y for area in areas for at, y in area if left <= at <= right) for (left, _), (right, _) in _steps(found)
    ]
    assert tops == pytest.approx([min(one, other) for one, other in _neighbours(found)], abs=0.11)


def _steps(found):
    total = corners(found["total"])
    return list(zip(total[::2], total[1::2], strict=True))


def _neighbours(found):
    """Each step's height and the highest of those that touch it: areas share their corners with the next step."""
    heights = [start[1] for start, _ in _steps(found)]
    padded = [float("inf"), *heights, float("inf")]
    return [(height, min(padded[index], padded[index + 2])) for index, height in enumerate(heights)]
