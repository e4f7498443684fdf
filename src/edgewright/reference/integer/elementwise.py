"""Sums and products of two tensors of codes, and functions of one by table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .fixed_point import as_int32, fixed_point, requantize
from .grid import Grid

Requantize = Callable[[np.ndarray, float, Grid], np.ndarray]
"""Sums, what one is worth in steps of the output, and its grid -> codes."""


def add(a: np.ndarray, b: np.ndarray, *, grids: tuple[Grid, Grid], out: Grid, sign: int = 1) -> np.ndarray:
    """Codes of a + b, or of a - b with `sign` -1; shapes are broadcast.

    Both terms are brought to one fixed point and added in 64 bits, so that there is a single rounding.
    """
    ratios = [grid.scale / out.scale for grid in grids]
    _, shift = fixed_point(max(ratios))
    first, second = (round(ratio * 2.0 ** (31 + shift)) for ratio in ratios)
    terms = [each.astype(np.int64) - grid.zero_point for each, grid in zip((a, b), grids, strict=True)]
    total = terms[0] * first + sign * terms[1] * second
    rounded = (total + (np.int64(1) << np.int64(30 + shift))) >> np.int64(31 + shift)
    return out.saturate(out.zero_point + rounded)


def mul(
    a: np.ndarray, b: np.ndarray, *, grids: tuple[Grid, Grid], out: Grid, by: Requantize = requantize
) -> np.ndarray:  # fmt: skip
    """Codes of a * b; shapes are broadcast. The products are int32, requantized once.

    Args:
        by: the requantization of a rounding mode, here and below.
    """
    first, second = (each.astype(np.int64) - grid.zero_point for each, grid in zip((a, b), grids, strict=True))
    return by(as_int32(first * second), grids[0].scale * grids[1].scale / out.scale, out)


def concatenate(
    parts: Sequence[np.ndarray], *, grids: Sequence[Grid], out: Grid, axis: int, by: Requantize = requantize
) -> np.ndarray:  # fmt: skip
    """Codes of the parts behind each other. A part on the grid of `out` is copied, any other brought to it."""
    return np.concatenate([change_grid(part, grid, out, by=by) for part, grid in zip(parts, grids, strict=True)], axis)


def change_grid(codes: np.ndarray, grid: Grid, out: Grid, *, by: Requantize = requantize) -> np.ndarray:
    """The same values on another grid. Clamps are this too: where `out` is the part that a clamp leaves."""
    if (grid.scale, grid.zero_point) == (out.scale, out.zero_point):
        return out.saturate(codes.astype(np.int64))
    return by(codes.astype(np.int64) - grid.zero_point, grid.scale / out.scale, out)


def leaky_relu(codes: np.ndarray, slope: float, *, grid: Grid, out: Grid) -> np.ndarray:
    """Codes of x where x is above 0 and of slope * x below: one multiplier for each side.

    Raises:
        ValueError: a slope below 0.
    """
    centered = codes.astype(np.int64) - grid.zero_point
    ratio = grid.scale / out.scale
    return np.where(centered >= 0, requantize(centered, ratio, out), requantize(centered, slope * ratio, out))


def table(function: Callable[[np.ndarray], np.ndarray], *, grid: Grid, out: Grid) -> np.ndarray:
    """The code of function(x) for each code of x, from `grid.low` on: 2**bits entries.

    Built once, in float64; nearest code, halves up. This is how any function of one number is computed in integers.
    """
    return out.nearest(function(grid.values(grid.codes)))


def look_up(codes: np.ndarray, entries: np.ndarray, *, low: int) -> np.ndarray:
    """The entries of a table for codes whose first is `low`."""
    return entries[codes.astype(np.int64) - low]
