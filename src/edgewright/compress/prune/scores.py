"""Which channels matter: a number for each class of coupled channels, larger is more important.

A score is a function in the table `SCORES`. Classes are compared within their group only, so a score has no unit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ...errors import ConfigError
from ...model import ChannelGroup, ChannelMap, layer_of, watch
from ...seeding import torch_generator
from ...types import Job

Scores = Mapping[str, torch.Tensor]  # group name -> one value per class, float64, larger is kept longer


SCORE_IMAGES = 256  # of the calibration set; variances of 256 images times positions are steady


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """What a score may look at. `job` is None when there is no data at hand."""

    net: fx.GraphModule
    channels: ChannelMap
    seed: int = 0
    job: Job | None = None


def magnitude(scoring: Scoring, power: int) -> Scores:
    """The size of the weights of a class: rows of the layers that make it, columns of those that read it.

    Each layer is brought to a mean of 1 before the sum. Columns are taken with the batch norm that follows their layer
    folded in. Rows are not: what batch norm scales has unit variance whatever the row's norm.
    Li et al. 2017, arXiv:1608.08710; sums over coupled layers: Fang et al. 2023, arXiv:2301.12900.
    """
    made, read = {}, {}
    for path, layer, scale in _weighted(scoring.net):
        weight = _grouped(layer).abs().pow(power)
        made[path] = _to_mean_one(weight.sum(dim=(2, 3)))
        read[path] = _to_mean_one((weight * scale.abs().pow(power)[:, :, None, None]).sum(dim=(1, 3)))
    return {group.name: _gather(group, made, "out") + _gather(group, read, "in") for group in scoring.channels.free}


def contribution(scoring: Scoring) -> Scores:
    """How much of what its readers compute a class carries, measured on images.

    Sum over the layers that read the class of the variance of its channels times the squared norm of their columns,
    each layer brought to a mean of 1. The variance, not the energy: what is constant moves into batch norm or bias.

    Raises:
        ConfigError: there are no images.
    """
    if scoring.job is None or scoring.job.data is None:
        raise ConfigError("The score 'contribution' is measured on images and the job has no data: choose 'l2'.")
    variances = _read_variances(scoring, scoring.job.data.calibration(SCORE_IMAGES, scoring.seed))
    read = {}
    for path, layer, scale in _weighted(scoring.net):
        columns = (_grouped(layer).pow(2) * scale.pow(2)[:, :, None, None]).sum(dim=(1, 3))
        read[path] = _to_mean_one(columns.reshape(-1) * variances[path])
    return {group.name: _gather(group, read, "in") for group in scoring.channels.free}


WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.Linear)


def _weighted(net: fx.GraphModule) -> Iterator[tuple[str, Any, torch.Tensor]]:
    """Each layer with weights, and the factor (groups, outputs) of its rows if the next batch norm is folded in."""
    after: dict[str, torch.Tensor] = {}
    for node in net.graph.nodes:
        layer = layer_of(net, node)
        if isinstance(layer, _BatchNorm) and layer.running_var is not None:
            source, gain = node.all_input_nodes[0], torch.rsqrt(layer.running_var.detach().double() + layer.eps)
            if source.op == "call_module" and len(source.users) == 1:
                after[str(source.target)] = gain * layer.weight.detach().double() if layer.affine else gain
    for path, layer in net.named_modules():
        if isinstance(layer, WEIGHTED):
            groups, outputs = _grouped(layer).shape[:2]
            yield path, layer, after.get(path, torch.ones(groups * outputs)).view(groups, outputs)


def _grouped(layer: Any) -> torch.Tensor:
    """Weights as (groups, outputs of a group, inputs of a group, kernel), float64."""
    weight = layer.weight.detach().double()
    grouped = weight.view(getattr(layer, "groups", 1), -1, weight.shape[1], math.prod(weight.shape[2:]))
    return grouped.transpose(1, 2) if isinstance(layer, nn.ConvTranspose2d) else grouped


def _read_variances(scoring: Scoring, images_BCHW: torch.Tensor) -> dict[str, torch.Tensor]:
    """Layer -> variance over samples and positions of each channel that it reads; a shared layer's uses are summed."""
    readers: dict[str, list[Any]] = {}
    for node in scoring.net.graph.nodes:
        if isinstance(layer_of(scoring.net, node), WEIGHTED):
            readers.setdefault(node.all_input_nodes[0].name, []).append(node)
    variances: dict[str, torch.Tensor] = {}

    def see(node: fx.Node, value: torch.Tensor) -> None:
        for reader in readers.get(node.name, ()):
            layer = scoring.net.get_submodule(str(reader.target))
            axis = value.dim() - 1 - len(getattr(layer, "kernel_size", ()))
            rows = value.double().movedim(axis, -1).flatten(end_dim=-2)
            variances[str(reader.target)] = variances.get(str(reader.target), 0) + rows.var(dim=0, correction=0)

    watch(scoring.net, images_BCHW, see)
    return variances


def _to_mean_one(sizes: torch.Tensor) -> torch.Tensor:
    return sizes.reshape(-1) / sizes.mean().clamp(min=torch.finfo(torch.float64).tiny)


def _gather(group: ChannelGroup, sizes: Mapping[str, torch.Tensor], side: str) -> torch.Tensor:
    total = torch.zeros(group.num_classes, dtype=torch.float64)
    for member in group.members:
        if member.side == side:
            total += torch.stack([sizes[member.path][list(places)].sum() for places in member.positions])
    return total


def random(scoring: Scoring) -> Scores:
    """Chance: the control that every score must beat."""
    return {
        group.name: torch.rand(
            group.num_classes, generator=torch_generator(scoring.seed, "prune.random", group.name), dtype=torch.float64
        )
        for group in scoring.channels.free
    }


SCORES: Mapping[str, Callable[[Scoring], Scores]] = {
    "contribution": contribution,
    "l1": lambda scoring: magnitude(scoring, 1),
    "l2": lambda scoring: magnitude(scoring, 2),
    "random": random,
}
