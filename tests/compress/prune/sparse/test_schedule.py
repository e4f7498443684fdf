"""How sparsity rises: published values, the ends, and where the updates lie."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewright.compress.prune.sparse import COURSES, cubic, equal_steps, moments


@pytest.mark.parametrize(("share", "value"), [(0, 0), (0.25, 0.520313), (0.5, 0.7875), (0.75, 0.885938), (1, 0.9)])
def test_the_cubic_course_has_the_published_values(share, value):
    assert cubic(0.0, 0.9, share) == pytest.approx(value, abs=1e-6)


def test_equal_steps_remove_the_same_share_of_what_is_left():
    left = [1 - equal_steps(0.0, 1 - 0.8**20, step / 20) for step in (5, 10, 15, 20)]
    assert left == pytest.approx([0.3277, 0.1074, 0.0352, 0.0115], abs=5e-5)


@pytest.mark.parametrize("name", COURSES)
@given(start=st.floats(0, 0.5), final=st.floats(0.5, 0.999), updates=st.integers(1, 30), steps=st.integers(1, 500))
def test_updates_rise_to_the_final_value_and_end_with_the_steps(name, start, final, updates, steps):
    found = moments(name, start=start, final=final, num_updates=updates, num_steps=steps)
    assert list(found) == sorted(found) and max(found) == steps and min(found) >= 1
    values = list(found.values())
    assert values[-1] == final and all(a <= b + 1e-12 for a, b in pairwise(values))
    assert len(found) == min(updates, steps)


def test_updates_are_spread_evenly():
    found = moments("cubic", start=0.0, final=0.9, num_updates=4, num_steps=100)
    assert found == {25: pytest.approx(0.5203125), 50: pytest.approx(0.7875), 75: pytest.approx(0.8859375),
                     100: 0.9}  # fmt: skip
