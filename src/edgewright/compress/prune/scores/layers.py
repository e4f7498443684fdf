"""Layers with weights, seen as (groups, outputs of a group, inputs of a group, kernel)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ....model import layer_of

WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.Linear)


def weighted(net: fx.GraphModule) -> Iterator[tuple[str, Any, torch.Tensor]]:
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
            groups, outputs = grouped(layer).shape[:2]
            yield path, layer, after.get(path, torch.ones(groups * outputs)).view(groups, outputs)


def grouped(layer: Any) -> torch.Tensor:
    """Weights as (groups, outputs of a group, inputs of a group, kernel), float64, without gradients."""
    return as_grouped(layer, layer.weight.detach().double())


def as_grouped(layer: Any, values: torch.Tensor) -> torch.Tensor:
    """Values of the shape of a layer's weights as (groups, outputs of a group, inputs of a group, kernel)."""
    kernel = math.prod(values.shape[2:])
    apart = values.reshape(getattr(layer, "groups", 1), -1, values.shape[1], kernel)
    return apart.transpose(1, 2) if isinstance(layer, nn.ConvTranspose2d) else apart
