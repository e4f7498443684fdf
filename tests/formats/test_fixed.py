"""Fixed point: worked codes, every rounding mode, saturation and wrapping, exact sums and products."""

import math
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewright.errors import ConfigError
from edgewright.formats import ROUNDINGS, FixedFormat, q_format

Q34 = FixedFormat(integer_bits=3, fraction_bits=4)


def test_a_format_of_8_bits_by_hand():
    assert (Q34.bits, Q34.low, Q34.high, Q34.step) == (8, -128, 127, 0.0625)
    assert (Q34.decode(Q34.low), Q34.decode(Q34.high)) == (-8.0, 7.9375)
    assert Q34.encode(2.71828) == 43 and Q34.decode(43) == 2.6875  # 43.49 steps
    assert Q34.pattern(Q34.encode(-1.5)) == 0b11101000


@pytest.mark.parametrize(
    ("rounding", "codes"),
    [
        ("half-even", [2, 0, 0, -2, 2, -2]),
        ("half-up", [2, 1, 0, -1, 2, -2]),
        ("half-away", [2, 1, -1, -2, 2, -2]),
        ("truncate", [1, 0, -1, -2, 1, -2]),
        ("toward-zero", [1, 0, 0, -1, 1, -1]),
    ],
)
def test_each_rounding_mode_at_ties_and_beside_them(rounding, codes):
    steps = [1.5, 0.5, -0.5, -1.5, 1.75, -1.75]
    assert [Q34.encode(value / 16, rounding=rounding) for value in steps] == codes


@given(st.floats(-7.9, 7.9))
def test_rounding_equals_decimal_arithmetic(value):
    exact = Decimal(value) * 16
    for rounding, theirs in (
        ("half-even", ROUND_HALF_EVEN), ("half-away", ROUND_HALF_UP), ("truncate", ROUND_FLOOR)
    ):  # fmt: skip
        assert Q34.encode(value, rounding=rounding) == int(exact.to_integral_value(rounding=theirs))


def test_beyond_the_range_a_code_saturates_or_wraps():
    assert [Q34.encode(value) for value in (8.0, -9.0, math.inf)] == [127, -128, 127]
    assert [Q34.encode(value, overflow="wrap") for value in (8.0, -9.0, 16.0625)] == [-128, 112, 1]
    unsigned = q_format("UQ4.4")
    assert unsigned.encode(-1.0) == 0 and unsigned.encode(16.5, overflow="wrap") == 8


@given(st.integers(-128, 127), st.integers(-128, 127))
def test_sums_and_products_are_exact_in_the_wider_format(first, second):
    assert Q34.sum_format.decode(Q34.add(first, second)) == Q34.decode(first) + Q34.decode(second)
    assert Q34.product_format.decode(Q34.multiply(first, second)) == Q34.decode(first) * Q34.decode(second)


def test_a_product_doubles_the_bits_and_comes_back_rounded():
    assert Q34.product_format == FixedFormat(integer_bits=7, fraction_bits=8) and Q34.product_format.bits == 16
    product = Q34.multiply(Q34.encode(1.25), Q34.encode(-2.125))  # 20 * -34 = -680, that is -2.65625
    assert product == -680
    assert Q34.product_format.convert(product, Q34) == -42  # -42.5 steps, half to even
    assert Q34.product_format.convert(product, Q34, rounding="truncate") == -43
    q15 = q_format("0.15")
    assert q15.product_format.convert(q15.multiply(q15.low, q15.low), q15) == q15.high  # -1 * -1 saturates


@given(st.integers(-(2**20), 2**20), st.sampled_from(sorted(ROUNDINGS)))
def test_a_code_survives_a_finer_format(code, rounding):
    fine, coarse = q_format("11.12"), q_format("11.9")
    code = min(max(code, coarse.low), coarse.high)
    assert fine.convert(coarse.convert(code, fine), coarse, rounding=rounding) == code


def test_what_cannot_be_is_refused():
    with pytest.raises(ConfigError, match=r"written m\.n, Qm\.n or UQm\.n, such as 3\.4, got '34'"):
        q_format("34")
    with pytest.raises(ConfigError, match="m and n of 0 or more and 1 to 64 bits"):
        FixedFormat(integer_bits=40, fraction_bits=40)
    with pytest.raises(ConfigError, match="rounding is one of half-even, half-up"):
        Q34.encode(1.0, rounding="up")
    with pytest.raises(ConfigError, match=r"nan has no code in Q3\.4"):
        Q34.encode(math.nan)
    with pytest.raises(ConfigError, match=r"A code of Q3\.4 lies in \[-128, 127\], got 128"):
        Q34.decode(128)
