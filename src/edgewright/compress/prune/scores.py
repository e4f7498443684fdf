"""Which channels matter: a number for each class of coupled channels, larger is more important.

A score is a function in the table `SCORES`. Classes are compared within their group only, so a score has no unit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ...model import ChannelGroup, ChannelMap, layer_of
from ...seeding import torch_generator
from ...types import Job

Scores = Mapping[str, torch.Tensor]  # group name -> one value per class, float64, larger is kept longer


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """What a score may look at. `job` is None when there is no data at hand."""

    net: fx.GraphModule
    channels: ChannelMap
    seed: int = 0
    job: Job | None = None


def magnitude(scoring: Scoring, power: int) -> Scores:
    """The size of the weights that make a class, each layer on its own scale.

    Sum over the layers that make the class's channels of the norm of its rows (L1, or L2 squared), divided by the
    layer's mean row. Where a batch norm follows, rows are taken as if it were folded in: a row that batch norm scales
    up counts more. Li et al. 2017, arXiv:1608.08710 (L1 of filters); sums over coupled layers: Fang et al. 2023,
    arXiv:2301.12900.
    """
    folded = _folded_scales(scoring.net)
    rows = {}
    for path, layer in scoring.net.named_modules():
        if isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.Linear)):
            sizes = _rows(layer).abs().pow(power).sum(dim=1) * folded.get(path, torch.ones(1)).abs().pow(power)
            rows[path] = sizes / sizes.mean().clamp(min=torch.finfo(torch.float64).tiny)
    return {group.name: _gather(group, rows) for group in scoring.channels.free}


def _gather(group: ChannelGroup, rows: Mapping[str, torch.Tensor]) -> torch.Tensor:
    total = torch.zeros(group.num_classes, dtype=torch.float64)
    for member in group.members:
        if member.side == "out":
            total += torch.stack([rows[member.path][list(places)].sum() for places in member.positions])
    return total


def _rows(layer: nn.Module) -> torch.Tensor:
    """(outputs, weights of each) in float64."""
    weight = layer.weight.detach().double()  # type: ignore[operator, union-attr]
    if isinstance(layer, nn.ConvTranspose2d):
        grouped = weight.view(layer.groups, -1, weight.shape[1], *weight.shape[2:])
        weight = grouped.transpose(1, 2).flatten(end_dim=1)
    return weight.flatten(start_dim=1)


def _folded_scales(net: fx.GraphModule) -> dict[str, torch.Tensor]:
    """Layer -> the factor of each output when the batch norm that follows it is folded in."""
    scales: dict[str, torch.Tensor] = {}
    for node in net.graph.nodes:
        layer = layer_of(net, node)
        if isinstance(layer, _BatchNorm) and layer.running_var is not None:
            source, gain = node.all_input_nodes[0], torch.rsqrt(layer.running_var.detach().double() + layer.eps)
            if source.op == "call_module" and len(source.users) == 1:
                scales[str(source.target)] = gain * layer.weight.detach().double() if layer.affine else gain
    return scales


def random(scoring: Scoring) -> Scores:
    """Chance: the control that every score must beat."""
    return {
        group.name: torch.rand(
            group.num_classes, generator=torch_generator(scoring.seed, "prune.random", group.name), dtype=torch.float64
        )
        for group in scoring.channels.free
    }


SCORES: Mapping[str, Callable[[Scoring], Scores]] = {
    "l1": lambda scoring: magnitude(scoring, 1),
    "l2": lambda scoring: magnitude(scoring, 2),
    "random": random,
}
