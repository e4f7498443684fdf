"""Weight sharing whose values learn from a teacher: `Cluster` is given the loss of `Distill`."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..compress.cluster import CENTROIDS, Cluster
from ..compress.distill import Distill
from ..compress.distill.loss import DistillLoss
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
