"""`Distill`: the settings of distillation, which are also the stage.

Source: Hinton, Vinyals, Dean 2015, Distilling the Knowledge in a Neural Network.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from ...errors import ConfigError
from ...progress import SILENT, Progress
from ...train import Train, stage_result, train_weights
from ...types import Job, StageResult
from .loss import DistillLoss


@dataclass(frozen=True, kw_only=True)
class Distill:
    """Train the job's model to imitate its teacher: `alpha * task loss + (1 - alpha) * T^2 * KL + features * maps`.

    Args:
        alpha: weight of the labels (the hard term), in [0, 1]; the rest weighs the teacher's answers (the soft term).
        temperature: T; both sides are divided by it before the softmax, in the soft term only.
        features: weight of the distance between feature maps that both models make in the same shape, per resolution
            the last one, in units of the teacher map's variance; 0 looks at the answers only.
        train: how the weights are trained.
    """

    alpha: float = 0.1
    temperature: float = 4.0
    features: float = 0.0
    train: Train = field(default_factory=Train)

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise ConfigError(f"Distill.alpha is a fraction in [0, 1], got {self.alpha}.")
        if not 0 < self.temperature < math.inf:
            raise ConfigError(f"Distill.temperature must be greater than 0, got {self.temperature}.")
        if not 0 <= self.features < math.inf:
            raise ConfigError(f"Distill.features must be 0 or greater, got {self.features}.")

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
            student=job.model,
            teacher=job.teacher,
            task=job.task,
            data=job.data,
            alpha=self.alpha,
            temperature=self.temperature,
            features=self.features,
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
        return self._with_maps(stage_result(outcome, job), loss)

    def _with_maps(self, result: StageResult, loss: DistillLoss) -> StageResult:
        """Say which feature maps were compared: the number that was asked for may have met none."""
        if not self.features:
            return result
        note = f"Feature maps compared: {', '.join(loss.maps) or 'none, the models share no shape'}."
        details = {**result.details, "feature_maps": list(loss.maps)}
        return replace(result, notes=(*result.notes, note), details=details)
