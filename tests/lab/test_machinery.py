"""Numbers, verdicts, error bars, figures, the catalog and the store of findings."""

import math
import re

import numpy as np
import pytest

from edgewright.errors import ConfigError, DataError
from edgewright.lab import Failure, Number, Outcome, Request, Verdict, catalog, experiment, kept, run_all, themes
from edgewright.lab.catalog import _read
from edgewright.lab.drawing import draw, legend, tick_text
from edgewright.lab.figures import Mark, bars, chart, field, panels, series
from edgewright.lab.finding import judged
from edgewright.lab.gallery import value_text
from edgewright.lab.statistics import difference_of, mean_of, share_of, slope_of, variance_of
from edgewright.lab.store import load, save

PICTURE = chart("c", series("a", [1, 2, 3], [1.0, math.nan, 3.0], [0.1, 0.1, math.inf]), x="x", y="y", log_x=True)
FIRST = next(iter(catalog()))


def finding(**more):
    numbers = (Number(name="n", value=math.inf, error=None, expected=math.inf), Number(name="m", value=1.0, error=0.5))
    return judged(True, summary="s", numbers=numbers, figure=PICTURE, **more)


@pytest.mark.parametrize(
    ("number", "agrees"),
    [
        (Number(name="n", value=1.0), None),
        (Number(name="n", value=1.39, error=0.1, expected=1.0), True),
        (Number(name="n", value=1.41, error=0.1, expected=1.0), False),
        (Number(name="n", value=1.0 + 1e-12, expected=1.0), True),
        (Number(name="n", value=1.0 + 1e-6, expected=1.0), False),
        (Number(name="n", value=1.2, error=1.0, expected=1.0, tolerance=0.1), False),
        (Number(name="n", value=math.nan, error=1.0, expected=1.0), False),
    ],
)
def test_a_number_agrees_within_four_standard_errors_or_its_tolerance(number, agrees):
    assert number.agrees is agrees


def test_one_number_exceeds_another_beyond_two_standard_errors_of_their_difference():
    one, other = Number(name="a", value=1.0, error=0.3), Number(name="b", value=0.0, error=0.4)
    assert one.exceeds(other, by=-0.1) and not one.exceeds(other)  # the difference has an error of 0.5
    assert one.exceeds(0.39) and not one.exceeds(0.41)


def test_a_verdict_follows_from_the_proofs():
    assert finding().told == "holds"
    assert finding(when="the sky is blue").told == "holds when the sky is blue"
    failed = judged(True, False, summary="s", numbers=(), figure=PICTURE, when="the sky is blue")
    assert failed.verdict is Verdict.DOES_NOT_HOLD and failed.condition == ""


def test_error_bars_by_hand():
    mean = mean_of([1.0, 2.0, 3.0, 4.0], "m")
    assert mean.value == 2.5 and mean.error == pytest.approx(math.sqrt(5 / 3 / 4))
    assert mean_of([5.0], "m").error is None
    assert share_of([False] * 6, "s").value == 0 and share_of([False] * 6, "s").error == pytest.approx(
        0.4 / math.sqrt(10)
    )
    assert difference_of([1.0, 2.0], [0.0, 4.0], "d").value == -0.5
    line = slope_of([0, 1, 2], [1, 3, 5], "slope", expected=2.0)
    assert line.value == pytest.approx(2.0) and line.error == pytest.approx(0.0, abs=1e-12)


def test_error_bars_cover_as_often_as_they_say():
    generator = np.random.default_rng(0)
    draws = generator.standard_normal((2000, 400))
    for made, truth in ((mean_of, 0.0), (variance_of, 1.0)):
        numbers = [made(row, "n") for row in draws]
        covered = np.mean([abs(number.value - truth) <= 1.96 * number.error for number in numbers])
        assert covered == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.05, "0.05"), (20, "20"), (1e-6, "10⁻⁶"), (2.5e-7, "2.5·10⁻⁷"), (-1e7, "-1·10⁷"), (12000, "12000")],
)
def test_ticks_are_short(value, text):
    assert tick_text(value) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (Number(name="n", value=0.123456, error=0.0012), "0.1235"),
        (Number(name="n", value=93.4567, error=1.3, unit="%"), "93.5 %"),
        (Number(name="n", value=2 / 3), "0.666667"),
        (Number(name="n", value=1234567.0), "1.23·10⁶"),
    ],
)
def test_values_have_as_many_digits_as_their_error_deserves(number, text):
    assert value_text(number) == text


def test_pictures_leave_out_what_they_cannot_show():
    markup = draw(PICTURE.panels[0][1], "name")
    assert "nan" not in markup and "inf" not in markup and 'aria-label="name"' in markup
    many = chart("c", series("a", [1, 2], [1, 2]), series("b <", [1, 2], [2, 1], mark=Mark.DASHES), x="x", y="y")
    assert [entry.name for entry in legend(many.panels[0][1])] == ["a", "b <"]
    assert legend(PICTURE.panels[0][1]) == ()


def test_equal_axes_have_equal_units():
    square = chart("c", series("a", [0, 1, 0], [0, 0, 1], mark=Mark.DOTS), x="x", y="y", equal=True)
    circles = re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', draw(square.panels[0][1], "n"))
    origin, right, up = [tuple(map(float, pair)) for pair in circles]
    assert right[0] - origin[0] == pytest.approx(origin[1] - up[1], abs=0.2)


def test_bars_and_fields_are_drawn_and_survive_the_store(tmp_path):
    rows = bars(
        "c", ["one", "two"], value="v", first=[1.0, (2.0, 0.1)], second=[Number(name="n", value=3.0, error=0.2), 1]
    )
    shades = field("x", "y", np.arange(6.0).reshape(2, 3), extent=(0, 3, 0, 2), curves=[series("p", [0, 3], [0, 2])])
    figure = panels("both", on_the_left=rows, on_the_right=shades)
    assert [title for title, _ in figure.panels] == ["on the left", "on the right"]
    assert draw(figure.panels[0][1], "n").count("<rect") == 4 and draw(figure.panels[1][1], "n").count("cell") == 6
    told = judged(True, summary="s", numbers=(), figure=figure)
    outcome = Outcome(experiment="e", seed=1, fast=True, seconds=0.5, code="c", finding=told)
    save(outcome, tmp_path)
    assert load(tmp_path / "e.json") == outcome


def test_infinities_and_gaps_survive_the_store(tmp_path):
    outcome = Outcome(experiment="e", seed=1, fast=True, seconds=0.5, code="c", finding=finding())
    save(outcome, tmp_path)
    found = load(tmp_path / "e.json")
    assert found.finding.numbers == outcome.finding.numbers
    assert np.array_equal(
        found.finding.figure.panels[0][1].series[0].points, PICTURE.panels[0][1].series[0].points, True
    )
    (tmp_path / "e.json").write_text('{"format": "edgewright-finding-1", "experiment": "e"}')
    with pytest.raises(DataError, match=r"is no finding .* run the experiment again"):
        load(tmp_path / "e.json")


def test_a_docstring_is_read_by_its_headings():
    question, said = _read("Is it\nso?\n\nClaim: yes,\n    it is.\nSource: me.\n\nNot this.\nSee: a, b")
    assert question == "Is it so?" and said == {"Claim": "yes, it is.", "Source": "me.", "See": "a, b"}


def test_every_experiment_says_what_it_claims_and_names_only_what_exists():
    for each in catalog().values():
        assert each.theme in themes() and each.question.endswith("?")
        assert all((each.claim, each.source, each.expected)) and set(each.see) <= set(catalog()), each.name
        assert each.name == each.name.lower() and len(each.name.split("_")) >= 3, f"{each.name} is no claim"


def test_half_of_the_experiments_have_eighty_lines_at_most():
    lines = sorted(len(each.code.splitlines()) for each in catalog().values())
    assert lines[len(lines) // 2] <= 80


def test_a_wrong_name_finds_its_neighbours():
    with pytest.raises(ConfigError, match=f"no experiment '{FIRST[:-2]}': did you mean .*{FIRST}"):
        experiment(FIRST[:-2])


@pytest.mark.slow
def test_a_failure_takes_no_other_run_with_it_and_findings_are_kept(tmp_path):
    request = Request(names=(FIRST, "no_such_experiment"), fast=True, folder=tmp_path)
    results = {result.experiment: result for result in run_all(request, processes=2)}
    assert (
        isinstance(results["no_such_experiment"], Failure) and "no experiment" in results["no_such_experiment"].reason
    )
    assert kept(request) == {FIRST: results[FIRST]}
    assert kept(Request(names=(FIRST,), fast=True, seed=1, folder=tmp_path)) == {}
