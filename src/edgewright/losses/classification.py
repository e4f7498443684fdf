"""Losses of classification: one class per sample. Axes: B samples, K classes.

Targets are class ids, or probabilities where a sample belongs to several classes in part (mixed images).
"""

from __future__ import annotations

import torch
from torch.nn import functional

from ..errors import ConfigError, ShapeError


def cross_entropy(
    logits_BK: torch.Tensor,
    targets: torch.Tensor,
    *,
    label_smoothing: float = 0.0,
    weights_K: torch.Tensor | None = None,
) -> torch.Tensor:
    """Mean over the batch of -sum_k target_k log softmax_k, in nats.

    Args:
        logits_BK: any real numbers.
        targets: class ids in [0, K), int64 (B,); or probabilities, float (B, K).
        label_smoothing: share of the target's mass spread evenly over all K classes (Szegedy 2016).
        weights_K: of each class; with class ids the mean is then over the weights, as PyTorch has it.

    Raises:
        ShapeError: targets of another shape.
    """
    check_targets(logits_BK, targets)
    return functional.cross_entropy(logits_BK, targets, weight=weights_K, label_smoothing=label_smoothing)


def focal_loss(
    logits_BK: torch.Tensor,
    targets: torch.Tensor,
    *,
    gamma: float = 2.0,
    weights_K: torch.Tensor | None = None,
) -> torch.Tensor:
    """Mean over the batch of -sum_k target_k weight_k (1 - p_k)^gamma log p_k, p the softmax, in nats.

    The factor takes weight from samples that are told already: at p = 0.9 and gamma 2, a hundredth is left.

    Args:
        logits_BK: any real numbers.
        targets: class ids in [0, K), int64 (B,); or probabilities, float (B, K).
        gamma: 0 or more; 0 is cross-entropy.
        weights_K: of each class (alpha in the paper).

    Raises:
        ConfigError: a negative gamma.
        ShapeError: targets of another shape.

    Source: Lin 2017, Focal Loss for Dense Object Detection, section 3; its form for many classes.
    """
    check_gamma(gamma)
    log_p_BK = functional.log_softmax(logits_BK, dim=1)
    terms_BK = target_shares(logits_BK, targets) * log_p_BK * _unsure(log_p_BK) ** gamma
    if weights_K is not None:
        terms_BK = terms_BK * weights_K
    return -terms_BK.sum(dim=1).mean()


def target_shares(logits_BK: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The targets as shares (B, K) in the logits' type: class ids become rows with a single 1.

    Raises:
        ShapeError: targets that are neither.
    """
    check_targets(logits_BK, targets)
    if targets.dim() == 2:
        return targets.to(logits_BK.dtype)
    return functional.one_hot(targets, logits_BK.shape[1]).to(logits_BK.dtype)


def check_targets(logits_BK: torch.Tensor, targets: torch.Tensor) -> None:
    """Refuse targets that are neither integer ids (B,) nor floating shares (B, K).

    Raises:
        ShapeError: says what was given.
    """
    ids = targets.dim() == 1 and not targets.is_floating_point() and len(targets) == len(logits_BK)
    shares = targets.shape == logits_BK.shape and targets.is_floating_point()
    if logits_BK.dim() != 2 or not (ids or shares):
        raise ShapeError(
            f"Logits of shape {tuple(logits_BK.shape)} go with class ids (B,) or probabilities (B, K), got "
            f"{targets.dtype} targets of shape {tuple(targets.shape)}."
        )


def _unsure(log_p_BK: torch.Tensor) -> torch.Tensor:
    """1 - p, never quite 0: powers below 1 have no gradient there."""
    return (-torch.expm1(log_p_BK)).clamp_min(torch.finfo(log_p_BK.dtype).tiny)


def check_gamma(gamma: float) -> None:
    """Refuse a negative power.

    Raises:
        ConfigError: names it.
    """
    if not gamma >= 0:
        raise ConfigError(f"The gamma of a focal loss is 0 or greater, got {gamma}: 0 is cross-entropy, 2 is usual.")
