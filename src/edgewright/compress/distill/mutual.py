"""`Mutual`: several untrained peers that teach each other, without a teacher.

Source: Zhang, Xiang, Hospedales, Lu 2018, Deep Mutual Learning. The paper updates one peer after the other; here all
take their step on the same answers, so that the order of the peers does not matter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import torch
from torch import nn

from ...errors import ConfigError
from ...losses import soft_target_loss
from ...progress import SILENT, Progress
from ...tasks import evaluate
from ...train import Train, TrainOutcome, stage_result, train_weights
from ...types import Job, StageResult, Task, plain
from .redraw import redrawn


class Peers(nn.Module):
    """Nets side by side. Its answer is theirs together: the logarithm of the mean of their probabilities."""

    def __init__(self, nets: list[nn.Module]) -> None:
        super().__init__()
        self.nets = nn.ModuleList(nets)

    @property
    def learners(self) -> tuple[str, ...]:
        """Paths of the nets: what settings by layer speak of."""
        return tuple(f"nets.{number}" for number in range(len(self.nets)))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        each_NBK = torch.stack([net(inputs).float().log_softmax(1) for net in self.nets])
        return torch.logsumexp(each_NBK, dim=0) - math.log(len(self.nets))


class MutualLoss:
    """Sum over the peers of: task loss + weight * mean over the others of T^2 KL(other || peer)."""

    def __init__(self, task: Task, *, weight: float, temperature: float) -> None:
        self.task, self.weight, self.temperature = task, weight, temperature
        self.name = f"mutual {weight} {temperature}"

    def __call__(self, peers: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        answers = [net(inputs).float() for net in peers.nets]  # type: ignore[union-attr]
        losses = []
        for number, own_BK in enumerate(answers):
            others = [each for index, each in enumerate(answers) if index != number]
            learnt = [soft_target_loss(own_BK, other_BK, temperature=self.temperature) for other_BK in others]
            losses.append(self.task.loss(own_BK, targets) + self.weight * torch.stack(learnt).mean())
        return torch.stack(losses).sum()


@dataclass(frozen=True, kw_only=True)
class Mutual:
    """Train the job's model among peers of its own kind, each on the labels and on the answers of all others.

    The peers are other draws of the job's untrained weights, and see the same images. The epoch that is kept is the
    one in which they score best together; the peer that scores best in it is the result.

    Args:
        peers: how many, the job's model among them.
        weight: of the other peers' answers beside the labels; 1 in the paper.
        temperature: of these answers; 1 in the paper.
        train: how all are trained.
    """

    peers: int = 2
    weight: float = 1.0
    temperature: float = 1.0
    train: Train = field(default_factory=Train)

    def __post_init__(self) -> None:
        if not isinstance(self.peers, int) or isinstance(self.peers, bool) or self.peers < 2:
            raise ConfigError(f"Mutual.peers is a whole number from 2, got {self.peers!r}.")
        if not 0 < self.weight < math.inf:
            raise ConfigError(f"Mutual.weight must be greater than 0, got {self.weight}.")
        if not 0 < self.temperature < math.inf:
            raise ConfigError(f"Mutual.temperature must be greater than 0, got {self.temperature}.")

    def run(self, job: Job, *, progress: Progress = SILENT) -> StageResult:
        """The peer that scores best on val; `workdir` holds the checkpoint of all.

        `details["peers"]` has the score of each and of all together.

        Raises:
            ModelError: the loss is no longer finite.
        """
        outcome = self.train_peers(job, progress=progress)
        nets = list(outcome.net.nets)  # type: ignore[arg-type]
        scores = [evaluate(net, job.task, job.data, "val") for net in nets]
        together = evaluate(outcome.net, job.task, job.data, "val")
        best = max(range(len(nets)), key=lambda number: scores[number].value)
        result = stage_result(replace(outcome, net=nets[best]), job)
        told = ", ".join(f"{score.value:.2f}" for score in scores)
        note = f"The peers score {told} on val, together {together.value:.2f}; number {best + 1} is kept."
        details = {"peers": plain(scores), "together": plain(together), "kept_peer": best + 1}
        return replace(result, notes=(*result.notes, note), details={**result.details, **details})

    def train_peers(self, job: Job, *, progress: Progress = SILENT) -> TrainOutcome:
        """All peers after the training, as one `Peers`."""
        nets = [job.model, *(redrawn(job.model, job.seed, "peer", number) for number in range(2, self.peers + 1))]
        return train_weights(
            Peers(nets), task=job.task, data=job.data, settings=self.train, seed=job.seed, checkpoint=job.workdir,
            loss=MutualLoss(job.task, weight=self.weight, temperature=self.temperature),
            accelerator=job.accelerator, progress=progress,
        )  # fmt: skip
