"""The integer reference against worked numbers and against exact rational arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewright.reference.integer import add, conv2d, fixed_point, global_average, linear, requantize, rescale


def half_up(value: Fraction) -> int:
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def test_the_worked_dot_product_gives_21537():
    x, weight = np.array([[192, 96, 255]]), np.array([[42, -85, 127]])
    acc = linear(x, weight, np.array([0]), zero_point=128)
    assert acc.item() == 21_537
    assert acc.item() * (2 / 255) * (0.6 / 127) == pytest.approx(0.798036, abs=5e-7)


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
    codes = requantize(acc, np.array([0.01, 0.02]), zero_point=-5, low=-128, high=127)
    assert codes.tolist() == [[5, 15], [-128, 127]]


@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups"),
    [
        ((1, 1), (0, 0), (1, 1), 1),
        ((2, 1), (1, 2), (1, 1), 1),
        ((1, 2), (2, 2), (2, 2), 2),
        ((2, 2), (1, 1), (1, 1), 4),
    ],
)
def test_convolution_equals_a_naive_loop_over_values(stride, padding, dilation, groups):
    rng = np.random.default_rng(0)
    x, zero_point = rng.integers(-128, 128, (2, 4, 7, 6)), 9
    weight, bias = rng.integers(-127, 128, (8, 4 // groups, 3, 3)), rng.integers(-500, 500, 8)
    got = conv2d(
        x, weight, bias, zero_point=zero_point, stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    padded = np.pad(x - zero_point, ((0, 0), (0, 0), *((size, size) for size in padding)))
    for b, o, h, w in np.ndindex(got.shape):
        total = int(bias[o])
        for c, i, j in np.ndindex(weight.shape[1:]):
            channel = (o // (8 // groups)) * (4 // groups) + c
            row, column = h * stride[0] + i * dilation[0], w * stride[1] + j * dilation[1]
            total += int(weight[o, c, i, j]) * int(padded[b, channel, row, column])
        assert got[b, o, h, w] == total


def test_a_sum_beyond_32_bits_is_an_error():
    with pytest.raises(OverflowError, match="32 bits"):
        linear(np.full((1, 200_000), 255), np.full((1, 200_000), 127), np.array([0]), zero_point=0)


@given(st.integers(-128, 127), st.integers(-128, 127))
def test_adding_codes_is_within_a_rounding_of_adding_values(a, b):
    scales, zeros = (0.05, 0.013, 0.06), (3, -7, 11)
    codes = add(np.array([a]), np.array([b]), scales=scales, zero_points=zeros, low=-128, high=127)
    exact = ((a - 3) * 0.05 + (b + 7) * 0.013) / 0.06 + 11
    assert abs(codes.item() - min(max(exact, -128), 127)) <= 0.5 + 1e-6


def test_the_mean_of_a_constant_map_is_that_constant():
    x = np.full((1, 2, 5, 3), 40)
    codes = global_average(x, scales=(0.1, 0.1), zero_points=(-128, -128), low=-128, high=127)
    assert codes.shape == (1, 2, 1, 1) and (codes == 40).all()
