"""Softmax in the second mode: exponential and reciprocal in fixed point, without a table or a division.

Qi.f is an integer in units of 2**-f. Products of two such numbers are high products: Qa.x * Qb.y is Q(a+b).(31-a-b).

d    = (q - q_max) * scale                                   Q5.26; far below 0 the exponential is 0
e    = exp(d)                                                Q0.31: exp(d mod 1/4 - 1/4) by a polynomial of degree 4 at
                                                             -1/8, times exp(-2**k) for each bit k of what is left
s    = sum(e)                                                Q12.19, each term rounded
1/s  by three steps of Newton and Raphson for 1 / (1 + f), s = (1 + f) * 2**bits
q_y  = e / s * 2**8 - 128
"""

from __future__ import annotations

import numpy as np

from ..fixed_point import fixed_point
from ..grid import Grid
from .roundings import Integers, divide_by_power, high_product

PROBABILITIES = (1 / 256, -128)
"""Scale and zero point that the output has."""
DIFFERENCE_BITS = 26  # of the fraction, where 5 are in front of it
SUM_BITS = 19
TOP = 2**31 - 1  # 1 in Q0.31
AT_EIGHTH, THIRD = 1895147668, 715827883  # exp(-1/8) and 1/3 in Q0.31
POWERS = {-2: 1672461947, -1: 1302514674, 0: 790015084, 1: 290630308, 2: 39332535, 3: 720401, 4: 242}
"""k -> exp(-2**k) in Q0.31."""
FIRST, SLOPE = 1515870810, -1010580540  # 48/17 and -32/17 in Q2.29: the best line to 1/x on [1/2, 1]


def exponentials(grid: Grid) -> np.ndarray:
    """exp(-scale * d) for each difference d = 0, 1, ... of two codes, Q0.31; 0 where it is not worth a step.

    Raises:
        ValueError: the scale is 2**-26 or less, or 16 or more.
    """
    if not 2.0**-DIFFERENCE_BITS < grid.scale < 16:
        raise ValueError(f"The scale of what softmax reads must be in (2**-{DIFFERENCE_BITS}, 16), got {grid.scale}.")
    mantissa, shift = fixed_point(grid.scale * 2.0**DIFFERENCE_BITS)
    differences = np.arange(grid.high - grid.low + 1, dtype=np.int64)
    furthest = (31 << DIFFERENCE_BITS) >> -shift
    scaled = high_product(-np.minimum(differences, furthest) << np.int64(-shift), np.int64(mantissa))
    return np.where(differences <= furthest, _exp(scaled), 0)


def _exp(a: np.ndarray) -> np.ndarray:
    """exp(a) for a in (-32, 0], Q5.26 in, Q0.31 out."""
    quarter = 1 << (DIFFERENCE_BITS - 2)
    near = (a & (quarter - 1)) - quarter
    result, rest = _exp_near(near << 5), near - a
    for power, factor in POWERS.items():
        result = np.where(rest & (1 << (DIFFERENCE_BITS + power)), high_product(result, np.int64(factor)), result)
    return np.where(a == 0, TOP, result)


def _exp_near(a: np.ndarray) -> np.ndarray:
    """exp(a) for a in [-1/4, 0), Q0.31: exp(-1/8) (1 + x + x^2/2 + x^3/6 + x^4/24) with x = a + 1/8."""
    x = a + (1 << 28)
    x2 = high_product(x, x)
    x3, x4 = high_product(x2, x), high_product(x2, x2)
    inner = high_product(divide_by_power(x4, 2) + x3, np.int64(THIRD)) + x2
    return AT_EIGHTH + high_product(np.int64(AT_EIGHTH), x + divide_by_power(inner, 1))


def reciprocal(total: Integers) -> tuple[np.ndarray, np.ndarray]:
    """1 / total as (Q0.31, bits): total in Q12.19 is (1 + f) * 2**bits, and the first is 1 / (1 + f)."""
    total = np.asarray(total, np.int64)
    length = np.frexp(total.astype(np.float64))[1].astype(np.int64)  # of a whole number below 2**31: exact
    half = total << (31 - length)  # (1 + f) / 2, Q0.31
    x = FIRST + high_product(half, np.int64(SLOPE))
    for _ in range(3):
        missing = (1 << 29) - high_product(half, x)
        x = x + np.clip(high_product(x, missing) << 2, -TOP - 1, TOP)
    return np.minimum(x << 1, TOP), length - 1 - SUM_BITS


def softmax(codes: np.ndarray, *, grid: Grid, out: Grid, axis: int = -1) -> np.ndarray:
    """Codes of the softmax along an axis of less than 4096 values; the scale of `out` is 1/256, its zero point -128."""
    values = codes.astype(np.int64)
    each = exponentials(grid)[values.max(axis, keepdims=True) - values]
    one, bits = reciprocal(divide_by_power(each, 12).sum(axis, keepdims=True))
    return out.saturate(divide_by_power(high_product(one, each), bits + 23) + out.zero_point)
