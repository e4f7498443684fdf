"""Losses of a difference d = prediction - target, one number each, with their slopes.

    squared      d²: slope 2 d                                  the mean is best under it; one outlier can rule
    absolute     |d|: slope sign(d)                             the median is best under it; no slope to slow down by
    smooth L1    d²/(2 b) for |d| < b, else |d| - b/2           both: value and slope meet at |d| = b
    Huber        b · smooth L1
    Charbonnier  sqrt(d² + e²)                                  smooth everywhere, |d| far away
    log-cosh     log cosh d                                     the same, without a setting

`REGRESSION` holds them with their usual settings. Losses are means over all numbers, so a gradient is slope / n.
Sources: Huber 1964; Girshick 2015, Fast R-CNN (smooth L1); Charbonnier 1994.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

Function = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Loss:
    """Value and slope, as functions of the difference."""

    value: Function
    slope: Function

    def mean(self, predictions: np.ndarray, targets: np.ndarray) -> float:
        """Over all numbers."""
        return float(self.value(predictions - targets).mean())

    def gradient(self, predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Of the mean, by the predictions."""
        return self.slope(predictions - targets) / np.size(predictions)


def smooth_l1(beta: float = 1.0) -> Loss:
    """Squared up to `beta` on either side of 0, straight beyond: |d| decides, not d."""
    return Loss(
        value=lambda d: np.where(np.abs(d) < beta, d**2 / (2 * beta), np.abs(d) - beta / 2),
        slope=lambda d: np.clip(d / beta, -1, 1),
    )


def huber(delta: float = 1.0) -> Loss:
    """delta · smooth L1."""
    inner = smooth_l1(delta)
    return Loss(value=lambda d: delta * inner.value(d), slope=lambda d: delta * inner.slope(d))


def charbonnier(eps: float = 1e-3) -> Loss:
    """sqrt(d² + eps²)."""
    return Loss(value=lambda d: np.sqrt(d**2 + eps**2), slope=lambda d: d / np.sqrt(d**2 + eps**2))


REGRESSION: Mapping[str, Loss] = {
    "squared": Loss(value=lambda d: d**2, slope=lambda d: 2 * d),
    "absolute": Loss(value=np.abs, slope=np.sign),
    "smooth-l1": smooth_l1(),
    "huber": huber(),
    "charbonnier": charbonnier(),
    "log-cosh": Loss(value=lambda d: np.abs(d) + np.log1p(np.exp(-2 * np.abs(d))) - math.log(2), slope=np.tanh),
}
