"""Sensitivity: one group at a time, every keep once, and a curve between the measurements."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewright.analyze.sensitivity import Sensitivity, rise, scan
from edgewright.errors import ConfigError
from edgewright.progress import Progress, Task


def bowl(keeps):
    """A loss of 1 plus twice the share that is gone, for `a`; `b` does not matter."""
    return 1 + 2 * (1 - keeps.get("a", 1.0)), 90.0


def test_a_scan_measures_the_whole_once_and_each_group_alone():
    asked = []

    def measure(keeps):
        asked.append(dict(keeps))
        return bowl(keeps)

    rows = scan(["a", "b"], [0.5, 0.75], measure=measure)
    assert asked == [{}, {"a": 0.75}, {"a": 0.5}, {"b": 0.75}, {"b": 0.5}]
    assert [(row.group, row.keep, row.loss) for row in rows] == [
        ("a", 1.0, 1.0), ("a", 0.75, 1.5), ("a", 0.5, 2.0), ("b", 1.0, 1.0), ("b", 0.75, 1.0), ("b", 0.5, 1.0),
    ]  # fmt: skip
    assert all(row.score == 90.0 for row in rows)


def test_keeps_may_differ_from_group_to_group_and_are_measured_once():
    rows = scan(["a", "b"], {"a": [0.5, 0.5, 1.0], "b": [0.25]}, measure=bowl)
    assert [(row.group, row.keep) for row in rows] == [("a", 1.0), ("a", 0.5), ("b", 1.0), ("b", 0.25)]


def test_progress_counts_every_measurement():
    class Counting(Progress):
        steps = total = 0

        def task(self, title, total):
            self.total = total
            return _Held(self)

    class _Held(Task):
        def __init__(self, owner):
            self.owner = owner

        def __enter__(self):
            return self

        def __exit__(self, *error):
            return False

        def advance(self, steps=1, *, detail=""):
            self.owner.steps += steps

    progress = Counting()
    scan(["a", "b"], [0.5, 0.25], measure=bowl, progress=progress)
    assert progress.steps == progress.total == 5


def test_a_keep_outside_its_range_is_refused():
    with pytest.raises(ConfigError, match=r"A keep to scan is a share in \(0, 1\], got 1.5"):
        scan(["a"], [1.5], measure=bowl)


def rows(*points, group="a"):
    return [Sensitivity(group=group, keep=keep, loss=loss, score=None) for keep, loss in points]


def test_the_rise_is_linear_between_measurements_and_goes_on_below_them():
    measured = rows((1.0, 0.2), (0.5, 0.4), (0.25, 1.4))
    got = rise(measured, "a", np.array([1.0, 0.75, 0.5, 0.375, 0.25, 0.125]))
    assert got == pytest.approx([0, 0.1, 0.2, 0.7, 1.2, 1.7])


def test_noise_never_makes_a_narrower_group_look_better():
    measured = rows((1.0, 0.5), (0.75, 0.7), (0.5, 0.6), (0.25, 0.4))
    assert rise(measured, "a", np.array([0.25, 0.5, 0.75, 1.0])) == pytest.approx([0.2, 0.2, 0.2, 0.0])


@given(st.lists(st.floats(0, 10), min_size=2, max_size=5), st.integers(0, 10_000))
def test_the_rise_never_falls_with_fewer_channels(losses, seed):
    keeps = np.linspace(1, 0.2, len(losses))
    at = np.sort(np.random.default_rng(seed).uniform(0.01, 1, 20))
    got = rise(rows(*zip(keeps, losses, strict=True)), "a", at)
    assert (got >= 0).all() and (np.diff(got) <= 1e-12).all()


def test_a_loss_that_is_not_finite_counts_as_a_large_one():
    measured = [*rows((1.0, 1.0), (0.5, math.inf)), *rows((1.0, 1.0), (0.5, 4.0), group="b")]
    assert rise(measured, "a", np.array([0.5])) == pytest.approx([30.0])


def test_a_group_that_was_not_scanned_is_named():
    with pytest.raises(ConfigError, match="There is no sensitivity of group 'b': scan it"):
        rise(rows((1.0, 1.0), (0.5, 2.0)), "b", np.array([0.5]))
