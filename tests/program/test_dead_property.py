"""Whatever a program is made of: without its dead channels it gives the same bits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dead_programs import Growing, extreme_codes
from edgewright.program import check, run
from edgewright.program.dead import bound_program, eliminate_dead

ASKED = {"seed": st.integers(0, 2**32 - 1), "steps": st.integers(1, 7), "flat": st.booleans()}


@settings(deadline=None, max_examples=10)
@given(**ASKED)
def test_no_bit_of_any_output_changes_and_every_code_is_within_its_bounds(seed, steps, flat):
    assert_same(seed, steps, flat=flat)


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(**ASKED)
def test_no_bit_changes_in_a_hundred_programs(seed, steps, flat):
    assert_same(seed, steps, flat=flat)


def assert_same(seed, steps, *, flat):
    rng = np.random.default_rng(seed)
    growing = Growing(rng)
    for _ in range(steps):
        growing.grow()
    program = growing.finished(flat=flat)
    slim, report = eliminate_dead(program)
    check(slim)
    bounds = bound_program(check(program))
    assert slim.inputs == program.inputs and slim.outputs == program.outputs
    for codes in extreme_codes(program, rng):
        before, after = run(program, {"x": codes}), run(slim, {"x": codes})
        for name, each in before.items():
            assert (bounds[name].low <= each).all() and (each <= bounds[name].high).all()
        for name, each in after.items():
            np.testing.assert_array_equal(each, before[name][list(report.kept[name])], err_msg=name)
        assert all(after[name].shape == before[name].shape for name in program.outputs)
