"""The second rounding mode, by hand, against exact rational arithmetic, and where it leaves the first."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewright.reference import integer
from edgewright.reference.integer import Grid, Window, fixed_point, tflm

INT8 = Grid(scale=1.0, zero_point=0, low=-128, high=127)
INT32 = st.integers(-(2**31), 2**31 - 1)


def half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


def half_away(value: Fraction) -> int:
    return half_up(value) if value >= 0 else -half_up(-value)


# -- the two roundings ------------------------------------------------------------------------------------------------
def test_the_high_product_rounds_halves_up_on_both_sides_of_zero():
    values = np.array([-5, -3, -1, 1, 3, 5]) * 2**29  # times 2**31 / 2**30 = 2: quarters
    assert tflm.high_product(np.array([-3, -1, 1, 3]), np.int64(2**30)).tolist() == [-1, 0, 1, 2]
    assert tflm.high_product(values, np.int64(2)).tolist() == [-2, -1, 0, 1, 2, 3]


def test_the_one_product_that_leaves_32_bits_saturates():
    assert tflm.high_product(np.int64(-(2**31)), np.int64(-(2**31))) == 2**31 - 1


def test_a_division_by_a_power_of_two_rounds_halves_away_from_zero():
    assert tflm.divide_by_power(np.array([-6, -5, -3, -2, -1, 1, 2, 3, 5, 6]), 2).tolist() == [
        -2, -1, -1, -1, 0, 0, 1, 1, 1, 2,
    ]  # fmt: skip
    assert tflm.divide_by_power(np.array([-7, 7]), 0).tolist() == [-7, 7]
    assert tflm.divide_by_power(np.array([-(2**31), 2**31 - 1]), 31).tolist() == [-1, 1]


def test_two_roundings_make_one_of_a_value_below_a_half():
    """9 * 0.0521 = 0.469: rounded to halves it is 0.5, which goes to 1; one rounding gives 0. Below 0 alike."""
    mantissa, shift = np.int64(round(0.0521 * 2**35)), np.int64(4)  # 0.0521 = 0.8336 * 2**-4
    # high product: 9 * 0.8336 = 7.50 -> 8, and 8 / 16 = 0.5 -> 1
    assert tflm.rescale(np.array([9, -9]), mantissa, shift).tolist() == [1, -1]
    assert integer.rescale(np.array([9, -9]), mantissa, shift).tolist() == [0, 0]


def test_negative_ties_go_away_from_zero_where_the_first_mode_goes_up():
    mantissa, shift = (np.int64(each) for each in fixed_point(1 / 8))  # 4 / 8 is a half
    assert tflm.rescale(np.array([-12, -4, 4, 12]), mantissa, shift).tolist() == [-2, -1, 1, 2]
    assert integer.rescale(np.array([-12, -4, 4, 12]), mantissa, shift).tolist() == [-1, 0, 1, 2]


@given(INT32, st.integers(2**30, 2**31 - 1), st.integers(0, 31))
def test_rescaling_is_the_exact_product_rounded_up_then_away(value, mantissa, shift):
    high = half_up(Fraction(value * mantissa, 2**31))
    expected = half_away(Fraction(high, 2**shift))
    assert tflm.rescale(np.array(value), np.int64(mantissa), np.int64(shift)) == expected
    single = integer.rescale(np.array(value), np.int64(mantissa), np.int64(shift))
    assert abs(expected - single) <= 1


@given(st.integers(-(2**20), 2**20), st.integers(2**30, 2**31 - 1), st.integers(1, 11))
def test_a_shift_to_the_left_is_exact_before_the_product(value, mantissa, left):
    expected = half_up(Fraction(value * 2**left * mantissa, 2**31))
    assert tflm.rescale(np.array(value), np.int64(mantissa), np.int64(-left)) == expected


def test_what_does_not_fit_the_left_shift_is_refused():
    """2 is 1/2 * 2**2: the sum is raised by two bits, though its product would fit."""
    assert tflm.requantize(np.array([2**29 - 1]), 2.0, INT8).tolist() == [127]
    with pytest.raises(OverflowError, match="32 bits"):
        tflm.requantize(np.array([2**29]), 2.0, INT8)


@given(st.lists(INT32, min_size=2, max_size=8), st.floats(2**-31, 0.999))
def test_requantization_never_falls(values, real):
    codes = tflm.requantize(np.sort(np.array(values)), real, INT8)
    assert (np.diff(codes) >= 0).all()


# -- operators --------------------------------------------------------------------------------------------------------
def test_a_linear_layer_of_one_scale_multiplies_scales_in_32_bits_and_one_of_several_in_64():
    x = Grid(scale=float(np.float32(0.1)), zero_point=0, low=-128, high=127)
    w = float(np.float32(0.3))
    assert tflm.linear_scale(x, np.array([w, w])).tolist() == [float(np.float32(0.1) * np.float32(0.3))] * 2
    assert tflm.linear_scale(x, np.array([w, 0.5])).tolist() == [x.scale * w, x.scale * 0.5]
    assert float(np.float32(0.1) * np.float32(0.3)) != x.scale * w


def test_a_sum_by_hand():
    """Scales 1 and 1/2 over 2: factors 1/2 and 1/4 of terms raised by 2**20; their sum times 2 / (2**20 * 1)."""
    grids = (Grid(scale=1.0, zero_point=1, low=-128, high=127), Grid(scale=0.5, zero_point=0, low=-128, high=127))
    assert tflm.add_multipliers(grids, INT8) == ((2**30, 0), (2**30, 1), (2**30, 18))
    a, b = np.array([4, -2, 0, 127]), np.array([1, -1, 1, 127])
    # 3 + 0.5 = 3.5 -> 4; -3 - 0.5 -> -4, away from zero; -1 + 0.5 -> -1; beyond the end
    assert tflm.add(a, b, grids=grids, out=INT8).tolist() == [4, -4, -1, 127]
    assert tflm.add(a, b, grids=grids, out=INT8, sign=-1).tolist() == [3, -3, -2, 63]


def test_a_sum_on_too_fine_a_grid_is_refused():
    with pytest.raises(ValueError, match=r"scale of a sum must be above 1\.91e-06, got 1e-06"):
        tflm.add_multipliers((INT8, INT8), Grid(scale=1e-6, zero_point=0, low=-128, high=127))


def test_a_pooled_mean_divides_codes_and_rounds_halves_away():
    x = np.array([[-1, -2, 1, 2, 3]]).reshape(1, 1, 1, 5)
    window = Window(kernel=(1, 2), padding=((0, 0), (1, 0)))
    # -1 alone; -3/2 -> -2; -1/2 -> -1; 3/2 -> 2; 5/2 -> 3
    assert tflm.average_pool2d(x, window, out=INT8).ravel().tolist() == [-1, -2, -1, 2, 3]


def test_a_mean_has_the_count_in_a_mantissa_that_is_rounded_down():
    mantissa, shift = tflm.average_multiplier(INT8, INT8, count=3)
    assert (mantissa, shift) == ((2**30 << 1) // 3, 0)  # 1 = 2**30 * 2**-(31 - 1), and 3 has one bit behind its first
    x = np.array([[-1, -1, -2, 4, 5, 6]]).reshape(1, 2, 1, 3)
    assert tflm.average(x, grid=INT8, out=INT8, axes=(2, 3)).ravel().tolist() == [-1, 5]


def test_leaky_relu_takes_its_ratios_in_32_bits():
    grid = Grid(scale=float(np.float32(0.1)), zero_point=0, low=-128, high=127)
    above, below = tflm.leaky_multipliers(0.2, grid=grid, out=INT8)
    assert (above, below) == (float(np.float32(0.1)), float(np.float32(0.1) * np.float32(0.2)))
    assert tflm.leaky_relu(np.array([50, -50, -125]), 0.2, grid=grid, out=INT8).tolist() == [5, -1, -3]


# -- softmax ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("scale", [0.001, 0.05, 0.3, 2.0, 15.0])
def test_exponentials_are_those_of_numbers_to_seven_digits_and_end_at_0(scale):
    grid = Grid(scale=scale, zero_point=3, low=-128, high=127)
    exact = np.exp(-scale * np.arange(256))
    found = tflm.exponentials(grid) / 2**31
    assert np.abs(found - exact).max() < 3e-7
    assert (np.diff(found) <= 0).all() and found[0] == 1 - 2**-31


@given(st.integers(2**19, 2**31 - 1))
def test_the_reciprocal_is_that_of_numbers_to_eight_digits(total):
    one, bits = tflm.reciprocal(total)
    assert one / 2**31 / 2.0**bits == pytest.approx(2**19 / total, rel=2e-8)


def test_a_softmax_of_equals_and_one_of_extremes():
    grid = Grid(scale=0.5, zero_point=0, low=-128, high=127)
    out = Grid(scale=1 / 256, zero_point=-128, low=-128, high=127)
    assert tflm.softmax(np.array([[7, 7, 7, 7]]), grid=grid, out=out).tolist() == [[-64] * 4]
    assert tflm.softmax(np.array([[127, -128]]), grid=grid, out=out).tolist() == [[127, -128]]


def test_a_scale_that_softmax_cannot_hold_is_refused():
    with pytest.raises(ValueError, match=r"softmax reads must be in \(2\*\*-26, 16\), got 16"):
        tflm.exponentials(Grid(scale=16.0, zero_point=0, low=-128, high=127))
