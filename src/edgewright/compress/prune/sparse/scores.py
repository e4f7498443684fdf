"""Which weights matter: a number for each, larger stays longer.

What a score needs decides when it can be asked: magnitudes always, gradients of the loss where there are images, and
the sums of a training (`grow`) only while it trains. Those sums live in buffers of the model that is trained, so they
are part of its checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from ....model import find_channels
from ....seeding import torch_generator
from ....types import Job
from ..scores import Scoring
from ..scores.gradients import gradients
from .weights import Values


@dataclass(frozen=True, kw_only=True)
class Weighing:
    """What a score may look at."""

    layers: Mapping[str, Any]  # path -> layer of `net`
    net: fx.GraphModule
    job: Job


def magnitude(seen: Weighing) -> Values:
    """The size of the weight itself. Han et al. 2015, arXiv:1506.02626."""
    return {name: layer.weight.detach().abs() for name, layer in seen.layers.items()}


def lamp(seen: Weighing) -> Values:
    """The square of the weight by the sum of those in its layer that are no smaller: fair between layers.

    Lee et al. 2021, Layer-adaptive Sparsity for the Magnitude-based Pruning, arXiv:2010.07611.
    """
    return {name: _lamp(layer.weight.detach()) for name, layer in seen.layers.items()}


def _lamp(weight: torch.Tensor) -> torch.Tensor:
    squares, order = weight.reshape(-1).double().square().sort(descending=True, stable=True)
    share = squares / squares.cumsum(0).clamp(min=torch.finfo(torch.float64).tiny)
    return torch.empty_like(share).scatter_(0, order, share).view(weight.shape)


def taylor(seen: Weighing) -> Values:
    """The squared change of the loss, to first order, if the weight became 0: (w dL/dw)^2, mean over train images.

    Molchanov et al. 2019, arXiv:1906.10771, equation 8, weight by weight.
    """
    names = {id(value): name for name, value in seen.net.named_parameters()}  # a shared weight has one name
    owner = {name: names[id(layer.weight)] for name, layer in seen.layers.items()}
    total = {name: torch.zeros_like(layer.weight, dtype=torch.float64) for name, layer in seen.layers.items()}
    scoring = Scoring(net=seen.net, channels=find_channels(seen.net), seed=seen.job.seed, job=seen.job)
    for weights, slopes in gradients(scoring, "taylor"):
        for name, each in total.items():
            each += (weights[owner[name]] * slopes[owner[name]]).detach().double().square()
    return total


def random(seen: Weighing) -> Values:
    """Chance, the same for each weight throughout a run: the control that every score must beat."""
    return {
        name: torch.rand(
            layer.weight.shape, generator=torch_generator(seen.job.seed, "prune.sparse.random", name),
            dtype=torch.float64,
        ).to(layer.weight.device)
        for name, layer in seen.layers.items()
    }  # fmt: skip


Grow = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # (weight, gradient) to what a step adds


@dataclass(frozen=True, kw_only=True)
class Score:
    """`now` judges a model as it is, `grow` sums up over a training, and `forgets` begins anew after each choice."""

    now: Callable[[Weighing], Values] | None = None
    grow: Grow | None = None
    forgets: bool = False


SCORES: Mapping[str, Score] = {
    "magnitude": Score(now=magnitude),
    "lamp": Score(now=lamp),
    "taylor": Score(now=taylor, grow=lambda weight, slope: (weight * slope).square(), forgets=True),
    # Sanh et al. 2020, Movement Pruning, arXiv:2005.07683: a weight that the loss pushes away from 0 matters
    "movement": Score(grow=lambda weight, slope: -weight * slope),
    "random": Score(now=random),
}
