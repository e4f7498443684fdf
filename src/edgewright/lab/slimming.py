"""A trained perceptron with fewer units: what removing whole channels is for linear layers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from .digits import perceptron


def linear_layers(net: nn.Module) -> list[nn.Linear]:
    """In the order in which they run."""
    return [each for each in net.modules() if isinstance(each, nn.Linear)]


@torch.no_grad()
def slimmed(net: nn.Module, widths: Sequence[int]) -> nn.Sequential:
    """A perceptron of these widths, with the units of `net` whose incoming weights have the largest norms."""
    slim, inputs = perceptron(widths), torch.arange(widths[0])
    for layer, target in zip(linear_layers(net), linear_layers(slim), strict=True):
        outputs = layer.weight.norm(dim=1).topk(target.out_features).indices.sort().values
        target.weight.copy_(layer.weight[outputs][:, inputs])
        target.bias.copy_(layer.bias[outputs])
        inputs = outputs
    return slim
