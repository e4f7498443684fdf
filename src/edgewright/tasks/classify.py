"""Classification: one class per image. Axes: B samples, K classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch

from ..errors import ConfigError, ModelError
from ..losses import binary_cross_entropy, cross_entropy, focal_loss, sigmoid_focal_loss, target_shares
from ..metrics import Accuracy

LossName = Literal["cross-entropy", "focal", "bce", "sigmoid-focal"]


@dataclass(frozen=True, kw_only=True)
class Classify:
    """A loss to train, the largest logit to decide, top-1 accuracy to judge. A model gives logits (B, K).

    Args:
        num_classes: K.
        label_smoothing: share of the target's mass that goes to the other answers.
        loss_name: "cross-entropy" of the softmax; "focal", the same with less weight on what is told already (Lin
            2017); "bce", one yes-or-no question per class (Wightman 2021, ResNet strikes back); "sigmoid-focal", the
            two together.
        focal_gamma: how much less; 0 is none.
    """

    num_classes: int
    label_smoothing: float = 0.0
    loss_name: LossName = "cross-entropy"
    focal_gamma: float = 2.0

    def __post_init__(self) -> None:
        if self.num_classes < 2:
            raise ConfigError(f"Classify.num_classes must be at least 2, got {self.num_classes}.")
        if not 0 <= self.label_smoothing < 1:
            raise ConfigError(f"Classify.label_smoothing is a fraction in [0, 1), got {self.label_smoothing}.")
        if self.loss_name not in LOSSES:
            raise ConfigError(f"Classify.loss_name is one of {', '.join(LOSSES)}, got '{self.loss_name}'.")
        if not self.focal_gamma >= 0:
            raise ConfigError(f"Classify.focal_gamma is 0 or greater, got {self.focal_gamma}.")

    @property
    def metric_name(self) -> str:
        return "top-1"

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Of logits (B, K) and class ids int64 (B,), or probabilities float (B, K) of images that are mixed."""
        return LOSSES[self.loss_name](self, outputs, targets)

    def decode(self, outputs: Any) -> torch.Tensor:
        """Class ids int64 (B,): the largest of the K outputs, the first of equals."""
        return torch.as_tensor(outputs).argmax(dim=1)

    def metric(self) -> Accuracy:
        return Accuracy()

    def check_outputs(self, outputs: Any, *, model_name: str) -> None:
        """Refuse what is not one tensor (B, num_classes).

        Raises:
            ModelError: says what the model gives instead.
        """
        if isinstance(outputs, (tuple, list, dict)):
            raise ModelError(
                f"{model_name} returns a {type(outputs).__name__} of {len(outputs)} values, expected one tensor "
                f"(batch, {self.num_classes}): wrap it so that it returns the class scores alone."
            )
        shape = getattr(outputs, "shape", None)
        if shape is None:
            got = type(outputs).__name__
            raise ModelError(f"{model_name} returns {got}, expected one tensor (batch, {self.num_classes}).")
        if len(shape) != 2 or shape[1] != self.num_classes:
            got = ", ".join(["batch", *(str(size) for size in shape[1:])])
            raise ModelError(
                f"{model_name} gives outputs of shape ({got}), and the data has {self.num_classes} classes: "
                f"expected (batch, {self.num_classes})."
            )


def _cross_entropy(task: Classify, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return cross_entropy(outputs, targets, label_smoothing=task.label_smoothing)


def _focal(task: Classify, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    if task.label_smoothing:
        shares_BK = target_shares(outputs, targets)
        targets = (1 - task.label_smoothing) * shares_BK + task.label_smoothing / task.num_classes
    return focal_loss(outputs, targets, gamma=task.focal_gamma)


def _bce(task: Classify, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    shares_BK = target_shares(outputs, targets)
    return binary_cross_entropy(outputs, shares_BK, label_smoothing=task.label_smoothing)


def _sigmoid_focal(task: Classify, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Without alpha: it would set true labels against false ones, and a class has one true label in K anyway."""
    shares_BK = target_shares(outputs, targets)
    smoothed_BK = (1 - task.label_smoothing) * shares_BK + task.label_smoothing / 2
    return sigmoid_focal_loss(outputs, smoothed_BK, gamma=task.focal_gamma, alpha=None)


LOSSES: Mapping[str, Callable[[Classify, torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "cross-entropy": _cross_entropy,
    "focal": _focal,
    "bce": _bce,
    "sigmoid-focal": _sigmoid_focal,
}
