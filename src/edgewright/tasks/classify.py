"""Classification: one class per image. Axes: B samples, K classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from ..errors import ConfigError, ModelError
from ..losses import cross_entropy
from ..metrics import Accuracy


@dataclass(frozen=True, kw_only=True)
class Classify:
    """Cross-entropy to train, the largest logit to decide, top-1 accuracy to judge. A model gives logits (B, K)."""

    num_classes: int
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        if self.num_classes < 2:
            raise ConfigError(f"Classify.num_classes must be at least 2, got {self.num_classes}.")
        if not 0 <= self.label_smoothing < 1:
            raise ConfigError(f"Classify.label_smoothing is a fraction in [0, 1), got {self.label_smoothing}.")

    @property
    def metric_name(self) -> str:
        return "top-1"

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return cross_entropy(outputs, targets, label_smoothing=self.label_smoothing)

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
