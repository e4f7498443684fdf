"""A multiplication by a real number, in integers: one product, one shift, one rounding."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .grid import Grid

INT32 = np.iinfo(np.int32)


def fixed_point(multiplier: float) -> tuple[int, int]:
    """`multiplier` as (m, n): m * 2**-(31 + n), with m in [2**30, 2**31).

    The mantissa is rounded to the nearest, halves up. (0, 0) for a multiplier below 2**-32, which no 32-bit sum can
    bring to a half.

    Raises:
        ValueError: the multiplier is negative, not finite, or 2**30 or more.
    """
    if not (math.isfinite(multiplier) and 0 <= multiplier < 2**30):
        raise ValueError(f"A multiplier must be in [0, 2**30), got {multiplier}.")
    fraction, exponent = math.frexp(multiplier)  # fraction in [0.5, 1), or 0
    mantissa = math.floor(fraction * 2**31 + 0.5)
    if mantissa == 2**31:
        mantissa, exponent = 2**30, exponent + 1
    return (mantissa, -exponent) if mantissa and exponent >= -31 else (0, 0)


def rescale(values: np.ndarray, mantissa: np.ndarray | np.int64, shift: np.ndarray | np.int64) -> np.ndarray:
    """values * mantissa * 2**-(31 + shift), rounded to the nearest integer, halves up. int64 in, int64 out."""
    bits = 31 + np.asarray(shift, dtype=np.int64)
    product = np.asarray(values, dtype=np.int64) * np.asarray(mantissa, dtype=np.int64)
    return (product + (np.int64(1) << (bits - 1))) >> bits


def requantize(acc: np.ndarray, multipliers: float | np.ndarray, out: Grid, *, axis: int = 1) -> np.ndarray:
    """32-bit sums to codes of `out`; saturates at its ends.

    Args:
        acc: sums, any shape.
        multipliers: scale of the sums over scale of `out`: one number, or one per channel along `axis`.

    Raises:
        OverflowError: a sum does not fit into 32 bits.
    """
    mantissa, shift = spread(fixed_point, multipliers, rank=acc.ndim, axis=axis)
    return out.saturate(out.zero_point + rescale(as_int32(acc), mantissa, shift))


def spread(
    make: Callable[[float], tuple[int, int]], multipliers: float | np.ndarray, *, rank: int, axis: int
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """What `make` makes of each multiplier, mantissas and shifts, lying along `axis` of arrays of `rank` axes."""
    mantissa, shift = np.vectorize(make, otypes=[np.int64, np.int64])(multipliers)
    if mantissa.ndim:
        shape = [1] * rank
        shape[axis] = -1
        mantissa, shift = mantissa.reshape(shape), shift.reshape(shape)
    return mantissa, shift


def as_int32(acc: np.ndarray) -> np.ndarray:
    """The sums, which must fit into 32 bits as they do on a device.

    Codes of 8 bits and weights of 8 bits give at most 255 * 127 a product: any 66,311 of them fit. With codes of 16
    bits it is 65535 * 127, and 259 products can be too many; two codes of 16 bits can overflow in one product.

    Raises:
        OverflowError: one does not.
    """
    if acc.size and (acc.min() < INT32.min or acc.max() > INT32.max):
        raise OverflowError("A sum does not fit into 32 bits.")
    return acc


def largest_sum(weight_OI: np.ndarray, bias_O: np.ndarray, x: Grid) -> int:
    """The largest magnitude that a layer's sums can have for any codes of `x`: int32 is safe up to 2**31 - 1."""
    return int(largest_sums(weight_OI, bias_O, x).max())


def largest_sums(weight_OI: np.ndarray, bias_O: np.ndarray, x: Grid) -> np.ndarray:
    """The same for each output, int64.

    Args:
        weight_OI: codes, all axes behind the first are inputs of one output.
    """
    flat = weight_OI.reshape(len(weight_OI), -1).astype(np.int64)
    positive, negative = np.maximum(flat, 0).sum(1), np.minimum(flat, 0).sum(1)
    top, bottom = x.high - x.zero_point, x.low - x.zero_point
    highest = bias_O + top * positive + bottom * negative
    lowest = bias_O + bottom * positive + top * negative
    return np.maximum(abs(highest), abs(lowest))
