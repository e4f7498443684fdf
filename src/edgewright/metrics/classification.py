"""Metrics of classification: sums first, the number last.

Axes: B samples, K classes. Decisions and targets are class ids, as tensors or arrays.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import ConfigError, ShapeError


class Accuracy:
    """Top-1 accuracy in points (0 to 100, higher is better); NaN before the first sample."""

    def __init__(self) -> None:
        self.num_correct = 0
        self.num_samples = 0

    def update(self, decisions_B: Any, targets_B: Any) -> None:
        """Count one batch.

        Raises:
            ShapeError: not one target per decision.
        """
        decisions, targets = _ids(decisions_B, targets_B)
        self.num_correct += int((decisions == targets).sum())
        self.num_samples += len(targets)

    def compute(self) -> float:
        return 100 * self.num_correct / self.num_samples if self.num_samples else math.nan


class ConfusionMatrix:
    """Counts int64 (K, K): row = true class, column = decision. (Tools differ in this orientation.)"""

    def __init__(self, num_classes: int) -> None:
        if num_classes < 2:
            raise ConfigError(f"A confusion matrix needs at least 2 classes, got {num_classes}.")
        self.counts_KK = np.zeros((num_classes, num_classes), dtype=np.int64)

    def update(self, decisions_B: Any, targets_B: Any) -> None:
        """Count one batch.

        Raises:
            ShapeError: not one target per decision, or an id outside [0, num_classes).
        """
        decisions, targets = _ids(decisions_B, targets_B)
        num_classes = len(self.counts_KK)
        both = np.concatenate([decisions, targets])
        if both.size and not (both.min() >= 0 and both.max() < num_classes):
            raise ShapeError(f"Class ids run from {both.min()} to {both.max()}, expected 0 to {num_classes - 1}.")
        counts = np.bincount(targets * num_classes + decisions, minlength=num_classes**2)
        self.counts_KK += counts.reshape(num_classes, num_classes)

    def compute(self) -> np.ndarray:
        return self.counts_KK.copy()


def paired_std_error(right_before_B: np.ndarray, right_after_B: np.ndarray) -> float:
    """Standard error of the change of accuracy, in points, of two models on the same B samples.

    Samples on which both go right, or both wrong, say nothing about the change.

    Args:
        right_before_B: whether each decision of the first model is right, bool.
        right_after_B: the same of the second.

    Source: McNemar 1947, Psychometrika 12.
    """
    change_B = right_after_B.astype(float) - right_before_B.astype(float)
    return float(100 * change_B.std() / np.sqrt(len(change_B)))


def _ids(decisions_B: Any, targets_B: Any) -> tuple[np.ndarray, np.ndarray]:
    decisions, targets = np.asarray(decisions_B), np.asarray(targets_B)
    if decisions.shape != targets.shape or decisions.ndim != 1:
        raise ShapeError(f"Decisions have shape {decisions.shape} and targets {targets.shape}, expected (B,) for both.")
    return decisions, targets
