"""`Prepare`: a training that shrinks what a cut will remove; the settings are also the stage."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import torch
from torch import fx, nn

from ...errors import ConfigError, unknown_name
from ...model import ChannelMap, capture, find_channels, is_captured
from ...progress import SILENT, Progress
from ...train import Train, stage_result, train_weights
from ...types import Job, StageResult, Task
from .penalties import PENALTIES, class_sizes

SMALL = 0.1  # of the mean size before: a class below this is as good as gone


@dataclass(frozen=True, kw_only=True)
class Prepare:
    """Train on task loss + `strength` * penalty, before a cut by the score that the penalty feeds.

    Args:
        penalty: one of `PENALTIES`: "bn-l1" pulls at the scales of batch norm, "group-lasso" at all parameters of a
            class together, "l1" at every weight.
        strength: how hard. Too weak changes nothing, too strong costs score; 1e-4 to 1e-3 for "bn-l1".
        train: how the weights are trained. The last weights are kept: the best on val may be those of before.
    """

    penalty: str = "bn-l1"
    strength: float = 1e-3
    train: Train = field(default_factory=lambda: Train(epochs=5, keep="last"))

    def __post_init__(self) -> None:
        if self.penalty not in PENALTIES:
            raise unknown_name("penalty", self.penalty, PENALTIES, command="edgewright prune --help")
        if not 0 < self.strength < math.inf:
            raise ConfigError(f"Prepare.strength must be greater than 0, got {self.strength}.")

    def run(self, job: Job, *, progress: Progress = SILENT) -> StageResult:
        """The job's model, trained; nothing is cut. Its `workdir` holds the checkpoint.

        Raises:
            ConfigError: the model has nothing that the penalty pulls at.
            ModelError: the loss is no longer finite, or the outputs do not suit the task.
        """
        net = job.model if is_captured(job.model) else capture(job.model, job.data.preprocess.shape)
        channels = find_channels(net)  # type: ignore[arg-type]
        outcome = train_weights(
            net,
            task=job.task,
            data=job.data,
            settings=self.train,
            seed=job.seed,
            checkpoint=job.workdir,
            accelerator=job.accelerator,
            loss=PenalizedLoss(net, channels, job.task, self),  # type: ignore[arg-type]
            progress=progress,
        )
        return self._told(stage_result(outcome, job), net, channels)  # type: ignore[arg-type]

    def _told(self, result: StageResult, net: fx.GraphModule, channels: ChannelMap) -> StageResult:
        """Say what the penalty did: how many classes are small now."""
        before, after = (
            torch.cat(list(class_sizes(each, channels, self.penalty).values()))  # type: ignore[arg-type]
            for each in (net, result.model)
        )
        limit = SMALL * before.mean()
        shares = {name: float((each < limit).double().mean()) for name, each in (("before", before), ("after", after))}
        note = (
            f"Classes smaller than {SMALL:g} of the mean before: {shares['before']:.1%} before, {shares['after']:.1%} "
            f"after {self.penalty} of strength {self.strength:g}."
        )
        return replace(result, notes=(*result.notes, note), details={**result.details, "small_classes": shares})


class PenalizedLoss:
    """The task's loss plus the penalty, in the form that `train_weights` takes."""

    def __init__(self, net: fx.GraphModule, channels: ChannelMap, task: Task, settings: Prepare) -> None:
        self.task, self.strength = task, settings.strength
        self.penalty = PENALTIES[settings.penalty](net, channels)
        self.name = f"prepare {settings.penalty} {settings.strength}"

    def __call__(self, net: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return self.task.loss(net(inputs).float(), targets) + self.strength * self.penalty(net)
