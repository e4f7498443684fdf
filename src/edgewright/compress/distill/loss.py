"""The loss of distillation, in the form that `train_weights` takes."""

from __future__ import annotations

import torch
from torch import fx, nn

from ...data import Data
from ...losses import soft_target_loss
from ...train import fastest_layout, weights_digest
from ...types import Task
from .taps import map_distance, shared_maps, tapped


class DistillLoss:
    """alpha * task loss + (1 - alpha) * T^2 * KL + features * distance of the shared feature maps.

    The teacher sees the same augmented images, in eval mode and without gradients.
    """

    def __init__(
        self,
        *,
        student: nn.Module,
        teacher: nn.Module,
        task: Task,
        data: Data,
        alpha: float,
        temperature: float,
        features: float = 0.0,
    ) -> None:
        self.task, self.alpha, self.temperature, self.features = task, alpha, temperature, features
        self.maps = shared_maps(student, teacher) if features else ()
        copied, self.layout = fastest_layout(teacher, data.preprocess.shape)
        self.teacher = self._view(copied.eval())
        self.name = f"distill {alpha} {temperature} {features} {self.maps} teacher={weights_digest(teacher)}"
        self._viewed: tuple[nn.Module, nn.Module] | None = None  # the student last seen, and the view of it

    def __call__(self, net: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if self._viewed is None or self._viewed[0] is not net:
            self._viewed = (net, self._view(net))
        student_BK, student_maps = self._answer(self._viewed[1], inputs)
        loss = self.alpha * self.task.loss(student_BK, targets)
        if self.alpha == 1 and not self.maps:
            return loss
        with torch.no_grad():
            teacher_BK, teacher_maps = self._answer(self.teacher, inputs.contiguous(memory_format=self.layout))
        if self.alpha < 1:
            loss = loss + (1 - self.alpha) * soft_target_loss(student_BK, teacher_BK, temperature=self.temperature)
        if self.maps:
            loss = loss + self.features * map_distance(student_maps, teacher_maps)
        return loss

    def _view(self, net: nn.Module) -> nn.Module:
        return tapped(net, self.maps) if self.maps and isinstance(net, fx.GraphModule) else net

    def _answer(self, view: nn.Module, inputs: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        if not self.maps:
            return view(inputs).float(), []
        outputs, maps = view(inputs)
        return outputs.float(), maps
