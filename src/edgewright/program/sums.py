"""What the 32-bit sums of a layer stand for: their scale, their values, and float32 values of codes."""

from __future__ import annotations

import numpy as np

from ..reference.integer import Grid


def sum_scale(x: Grid, weight_scale_O: np.ndarray) -> np.ndarray:
    """What one unit of a layer's sums is worth, float64, per output channel.

    Over the scale of the output's grid it is the real multiplier that `fixed_point` turns into integers.
    """
    return np.asarray(x.scale * np.asarray(weight_scale_O, dtype=np.float64))


def sum_values(acc: np.ndarray, scale: np.ndarray, *, axis: int) -> np.ndarray:
    """Sums as float32: one conversion and one multiplication in float32, which a small device can afford.

    Args:
        scale: one number, or one per channel along `axis`; rounded to float32 first.
    """
    shape = [1] * acc.ndim
    shape[axis] = -1
    return np.asarray(acc.astype(np.float32) * scale.astype(np.float32).reshape(shape))


def code_values(codes: np.ndarray, grid: Grid) -> np.ndarray:
    """What codes stand for, float32."""
    return np.asarray(grid.values(codes), dtype=np.float32)
