"""Stages that train a net of their own form, taught: each is given the loss of `Distill`."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import fx

from ..compress.cluster import CENTROIDS, Cluster
from ..compress.distill import Distill
from ..compress.distill.loss import DistillLoss
from ..compress.quantize import Quantize
from ..progress import SILENT, Progress
from ..types import Job, StageResult


@dataclass(frozen=True, kw_only=True)
class TaughtCluster:
    """`Cluster`, fine-tuned on the answers of `job.teacher`, or of the model as it came where the job has none.

    Args:
        cluster: how weights are shared; its `train` says how the values are trained.
        distill: weight of the labels and temperature; its own `train` is not used.
    """

    cluster: Cluster = field(default_factory=lambda: Cluster(train=CENTROIDS))
    distill: Distill = field(default_factory=Distill)

    def run(self, job: Job, *, progress: Progress = SILENT) -> StageResult:
        """The job's model with shared weights; errors are those of `Cluster` and of `Distill`."""
        loss = DistillLoss(
            self.distill, student=job.model, teacher=job.teacher or job.model, task=job.task, data=job.data,
            seed=job.seed,
        )  # fmt: skip
        return self.cluster.run(job, progress=progress, loss=loss)


@dataclass(frozen=True, kw_only=True)
class TaughtQuantize:
    """`Quantize`, whose training through the rounding imitates `job.teacher`, or the model as it came.

    Feature maps of the student are those behind the rounding.

    Args:
        quantize: how; its `qat` says how the weights are trained, and its own alpha and temperature are not used.
        distill: what is imitated, and how much; its own `train` is not used.
    """

    quantize: Quantize
    distill: Distill = field(default_factory=Distill)

    def run(self, job: Job, *, progress: Progress = SILENT) -> StageResult:
        """The simulation of the job's model in integers; errors are those of `Quantize` and of `Distill`."""
        teacher = job.teacher or job.model

        def lesson(net: fx.GraphModule) -> DistillLoss:
            return DistillLoss(self.distill, student=net, teacher=teacher, task=job.task, data=job.data, seed=job.seed)

        return self.quantize.run(job, progress=progress, lesson=lesson)
