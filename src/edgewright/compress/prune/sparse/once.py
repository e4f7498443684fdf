"""Zeros chosen once, from the model as it is, and what is done about the score then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import fx

from ....errors import ConfigError
from ....progress import Progress
from ....train import reestimate_batch_norm, train_weights
from ....types import Job, plain
from .choose import choose, choose_pattern, energy_kept
from .permute import permute
from .scores import SCORES, Weighing
from .weights import zero_outside

if TYPE_CHECKING:
    from .stage import Sparsify

BATCH = 128  # images; batch norm statistics of fewer are noisy


def choose_once(
    net: fx.GraphModule, names: list[str], settings: Sparsify, job: Job, *, progress: Progress
) -> tuple[fx.GraphModule, dict[str, Any]]:
    """`net` with zeros in the layers of these names, then trained or its batch norms re-estimated; it may be changed.

    Returns:
        The model; the share of each layer's sum of squares that stayed, and how channels were ordered, JSON-able.
    """
    details: dict[str, Any] = {}
    if settings.permute:
        assert settings.kind is not None  # the settings are checked
        net, moved = permute(net, names, settings.kind, progress=progress)
        details["order"] = plain(moved)
    layers: dict[str, Any] = {name: net.get_submodule(name) for name in names}
    now = SCORES[settings.score].now
    assert now is not None  # the settings are checked
    scores = {
        name: each.masked_fill(layers[name].weight == 0, -torch.inf)
        for name, each in now(Weighing(layers=layers, net=net, job=job)).items()
    }
    keep = _choice(layers, scores, settings)
    details["energy_kept"] = {name: energy_kept(layers[name].weight, mask) for name, mask in keep.items()}
    zero_outside(layers, keep)
    if settings.train is not None:
        trained = train_weights(
            net, task=job.task, data=job.data, settings=replace(settings.train, keep_zeros=True), seed=job.seed,
            checkpoint=job.workdir, accelerator=job.accelerator, progress=progress,
        )  # fmt: skip
        return trained.net, details  # type: ignore[return-value]
    if settings.norm_batches:
        net = reestimate_batch_norm(  # type: ignore[assignment]
            net, job.data, num_batches=settings.norm_batches, seed=job.seed, batch_size=BATCH, augment=settings.augment
        )
    return net, details


def _choice(
    layers: Mapping[str, Any], scores: Mapping[str, torch.Tensor], settings: Sparsify
) -> dict[str, torch.Tensor]:
    kind = settings.kind
    if kind is None:
        return choose(scores, settings.sparsity, scope=settings.scope)
    found = {name: choose_pattern(layers[name], each, kind) for name, each in scores.items()}
    keep = {name: mask for name, mask in found.items() if mask is not None}
    if not keep:
        raise ConfigError(
            f"No layer can follow {kind.name}: its input channels per group are no multiple of {kind.group}. "
            "Choose another pattern, or a sparsity."
        )
    return keep
