"""Losses of classification. Axes: B samples, K classes."""

from __future__ import annotations

import torch
from torch.nn import functional


def cross_entropy(logits_BK: torch.Tensor, targets_B: torch.Tensor, *, label_smoothing: float = 0.0) -> torch.Tensor:
    """Mean over the batch of -log softmax at the target, in nats.

    Args:
        logits_BK: any real numbers.
        targets_B: class ids in [0, K).
        label_smoothing: share of the target's mass spread evenly over all K classes (Szegedy 2016).
    """
    return functional.cross_entropy(logits_BK, targets_B, label_smoothing=label_smoothing)
