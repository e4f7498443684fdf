"""Losses of yes-or-no questions, several of which may be true of one sample. Axes: B samples, K labels."""

from __future__ import annotations

import torch
from torch.nn import functional

from ..errors import ShapeError
from .classification import check_gamma


def binary_cross_entropy(
    logits_BK: torch.Tensor,
    targets_BK: torch.Tensor,
    *,
    positive_weights_K: torch.Tensor | None = None,
    label_smoothing: float = 0.0,
) -> torch.Tensor:
    """Mean over samples and labels of `max(z, 0) - z y + log(1 + e^-|z|)`, in nats: finite for every finite logit.

    Each label is judged by itself, so any number of them may be true of one sample.

    Args:
        logits_BK: any real numbers; any shape that the targets have too.
        targets_BK: 0, 1, or a probability.
        positive_weights_K: weight of the term of a true label, where they are rare.
        label_smoothing: share s of each target replaced by 1/2, so that 0 becomes s/2 and 1 becomes 1 - s/2.

    Raises:
        ShapeError: logits and targets differ in shape.
    """
    targets_BK = _same_shape(logits_BK, targets_BK)
    targets_BK = targets_BK * (1 - label_smoothing) + label_smoothing / 2
    return functional.binary_cross_entropy_with_logits(logits_BK, targets_BK, pos_weight=positive_weights_K)


def sigmoid_focal_loss(
    logits_BK: torch.Tensor, targets_BK: torch.Tensor, *, gamma: float = 2.0, alpha: float | None = 0.25
) -> torch.Tensor:
    """Mean over samples and labels of -y a (1-p)^gamma log p - (1-y)(1-a) p^gamma log(1-p), p the sigmoid, in nats.

    The powers are taken of logarithms, so the gradient is finite for every logit and gamma (torchvision's is not, for
    gamma below 1), and targets may be probabilities.

    Args:
        logits_BK: any real numbers; any shape that the targets have too.
        targets_BK: 0, 1, or a probability.
        gamma: 0 or more; 0 is binary cross-entropy.
        alpha: weight of the true labels in (0, 1), 1 - alpha of the false ones; None weighs neither.

    Raises:
        ConfigError: a negative gamma.
        ShapeError: logits and targets differ in shape.

    Source: Lin 2017, Focal Loss for Dense Object Detection, section 3.
    """
    check_gamma(gamma)
    targets_BK = _same_shape(logits_BK, targets_BK)
    log_yes, log_no = functional.logsigmoid(logits_BK), functional.logsigmoid(-logits_BK)
    yes = targets_BK * (gamma * log_no).exp() * log_yes
    no = (1 - targets_BK) * (gamma * log_yes).exp() * log_no
    return -(yes + no).mean() if alpha is None else -(alpha * yes + (1 - alpha) * no).mean()


def _same_shape(logits_BK: torch.Tensor, targets_BK: torch.Tensor) -> torch.Tensor:
    """The targets in the logits' type."""
    if logits_BK.shape != targets_BK.shape:
        raise ShapeError(
            f"The logits have shape {tuple(logits_BK.shape)} and the targets {tuple(targets_BK.shape)}: each label "
            "needs a target of its own, 0 or 1."
        )
    return targets_BK.to(logits_BK.dtype)
