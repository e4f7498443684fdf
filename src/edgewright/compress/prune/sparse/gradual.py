"""Zeros that grow in number while the model trains: chosen anew every so many steps, kept in between.

Once 0, a weight stays 0: what was chosen later is added to what was chosen before. What a weight would have become is
not remembered, so the weights of a checkpoint say all about the zeros, and a run that is continued goes on as it would
have. Sums of a score are buffers of the layers, which a checkpoint holds too.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import fx, nn

from ....files import content_key
from ....progress import Progress
from ....train import train_weights
from ....types import Job, plain
from ..schedule import moments
from .choose import choose, count_zeros
from .scores import SCORES, Weighing
from .weights import zero_outside

if TYPE_CHECKING:
    from .stage import Sparsify

SUM = "score_sum"  # name of the buffer


def train_sparser(
    net: fx.GraphModule, names: list[str], settings: Sparsify, job: Job, *, progress: Progress
) -> tuple[fx.GraphModule, dict[str, Any]]:
    """A copy of `net` that was trained while the layers of these names got more and more zeros.

    Returns:
        The model after the last epoch (the one that scored best might be one of few zeros), and the schedule.
    """
    assert settings.train is not None  # the settings are checked
    train = replace(settings.train, keep="last", keep_zeros=False)
    batches = job.data.num_batches("train", batch_size=train.batch_size, num_images=train.epoch_images)
    zeros, weights = count_zeros({name: net.get_submodule(name) for name in names})
    when = moments(
        settings.schedule, start=min(zeros / weights, settings.sparsity), final=settings.sparsity,
        num_updates=settings.steps, num_steps=max(1, math.floor(settings.until * batches * train.epochs)),
    )  # fmt: skip
    gradual = Gradual(names, score=settings.score, moments=when, scope=settings.scope, job=job)
    # a checkpoint does not know what happens after a step: each schedule has its own
    folder = None if job.workdir is None else job.workdir / content_key(plain(settings))
    outcome = train_weights(
        with_sums(net, names, settings.score), task=job.task, data=job.data, settings=train, seed=job.seed,
        checkpoint=folder, before_epoch=gradual.before_epoch, after_step=gradual.after_step,
        accelerator=job.accelerator, progress=progress,
    )  # fmt: skip
    course = [{"step": step, "sparsity": value} for step, value in when.items()]
    return without_sums(outcome.net, names), {"schedule": course}  # type: ignore[arg-type]


def with_sums(net: fx.GraphModule, names: Sequence[str], score: str) -> fx.GraphModule:
    """A copy whose layers of these names hold the sums of a score, where it has any."""
    copied = copy.deepcopy(net)
    for name in names if SCORES[score].grow else ():
        layer: Any = copied.get_submodule(name)
        layer.register_buffer(SUM, torch.zeros_like(layer.weight))
    return copied


def without_sums(net: fx.GraphModule, names: Sequence[str]) -> fx.GraphModule:
    """The same model without those buffers; changed in place."""
    for name in names:
        net.get_submodule(name)._buffers.pop(SUM, None)
    return net


class Gradual:
    """What happens before an epoch and after a step of `train.train_weights`.

    Args:
        names: paths of the layers that get zeros.
        score: one of `SCORES`; its sum where it has one, else what it says about the weights of the moment.
        moments: step -> sparsity from then on.
        scope: whether weights compete over all layers or within each.
        job: gives the seed.
    """

    def __init__(self, names: Sequence[str], *, score: str, moments: Mapping[int, float], scope: str, job: Job) -> None:
        self.names, self.moments, self.scope, self.job = names, moments, scope, job
        self.score = SCORES[score]
        self._keep: dict[str, torch.Tensor] = {}

    def before_epoch(self, net: nn.Module, number: int) -> None:
        """Read from the weights what is 0: all that is known about it after a checkpoint was loaded."""
        for name, layer in self._layers(net).items():
            nonzero = layer.weight.detach() != 0
            self._keep[name] = nonzero if bool(nonzero.any()) else ~nonzero  # layers that start at 0 must learn

    def after_step(self, net: nn.Module, step: int) -> None:
        """Keep what is 0, add to the sums, and choose anew when it is time."""
        layers = self._layers(net)
        zero_outside(layers, self._keep)
        if self.score.grow is not None:
            for layer in layers.values():
                slope = layer.weight.grad
                if slope is not None:
                    layer.score_sum += self.score.grow(layer.weight.detach(), slope)
        if step in self.moments:
            self._choose(net, layers, self.moments[step])

    def _choose(self, net: nn.Module, layers: Mapping[str, Any], sparsity: float) -> None:
        if self.score.grow is not None:
            scores = {name: layer.score_sum for name, layer in layers.items()}
        else:
            assert self.score.now is not None
            scores = dict(self.score.now(Weighing(layers=layers, net=net, job=self.job)))  # type: ignore[arg-type]
        scores = {name: each.masked_fill(~self._keep[name], -torch.inf) for name, each in scores.items()}
        self._keep = choose(scores, sparsity, scope=self.scope)
        zero_outside(layers, self._keep)
        if self.score.forgets:
            for layer in layers.values():
                layer.score_sum.zero_()

    def _layers(self, net: nn.Module) -> dict[str, Any]:
        return {name: net.get_submodule(name) for name in self.names}
