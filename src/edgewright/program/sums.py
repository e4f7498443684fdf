"""What the 32-bit sums of a layer stand for: their scale, codes and values, and float32 values of codes."""

from __future__ import annotations

import numpy as np

from ..reference.integer import Grid, fixed_point, requantize, tflm
from .types import Operation

REQUANTIZE = {"single": requantize, "tflm": tflm.requantize}
"""Rounding -> how sums become codes."""


def sum_scale(x: Grid, weight_scale_O: np.ndarray) -> np.ndarray:
    """What one unit of a layer's sums is worth, float64, per output channel.

    Over the scale of the output's grid it is the real multiplier that `fixed_point` turns into integers.
    """
    return np.asarray(x.scale * np.asarray(weight_scale_O, dtype=np.float64))


def sum_multipliers(operation: Operation, *, x: Grid, out: Grid, rounding: str) -> np.ndarray:
    """The real multiplier that brings a layer's sums to the scale of its output, float64, per output channel."""
    as_float32 = rounding == "tflm" and operation.kind == "linear"
    scale_of = tflm.linear_scale if as_float32 else sum_scale
    return np.asarray(scale_of(x, operation.arrays["weight_scale_O"]) / out.scale)


def sum_limits(operation: Operation, *, x: Grid, out: Grid | None, rounding: str) -> np.ndarray:
    """The largest sum that each output channel of a layer can have, int64: `2**31 - 1`, less where it is raised first.

    The least is one step further from 0.
    """
    limits = np.full(len(operation.arrays["bias_O"]), 2**31 - 1, np.int64)
    if rounding == "tflm" and out is not None:
        reals = sum_multipliers(operation, x=x, out=out, rounding=rounding)
        limits >>= [max(-fixed_point(float(real))[1], 0) for real in reals]
    return limits


def sum_codes(operation: Operation, acc: np.ndarray, *, x: Grid, out: Grid, rounding: str, axis: int) -> np.ndarray:
    """The codes of a layer's sums, whose output channels lie along `axis`."""
    multipliers = sum_multipliers(operation, x=x, out=out, rounding=rounding)
    return REQUANTIZE[rounding](acc, multipliers, out, axis=axis)


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
