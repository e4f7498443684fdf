"""What stays the same through a training run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import nn

from ..data import Data
from ..errors import ConfigError
from ..tasks import device_of
from ..types import Task
from .team import ALONE, Team

if TYPE_CHECKING:
    from .settings import Train

YES_OR_NO = ("bce", "sigmoid-focal")  # losses of `Classify` whose targets are no shares that sum to 1
Loss = Callable[[nn.Module, torch.Tensor, torch.Tensor], torch.Tensor]  # (net, inputs, targets) to a scalar


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """The task, the data, the settings, and what the caller of `train_weights` adds to them."""

    task: Task
    data: Data
    settings: Train
    seed: int
    loss: Loss
    num_steps: int  # per epoch
    device: torch.device  # where the copy learns and is scored
    before_epoch: Callable[[nn.Module, int], None] | None = None
    after_step: Callable[[nn.Module, int], None] | None = None
    zeros: dict[str, torch.Tensor] = field(default_factory=dict)  # weights that stay 0
    team: Team = ALONE

    def __post_init__(self) -> None:
        """Refuse targets that would be smoothed twice, or in a form that the task's loss does not have.

        Raises:
            ConfigError: names the two settings.
        """
        share, kind = self.settings.label_smoothing, type(self.task).__name__
        if share and (other := getattr(self.task, "label_smoothing", 0)):
            raise ConfigError(
                f"Train.label_smoothing={share} and {kind}.label_smoothing={other} would add up: set one of them to 0."
            )
        loss = getattr(self.task, "loss_name", None)
        if share and loss in YES_OR_NO:
            raise ConfigError(
                f"Train.label_smoothing={share} spreads a share over all classes, and '{loss}' asks yes or no for each "
                f"class: set {kind}.label_smoothing instead (--label-smoothing)."
            )


def learning_device(net: nn.Module, accelerator: str | None) -> torch.device:
    """The device of this name; None, and the default "cpu" of a job, are where the parameters of `net` are."""
    return device_of(net) if accelerator in (None, "cpu") else torch.device(accelerator)


@dataclass(frozen=True)
class TaskLoss:
    """The task's own loss, on float32 outputs whatever the layers computed in."""

    task: Task

    def __call__(self, net: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return self.task.loss(net(inputs).float(), targets)
