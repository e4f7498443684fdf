"""Pooling: the largest code needs no arithmetic, a mean is a sum with the division in the multiplier."""

from __future__ import annotations

import numpy as np

from .. import pooling
from ..windows import Window
from .fixed_point import as_int32, requantize
from .grid import Grid


def max_pool2d(x_BCHW: np.ndarray, window: Window) -> np.ndarray:
    """The largest code of each window, on the grid of x. What is padded never wins."""
    return pooling.max_pool2d(x_BCHW.astype(np.int64), window)


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
    counts_HW = pooling.counts(x_BCHW, window, count_padding=count_include_pad)
    if divisor:
        counts_HW = np.full_like(counts_HW, divisor)
    codes = np.empty_like(sums)
    for count in np.unique(counts_HW):  # one multiplier for the inside, and one for each kind of edge
        places = counts_HW == count
        codes[:, :, places] = requantize(sums[:, :, places], grid.scale / (out.scale * float(count)), out)
    return codes
