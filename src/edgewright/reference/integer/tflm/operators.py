"""Sums, means and leaky ReLU in the second mode."""

from __future__ import annotations

import numpy as np

from ...pooling import counts
from ...windows import Window
from ..fixed_point import as_int32, fixed_point
from ..grid import Grid
from .roundings import divide, requantize, rescale

ADD_SHIFT = 20  # bits by which both terms of a sum are raised first


def add_multipliers(grids: tuple[Grid, Grid], out: Grid) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """(m, n) of the first term, of the second, and of their sum.

    Raises:
        ValueError: the sum would need a multiplier of 1 or more, which the kernel refuses.
    """
    most = 2.0 * max(grid.scale for grid in grids)
    total = most / (2**ADD_SHIFT * out.scale)
    if total >= 1:
        raise ValueError(f"The scale of a sum must be above {most / 2**ADD_SHIFT:.3g}, got {out.scale:.3g}.")
    first, second = (fixed_point(grid.scale / most) for grid in grids)
    return first, second, fixed_point(total)


def add(a: np.ndarray, b: np.ndarray, *, grids: tuple[Grid, Grid], out: Grid, sign: int = 1) -> np.ndarray:
    """Codes of a + b, or of a - b with `sign` -1: both terms raised by 20 bits and scaled, then their sum."""
    *each, whole = add_multipliers(grids, out)
    terms = [
        rescale((codes.astype(np.int64) - grid.zero_point) << ADD_SHIFT, np.int64(mantissa), np.int64(shift))
        for codes, grid, (mantissa, shift) in zip((a, b), grids, each, strict=True)
    ]
    total = rescale(terms[0] + sign * terms[1], np.int64(whole[0]), np.int64(whole[1]))
    return out.saturate(out.zero_point + total)


def average_pool2d(x_BCHW: np.ndarray, window: Window, *, out: Grid) -> np.ndarray:
    """Codes of the mean of each window's places on the map: codes themselves are added and divided by their number."""
    sums = np.sum([each for _, _, each in window.taps(x_BCHW.astype(np.int64), fill=0)], axis=0)
    return out.saturate(divide(sums, counts(x_BCHW, window, count_padding=False)))


def average_multiplier(grid: Grid, out: Grid, *, count: int) -> tuple[int, int]:
    """(m, n) of a mean: that of the two scales, its mantissa divided by the count and rounded down."""
    mantissa, shift = fixed_point(grid.scale / out.scale)
    bits = min(count.bit_length() - 1, 32, 31 - shift)
    return (mantissa << bits) // count, shift + bits


def average(x: np.ndarray, *, grid: Grid, out: Grid, axes: tuple[int, ...], keepdims: bool = True) -> np.ndarray:
    """Codes of the mean over whole axes (MEAN)."""
    mantissa, shift = average_multiplier(grid, out, count=int(np.prod([x.shape[axis] for axis in axes])))
    sums = as_int32((x.astype(np.int64) - grid.zero_point).sum(axes, keepdims=keepdims))
    return out.saturate(out.zero_point + rescale(sums, np.int64(mantissa), np.int64(shift)))


def leaky_multipliers(slope: float, *, grid: Grid, out: Grid) -> tuple[float, float]:
    """Real multipliers above 0 and below, in numbers of 32 bits."""
    scale, out_scale = np.float32(grid.scale), np.float32(out.scale)
    return float(scale / out_scale), float(scale * np.float32(slope) / out_scale)


def leaky_relu(codes: np.ndarray, slope: float, *, grid: Grid, out: Grid) -> np.ndarray:
    """Codes of x where x is above 0 and of slope * x below."""
    above, below = leaky_multipliers(slope, grid=grid, out=out)
    centered = codes.astype(np.int64) - grid.zero_point
    return np.where(centered >= 0, requantize(centered, above, out), requantize(centered, below, out))
