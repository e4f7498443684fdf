"""`Distill`: the settings of distillation, which are also the stage.

Source: Hinton, Vinyals, Dean 2015, Distilling the Knowledge in a Neural Network.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

from ...errors import ConfigError
from ...progress import SILENT, Progress
from ...train import Train, stage_result, train_weights
from ...train.companion import accompanied, parted
from ...types import Job, StageResult
from .loss import DistillLoss

WEIGHTS = ("soft", "decoupled", "features", "hints", "attention", "relational")  # of the terms; keys of `terms.TERMS`


@dataclass(frozen=True, kw_only=True)
class Distill:
    """Train the job's model to imitate its teacher: `alpha * task loss + (1 - alpha) * T^2 * KL + other terms`.

    Args:
        alpha: weight of the labels (the hard term), in [0, 1]; the rest weighs the teacher's answers (the soft term).
        temperature: T; both sides are divided by it before the softmax, in the terms of answers only.
        features: weight of the distance between feature maps that both models make in the same shape, per resolution
            the last one, in units of the teacher map's variance; 0 looks at the answers only.
        soft: weight of the soft term; None is 1 - alpha.
        decoupled: weight of the answers in two parts (Zhao 2022), beside or in place of the soft term.
        non_target: what the part among the other classes weighs in it.
        hints: weight of the distance between the ends of the stages of both models, the student's through a 1x1
            convolution that is learnt with it and left behind (Romero 2015), in units of the teacher map's variance.
        attention: weight of the distance between the attention maps of the same ends (Zagoruyko 2017).
        relational: weight of the difference of distances and angles between the samples of a batch (Park 2019).
        train: how the weights are trained.
    """

    alpha: float = 0.1
    temperature: float = 4.0
    features: float = 0.0
    soft: float | None = None
    decoupled: float = 0.0
    non_target: float = 2.0
    hints: float = 0.0
    attention: float = 0.0
    relational: float = 0.0
    train: Train = field(default_factory=Train)

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise ConfigError(f"Distill.alpha is a fraction in [0, 1], got {self.alpha}.")
        if not 0 < self.temperature < math.inf:
            raise ConfigError(f"Distill.temperature must be greater than 0, got {self.temperature}.")
        for name in (*WEIGHTS, "non_target"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise ConfigError(f"Distill.{name} must be 0 or greater, got {value}.")
        if not self.alpha and not self.weights:
            raise ConfigError("Distill weighs neither the labels nor anything of the teacher: set alpha or a term.")
        mixed = [name for name in ("label_smoothing", "mixup", "cutmix") if getattr(self.train, name)]
        if self.decoupled and mixed:
            raise ConfigError(
                f"Distill.decoupled needs one class id per image, and Train.{mixed[0]} makes shares of several classes "
                "of it: leave one out, or imitate soft answers."
            )

    @property
    def weights(self) -> dict[str, float]:
        """The weight of every term that counts."""
        all_of_them = {name: getattr(self, name) for name in WEIGHTS}
        all_of_them["soft"] = 1 - self.alpha if self.soft is None else self.soft
        return {name: weight for name, weight in all_of_them.items() if weight}

    def run(self, job: Job, *, progress: Progress = SILENT) -> StageResult:
        """The job's model with weights learnt from `job.teacher`; `workdir` holds the checkpoint.

        `cost` is None: training changes no shape, so the model costs what it did.

        Raises:
            ConfigError: the job has no teacher.
            ShapeError: teacher and student have different classes.
            UnsupportedError: feature maps are to be compared, and one of the two shows none.
        """
        if job.teacher is None:
            raise ConfigError("Distill needs a teacher, and the job has none: set Job.teacher (--teacher).")
        loss = DistillLoss(self, student=job.model, teacher=job.teacher, task=job.task, data=job.data, seed=job.seed)
        outcome = train_weights(
            accompanied(job.model, loss),
            task=job.task,
            data=job.data,
            settings=self.train,
            seed=job.seed,
            checkpoint=job.workdir,
            loss=loss,
            accelerator=job.accelerator,
            progress=progress,
        )
        return self._told(stage_result(replace(outcome, net=parted(outcome.net)[0]), job), loss)

    def _told(self, result: StageResult, loss: DistillLoss) -> StageResult:
        """Say which feature maps were compared: the number that was asked for may have met none."""
        notes: list[str] = []
        found: dict[str, Any] = {}
        if self.features:
            notes += [f"Feature maps compared: {', '.join(loss.look.shared) or 'none, the models share no shape'}."]
            found["feature_maps"] = list(loss.look.shared)
        if loss.look.pairs:
            found["pairs"] = [str(pair) for pair in loss.look.pairs]
            notes += [f"Compared at the ends of the stages: {'; '.join(found['pairs'])}."]
        if self.relational:
            found["embeddings"] = list(loss.look.ends or ()) or None
            where = " and ".join(loss.look.ends) + ", averaged" if loss.look.ends else "the answers"
            notes += [f"Relations between samples are those of {where}."]
        return replace(result, notes=(*result.notes, *notes), details={**result.details, **found})
