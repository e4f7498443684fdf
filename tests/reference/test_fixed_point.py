"""Grids and requantization against worked numbers and against exact rational arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewright.reference.integer import Grid, as_int32, fixed_point, largest_sum, linear, requantize, rescale

INT8 = Grid(scale=0.1, zero_point=-5, low=-128, high=127)


def half_up(value: Fraction) -> int:
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def test_the_worked_multiplier_is_1992157658_shifted_by_7():
    mantissa, shift = fixed_point(0.007247427341846)
    assert (mantissa, shift) == (1_992_157_658, 7)
    assert mantissa / 2**31 == pytest.approx(0.927670699756, abs=1e-9)


def test_halves_round_up_on_both_sides_of_zero():
    mantissa, shift = fixed_point(0.5)
    assert rescale(np.array([-3, -1, 1, 3]), np.int64(mantissa), np.int64(shift)).tolist() == [-1, 0, 1, 2]


@given(st.integers(-(2**31), 2**31 - 1), st.floats(2**-31, 1e6, allow_nan=False))
def test_rescaling_is_the_exact_product_rounded_once(value, multiplier):
    mantissa, shift = fixed_point(multiplier)
    exact = Fraction(value) * mantissa * Fraction(2) ** -(31 + shift)
    assert rescale(np.array(value), np.int64(mantissa), np.int64(shift)) == half_up(exact)


@given(st.floats(2**-31, 2**29))
def test_fixed_point_is_within_half_a_unit_of_31_bits(multiplier):
    mantissa, shift = fixed_point(multiplier)
    assert 2**30 <= mantissa < 2**31
    assert abs(Fraction(mantissa) * Fraction(2) ** -(31 + shift) / Fraction(multiplier) - 1) <= Fraction(1, 2**31)


def test_a_multiplier_too_small_to_matter_is_zero():
    assert fixed_point(2**-33) == (0, 0)


def test_a_multiplier_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"in \[0, 2\*\*30\), got -1"):
        fixed_point(-1.0)


def test_requantizing_saturates_at_both_ends_and_uses_each_channels_multiplier():
    acc = np.array([[1000, 1000], [-100_000, 100_000]])
    assert requantize(acc, np.array([0.01, 0.02]), INT8).tolist() == [[5, 15], [-128, 127]]
    assert requantize(acc.T, np.array([0.01, 0.02]), INT8, axis=0).T.tolist() == [[5, 15], [-128, 127]]


def test_a_sum_beyond_32_bits_is_refused_and_the_last_that_fits_is_not():
    assert as_int32(np.array([-(2**31), 2**31 - 1])).tolist() == [-(2**31), 2**31 - 1]
    with pytest.raises(OverflowError, match="32 bits"):
        requantize(np.array([[2**31]]), 0.5, INT8)


@pytest.mark.parametrize(("bits", "most"), [(8, 66_311), (16, 258)])
def test_the_number_of_products_that_always_fit_is_the_documented_one(bits, most):
    x = Grid(scale=1.0, zero_point=-(2 ** (bits - 1)), low=-(2 ** (bits - 1)), high=2 ** (bits - 1) - 1)
    for count, fits in ((most, True), (most + 1, False)):
        weight = np.full((1, count), 127)
        assert (largest_sum(weight, np.array([0]), x) < 2**31) == fits


@given(st.integers(-50, 50), st.lists(st.integers(-127, 127), min_size=1, max_size=6), st.integers(-1000, 1000))
def test_no_codes_give_a_larger_sum_than_the_largest(zero_point, weights, bias):
    grid = Grid(scale=1.0, zero_point=zero_point, low=-50, high=50)
    weight_OI, bias_O = np.array([weights]), np.array([bias])
    up = np.where(weight_OI > 0, grid.high, grid.low)
    ends = [abs(linear(x, weight_OI, bias_O, zero_point=zero_point)).item() for x in (up, grid.low + grid.high - up)]
    assert largest_sum(weight_OI, bias_O, grid) == max(ends)


# -- grids ------------------------------------------------------------------------------------------------------------
def test_a_code_and_its_value_are_each_others():
    assert (INT8.nearest(INT8.values(INT8.codes)) == INT8.codes).all()
    assert INT8.nearest(np.array([0.0, 100.0, -100.0])).tolist() == [-5, 127, -128]


def test_the_part_of_a_grid_that_a_clamp_leaves():
    relu, relu6 = INT8.clamped(0.0, None), INT8.clamped(0.0, 6.0)
    assert (relu.low, relu.high) == (-5, 127) and (relu6.low, relu6.high) == (-5, 55)
    assert INT8.clamped(None, None) == INT8
