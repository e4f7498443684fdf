"""Dead channels and possible overflows where programs round twice: bounds carry over, and no bit changes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dead_programs import Builder, Growing, extreme_codes
from edgewright.errors import UnsupportedError
from edgewright.export.c import emit
from edgewright.program import check, run
from edgewright.program.dead import bound_program, eliminate_dead
from edgewright.reference.integer import Grid

WIDE = Grid(scale=0.001, zero_point=0, low=-128, high=127)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), steps=st.integers(1, 7), flat=st.booleans())
def test_no_bit_changes_and_every_code_is_within_its_bounds(seed, steps, flat):
    growing = Growing(np.random.default_rng(seed))
    for _ in range(steps):
        growing.grow()
    program = replace(growing.finished(flat=flat), rounding="tflm")
    try:
        check(program)
    except UnsupportedError:
        return  # an interpolation, or a mean that counts padding
    slim, report = eliminate_dead(program)
    assert slim.rounding == "tflm"
    bounds = bound_program(program)
    for codes in extreme_codes(program, growing.rng):
        before, after = run(program, {"x": codes}), run(check(slim), {"x": codes})
        for name, each in before.items():
            assert (bounds[name].low <= each).all() and (each <= bounds[name].high).all()
        for name, each in after.items():
            np.testing.assert_array_equal(each, before[name][list(report.kept[name])], err_msg=name)


def layer(bias, *, scale):
    builder = Builder(shape=(1, 1, 1), grid=Grid(scale=0.001, zero_point=0, low=-128, high=127))
    return replace(
        builder.program(builder.conv("x", np.ones((1, 1, 1, 1)), [bias], grid=WIDE, scale=scale)), name="net"
    )


def test_a_sum_that_is_raised_first_may_overflow_where_it_does_not_by_itself():
    """A multiplier of 2 = 1/2 * 2**2 raises sums by two bits: bias + 127 must stay below 2**29."""
    for bias, overflows in ((2**29 - 128, False), (2**29 - 127, True)):
        single = layer(bias, scale=2.0)
        twice = replace(single, rounding="tflm")
        assert emit(single).may_overflow == () and emit(twice).may_overflow == (("conv0",) if overflows else ())
        highest = {"x": np.full((1, 1, 1), 127)}
        assert run(twice, {"x": np.full((1, 1, 1), -128)})["conv0"].item() == 127
        if not overflows:
            assert run(twice, highest)["conv0"].item() == 127
    assert bound_program(twice)["conv0"].high.item() == 127
    with pytest.raises(OverflowError, match="32 bits"):
        run(replace(layer(2**29 - 126, scale=2.0), rounding="tflm"), {"x": np.full((1, 1, 1), 127)})


def test_layers_with_sums_of_30_bits_take_the_general_form():
    for bias, flag in ((2**30 - 128, 1), (2**30 - 127, 0)):
        program = replace(layer(bias, scale=0.01), rounding="tflm")
        assert f".high_word = {flag}" in emit(program).files["model.c"]
        assert ".high_word = 1" in emit(replace(program, rounding="single")).files["model.c"]
