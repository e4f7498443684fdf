"""What the quantized net is trained on: the labels, and the answers of the float model."""

from __future__ import annotations

import json

import torch
from torch import nn

from ....data import Data
from ....errors import UnsupportedError
from ....losses import soft_target_loss
from ....train import fastest_layout, weights_digest
from ....types import Task, plain
from .settings import Qat


class QatLoss:
    """alpha * task loss + (1 - alpha) * T^2 * KL(float model || net), on the same augmented images.

    `name` tells the checkpoints of this training from those of others.
    """

    def __init__(self, settings: Qat, teacher: nn.Module, *, task: Task, data: Data) -> None:
        self.settings, self.task = settings, task
        copied, self.layout = fastest_layout(teacher, data.preprocess.shape)
        self.teacher = copied.eval()
        self.name = f"qat {json.dumps(plain(settings), sort_keys=True)} teacher={weights_digest(teacher)}"

    def __call__(self, net: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        alpha, outputs = self.settings.alpha, net(inputs)
        if alpha == 1:
            return self.task.loss(outputs, targets)
        if not isinstance(outputs, torch.Tensor):
            raise UnsupportedError(
                f"The model returns a {type(outputs).__name__}, and the answers of the float model are imitated for "
                "one tensor of class scores only: set Qat.alpha to 1."
            )
        with torch.no_grad():
            answers = self.teacher(inputs.contiguous(memory_format=self.layout))
        soft = soft_target_loss(outputs.float(), answers.float(), temperature=self.settings.temperature)
        return soft if alpha == 0 else alpha * self.task.loss(outputs.float(), targets) + (1 - alpha) * soft
