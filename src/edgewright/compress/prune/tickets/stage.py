"""`Tickets`: how tickets are looked for. `TrainTicket`: the stage that trains one under its mask.

Sources: Frankle and Carbin 2019 (arXiv:1803.03635), rewinding to initialization; Frankle et al. 2020, Linear Mode
Connectivity and the Lottery Ticket Hypothesis (arXiv:1912.05671), rewinding to step k.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import fx, nn

from ....data import Data
from ....errors import ConfigError
from ....progress import SILENT, Progress
from ....tasks import evaluate
from ....train import Train, TrainOutcome, stage_result, train_weights
from ....types import Job, StageResult, plain
from ..sparse import weighted_layers, zero_outside
from .masks import Masks, count_left, keep_of, masks_of, smaller

RULES: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "rounds": ("a whole number from 1", lambda value: _whole(value, 1)),
    "rate": ("a share between 0 and 1", lambda value: 0 < value < 1),
    "last_rate": ("a share from 0 to below 1", lambda value: 0 <= value < 1),
    "scope": ("layer or global", lambda value: value in ("layer", "global")),
    "rewind": ("a number of steps from 0", lambda value: _whole(value, 0)),
}


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


@dataclass(frozen=True, kw_only=True)
class Tickets:
    """Iterative magnitude pruning: train, remove the smallest weights, rewind the rest, train again, for `rounds`.

    Args:
        rounds: how often weights are removed.
        rate: share of the weights left that each round removes.
        last_rate: the same of the last layer, which has few weights and needs them most; the paper takes half.
        scope: weights compete within their "layer", or "global": in all layers but the last.
        rewind: the step whose weights the survivors go back to; 0 is the initialization.
        train: every training, of the dense net, of the tickets and of their controls alike.
    """

    rounds: int = 10
    rate: float = 0.2
    last_rate: float = 0.1
    scope: Literal["layer", "global"] = "layer"
    rewind: int = 0
    train: Train = field(default_factory=lambda: Train(keep="last"))

    def __post_init__(self) -> None:
        for name, (range_text, holds) in RULES.items():
            value = getattr(self, name)
            if not holds(value):
                raise ConfigError(f"Tickets.{name} must be {range_text}, got {value!r}.")
        TrainTicket(rewind=self.rewind, train=self.train)

    def counts(self, net: fx.GraphModule, number: int) -> dict[tuple[str, ...], int]:
        """Layers that compete with each other -> weights that are left of them after round `number` (from 1)."""
        totals = {path: layer.weight.numel() for path, layer in weighted_layers(net).items()}
        *inner, last = totals
        groups = [tuple(inner)] if self.scope == "global" and inner else [(path,) for path in inner]
        rates = {**dict.fromkeys(groups, self.rate), (last,): self.last_rate if inner else self.rate}
        return {paths: count_left(sum(totals[path] for path in paths), rate, number) for paths, rate in rates.items()}

    def next_masks(self, masks: Masks, trained: fx.GraphModule, number: int) -> dict[str, torch.Tensor]:
        """The masks of round `number` (from 1): the smallest weights of the net that was trained under `masks` go."""
        return smaller(masks, trained, self.counts(trained, number))


@dataclass(frozen=True, kw_only=True)
class TrainTicket:
    """Train a ticket: the job's model, whose zeros are its mask, from initialization or as of step `rewind`.

    With `rewind` the net without a mask, `job.teacher`, is trained up to that step, then the mask is put on and kept.
    Weights, learning rate, order of the images and the optimizer's averages are then those of the dense training at
    that step, and a ticket takes as many steps in all as the dense net.

    Args:
        rewind: the step after which weights are removed; 0 removes them before the first.
        train: how; it must keep the last weights, so that all nets have taken the same number of steps.
    """

    rewind: int = 0
    train: Train = field(default_factory=lambda: Train(keep="last"))

    def __post_init__(self) -> None:
        if not _whole(self.rewind, 0):
            raise ConfigError(f"TrainTicket.rewind must be a number of steps from 0, got {self.rewind!r}.")
        if self.train.keep != "last" or self.train.patience is not None:
            raise ConfigError(
                f"Tickets are compared after the same number of steps, got keep={self.train.keep} and "
                f"patience={self.train.patience}: set Train.keep to last and leave patience out."
            )
        if self.rewind and self.train.ema_decay is not None:
            raise ConfigError(
                f"A moving average of weights would hold on to those that are removed at step {self.rewind}, got "
                f"ema_decay={self.train.ema_decay}: leave ema_decay out, or rewind to 0."
            )

    def run(self, job: Job, *, progress: Progress = SILENT) -> StageResult:
        """The trained ticket, scored on val and, in the details, on test; `workdir` holds the checkpoint.

        Raises:
            ConfigError: the training ends before the step to rewind to, or there is no net without a mask.
            ModelError: the loss is no longer finite.
        """
        masks = masks_of(job.model)  # type: ignore[arg-type]
        outcome = self._trained(job, masks, progress)
        result = stage_result(outcome, job)
        test = evaluate(outcome.net, job.task, job.data, "test")
        details = {
            **result.details,
            "keep": keep_of(masks),
            "score_test": plain(test),
            "epochs_to_best": _epochs_to_best(outcome, self.rewind / self._steps(job.data)),
        }
        return dataclasses.replace(result, details=details)

    def _trained(self, job: Job, masks: Masks, progress: Progress) -> TrainOutcome:
        start, after_step, settings = job.model, None, dataclasses.replace(self.train, keep_zeros=True)
        if self.rewind:
            start, after_step, settings = self._unmasked(job), self._masking(masks), self.train
        return train_weights(
            start, task=job.task, data=job.data, settings=settings, seed=job.seed, checkpoint=job.workdir,
            after_step=after_step, accelerator=job.accelerator, progress=progress,
        )  # fmt: skip

    def require(self, data: Data) -> None:
        """Refuse a step that this training on `data` does not come to.

        Raises:
            ConfigError: says how many steps there are.
        """
        num_steps = self.train.epochs * self._steps(data)
        if self.rewind >= num_steps:
            raise ConfigError(
                f"The training has {num_steps} steps, got rewind to step {self.rewind}: choose an early step, for "
                f"instance {max(1, num_steps // 50)}."
            )

    def _unmasked(self, job: Job) -> nn.Module:
        self.require(job.data)
        if job.teacher is None:
            raise ConfigError("TrainTicket with a rewind needs the net without a mask: set Job.teacher.")
        return job.teacher

    def _steps(self, data: Data) -> int:
        """Steps of an epoch."""
        settings = self.train
        return data.num_batches("train", batch_size=settings.batch_size, num_images=settings.epoch_images)

    def _masking(self, masks: Masks) -> Callable[[nn.Module, int], None]:
        """Puts the mask on once the step is reached, and again after every step that follows."""

        def put_on(net: nn.Module, step: int) -> None:
            if step >= self.rewind:
                zero_outside({path: net.get_submodule(path) for path in masks}, masks)

        return put_on


def _epochs_to_best(outcome: TrainOutcome, masked_after: float) -> int:
    """The first epoch that scored best on val, among those that ended with the mask on."""
    seen = [epoch for epoch in outcome.history if epoch.number >= masked_after]
    return max(seen, key=lambda epoch: epoch.score).number
