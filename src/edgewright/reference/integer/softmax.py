"""Softmax in integers.

e    = round(2**30 * exp(-scale * (q_max - q)))      a table, one entry per difference of two codes
p    = (e * 2**30 + sum(e) // 2) // sum(e)           64 bits, the probability in units of 2**-30
q_y  = requantize(p)
"""

from __future__ import annotations

import numpy as np

from .fixed_point import requantize
from .grid import Grid

ONE = 2**30


def softmax(codes: np.ndarray, *, grid: Grid, out: Grid, axis: int = -1) -> np.ndarray:
    """Codes of the softmax along an axis of less than 2**31 values. The zero point of x does not matter."""
    differences = np.arange(grid.high - grid.low + 1)
    entries = np.floor(ONE * np.exp(-grid.scale * differences) + 0.5).astype(np.int64)
    values = codes.astype(np.int64)
    exponentials = entries[values.max(axis, keepdims=True) - values]
    total = exponentials.sum(axis, keepdims=True)
    return requantize((exponentials * ONE + total // 2) // total, 1.0 / (out.scale * ONE), out)
