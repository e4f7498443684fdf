"""The scales of batch norm."""

from __future__ import annotations

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from ....errors import ConfigError
from ....model import ChannelGroup
from .magnitude import l2
from .scoring import Scores, Scoring, completed


def bn_scale(scoring: Scoring) -> Scores:
    """The mean |gamma| of the batch norms that a class passes through.

    A group without batch norm is ranked by `l2` and counts as an average one beside the others. The scales tell most
    after a training that pulls them to zero (`Prepare` with the penalty "bn-l1").

    Raises:
        ConfigError: no group that can be cut passes through a batch norm with a scale.

    Source: Liu et al. 2017, Learning Efficient Convolutional Networks through Network Slimming, arXiv:1708.06519.
    """
    scales = {
        path: layer.weight.detach().double().abs()
        for path, layer in scoring.net.named_modules()
        if isinstance(layer, _BatchNorm) and layer.affine
    }
    found = {group.name: _mean(group, scales) for group in scoring.channels.free if _scaled(group, scales)}
    if not found:
        raise ConfigError(
            "The score 'bn-scale' reads the scales of batch norm, and no group that can be cut has any: choose 'l2'."
        )
    return found if len(found) == len(scoring.channels.free) else completed(found, l2(scoring))


def _scaled(group: ChannelGroup, scales: dict[str, torch.Tensor]) -> bool:
    return any(member.side == "scale" and member.path in scales for member in group.members)


def _mean(group: ChannelGroup, scales: dict[str, torch.Tensor]) -> torch.Tensor:
    total, count = torch.zeros(group.num_classes, dtype=torch.float64), 0
    for member in group.members:
        if member.side == "scale" and member.path in scales:
            total += torch.stack([scales[member.path][list(places)].mean() for places in member.positions])
            count += 1
    return total / count
