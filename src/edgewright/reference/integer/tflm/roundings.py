"""A multiplication by a real number with two roundings, and a division.

M   = m * 2**-(31 + n),  2**30 <= m < 2**31                 as in the other mode
h   = (x * 2**max(-n, 0) * m + 2**30) >> 31                 doubling high product: halves up
y   = h / 2**max(n, 0), to the nearest                      halves away from zero

The left shift has 32 bits: where a sum does not fit it, that engine's result is undefined, and here it is refused.
"""

from __future__ import annotations

import numpy as np

from ..fixed_point import as_int32, fixed_point, spread
from ..grid import Grid

Integers = np.ndarray | np.int64


def high_product(a: Integers, b: Integers) -> np.ndarray:
    """a * b * 2**-31, rounded to the nearest integer, halves up; two numbers of 32 bits, int64 out.

    Only (-2**31)**2 leaves 32 bits; it becomes 2**31 - 1.
    """
    product = np.asarray(a, np.int64) * np.asarray(b, np.int64)
    return np.minimum((product + 2**30) >> 31, 2**31 - 1)


def divide_by_power(values: Integers, bits: Integers | int) -> np.ndarray:
    """values * 2**-bits, rounded to the nearest integer, halves away from zero; bits in [0, 31]."""
    values, bits = np.asarray(values, np.int64), np.asarray(bits, np.int64)
    half = (np.int64(1) << bits) >> 1
    return (values + half - ((values < 0) & (bits > 0))) >> bits


def rescale(values: np.ndarray, mantissa: Integers, shift: Integers) -> np.ndarray:
    """values * mantissa * 2**-(31 + shift), rounded twice. int64 in, int64 out.

    Raises:
        OverflowError: a value, raised by a shift below 0, does not fit into 32 bits.
    """
    shift = np.asarray(shift, np.int64)
    raised = as_int32(np.asarray(values, np.int64) << np.maximum(-shift, 0))
    return divide_by_power(high_product(raised, mantissa), np.maximum(shift, 0))


def requantize(acc: np.ndarray, multipliers: float | np.ndarray, out: Grid, *, axis: int = 1) -> np.ndarray:
    """32-bit sums to codes of `out`, as `fixed_point.requantize` with the roundings of this mode.

    Raises:
        OverflowError: a sum does not fit into 32 bits, or not where it is raised.
    """
    mantissa, shift = spread(fixed_point, multipliers, rank=acc.ndim, axis=axis)
    return out.saturate(out.zero_point + rescale(as_int32(acc), mantissa, shift))


def linear_scale(x: Grid, weight_scale_O: np.ndarray) -> np.ndarray:
    """What one unit of a linear layer's sums is worth: a product of 32 bits where all weights have one scale."""
    scale_O = np.asarray(weight_scale_O, np.float64)
    if (scale_O == scale_O[0]).all():
        return (np.float32(x.scale) * scale_O.astype(np.float32)).astype(np.float64)
    return x.scale * scale_O


def divide(sums: np.ndarray, number: np.ndarray) -> np.ndarray:
    """The quotient of integers to the nearest, halves away from zero."""
    return np.sign(sums) * ((np.abs(sums) + number // 2) // number)
