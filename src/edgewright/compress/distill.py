"""Distillation: a smaller model learns from the answers of the larger one, and from the labels.

Source: Hinton, Vinyals, Dean 2015, Distilling the Knowledge in a Neural Network.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import nn

from ..data import Data
from ..errors import ConfigError
from ..losses import soft_target_loss
from ..progress import SILENT, Progress
from ..train import Train, fastest_layout, stage_result, train_weights, weights_digest
from ..types import Job, StageResult, Task


@dataclass(frozen=True, kw_only=True)
class Distill:
    """Train the job's model to give its teacher's answers: `alpha * task loss + (1 - alpha) * T^2 * KL`.

    Args:
        alpha: weight of the labels (the hard term), in [0, 1]; the rest weighs the teacher (the soft term).
        temperature: T; both sides are divided by it before the softmax, in the soft term only.
        train: how the weights are trained.
    """

    alpha: float = 0.1
    temperature: float = 4.0
    train: Train = field(default_factory=Train)

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise ConfigError(f"Distill.alpha is a fraction in [0, 1], got {self.alpha}.")
        if not self.temperature > 0:
            raise ConfigError(f"Distill.temperature must be greater than 0, got {self.temperature}.")

    def run(self, job: Job, *, progress: Progress = SILENT) -> StageResult:
        """The job's model with weights learnt from `job.teacher`; `workdir` holds the checkpoint.

        `cost` is None: training changes no shape, so the model costs what it did.

        Raises:
            ConfigError: the job has no teacher.
            ShapeError: teacher and student have different classes.
        """
        if job.teacher is None:
            raise ConfigError("Distill needs a teacher, and the job has none: set Job.teacher (--teacher).")
        loss = DistillLoss(
            teacher=job.teacher, task=job.task, data=job.data, alpha=self.alpha, temperature=self.temperature
        )
        outcome = train_weights(
            job.model,
            task=job.task,
            data=job.data,
            settings=self.train,
            seed=job.seed,
            checkpoint=job.workdir,
            loss=loss,
            progress=progress,
        )
        return stage_result(outcome, job)


class DistillLoss:
    """A loss for `train_weights`; the teacher sees the same augmented images, in eval mode and without gradients."""

    def __init__(self, *, teacher: nn.Module, task: Task, data: Data, alpha: float, temperature: float) -> None:
        self.task, self.alpha, self.temperature = task, alpha, temperature
        copied, self.layout = fastest_layout(teacher, data.preprocess.shape)
        self.teacher = copied.eval()
        self.name = f"distill alpha={alpha} temperature={temperature} teacher={weights_digest(teacher)}"

    def __call__(self, net: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        student_BK = net(inputs).float()
        hard = self.task.loss(student_BK, targets)
        if self.alpha == 1:
            return hard
        with torch.no_grad():
            teacher_BK = self.teacher(inputs.contiguous(memory_format=self.layout)).float()
        soft = soft_target_loss(student_BK, teacher_BK, temperature=self.temperature)
        return self.alpha * hard + (1 - self.alpha) * soft
