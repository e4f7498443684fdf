"""Pooling: the largest code needs no arithmetic, a mean is a sum with the division in the multiplier."""

from __future__ import annotations

import numpy as np

from .fixed_point import as_int32, requantize
from .grid import Grid
from .windows import Window


def max_pool2d(x_BCHW: np.ndarray, window: Window) -> np.ndarray:
    """The largest code of each window, on the grid of x. What is padded never wins."""
    codes = x_BCHW.astype(np.int64)
    taps = [each for _, _, each in window.taps(codes, fill=np.iinfo(np.int64).min)]
    return np.max(taps, axis=0)


def average(x: np.ndarray, *, grid: Grid, out: Grid, axes: tuple[int, ...], keepdims: bool = True) -> np.ndarray:
    """Codes of the mean over whole axes; over rows and columns it is the global average pooling."""
    count = int(np.prod([x.shape[axis] for axis in axes]))
    sums = (x.astype(np.int64) - grid.zero_point).sum(axes, keepdims=keepdims)
    return requantize(as_int32(sums), grid.scale / (out.scale * count), out)


def average_pool2d(
    x_BCHW: np.ndarray,
    window: Window,
    *,
    grid: Grid,
    out: Grid,
    count_include_pad: bool = True,
    divisor: int | None = None,
) -> np.ndarray:
    """Codes of the mean of each window; what is padded has the value 0.

    Args:
        count_include_pad: divide by the padded places as well (never by those that only `ceil` reaches).
        divisor: what to divide by instead of the number of places.
    """
    centered = x_BCHW.astype(np.int64) - grid.zero_point
    sums = as_int32(np.sum([each for _, _, each in window.taps(centered, fill=0)], axis=0))
    counts_HW = np.broadcast_to(divisor, sums.shape[2:]) if divisor else counts(x_BCHW, window, count_include_pad)
    codes = np.empty_like(sums)
    for count in np.unique(counts_HW):  # one multiplier for the inside, and one for each kind of edge
        places = counts_HW == count
        codes[:, :, places] = requantize(sums[:, :, places], grid.scale / (out.scale * float(count)), out)
    return codes


def counts(x_BCHW: np.ndarray, window: Window, include_padding: bool) -> np.ndarray:
    """How many places each window averages, (H', W')."""
    ones = np.ones((1, 1, *x_BCHW.shape[2:]), dtype=np.int64)
    ones = np.pad(ones, ((0, 0), (0, 0), *window.padding), constant_values=int(include_padding))
    inside = Window(kernel=window.kernel, stride=window.stride, dilation=window.dilation, ceil=window.ceil)
    sizes = tuple(window.count(axis, x_BCHW.shape[2 + axis]) for axis in (0, 1))
    found = np.sum([each for _, _, each in inside.taps(ones, fill=0)], axis=0)[0, 0]
    return found[: sizes[0], : sizes[1]]
