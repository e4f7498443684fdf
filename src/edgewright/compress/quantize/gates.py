"""Operators that runtimes compute in integers only in parts, written in those parts. The function stays the same.

    hard-swish(x)           -> c * hard-sigmoid(c) with c = max(x, -3): below -3 it is 0, and no code is spent there
    SiLU(x)                 -> x * sigmoid(x)
    relu6(x + 3) / 6        -> hard-sigmoid(x)
    batch normalization     -> depthwise 1x1 convolution, where it could not be folded into a layer before it

A sigmoid and a product have integer kernels, a hard-sigmoid is a sum with a constant that saturates (see `export`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn

from ...model import layer_of, rewrite, tensor_specs
from ...model.functions import CLAMPS, clamp_bounds

aten = torch.ops.aten
HARD_SWISH_ZERO = -3.0  # hard-swish is 0 up to here (Howard et al. 2019, section 5.2)
HARD_SIGMOID = {aten.div.Tensor: 6.0, aten.mul.Tensor: 1 / 6}  # what is done to relu6(x + 3)


def expose_gates(net: fx.GraphModule) -> fx.GraphModule:
    """A copy of a folded net, in eval mode, in which every gate is a node of its own."""
    ranks = {name: len(spec.shape) for name, spec in tensor_specs(net).items()}

    def edit(changed: fx.GraphModule) -> None:
        for node in list(changed.graph.nodes):
            if isinstance(layer_of(changed, node), nn.BatchNorm2d) and ranks[node.name] == 4:
                _as_convolution(changed, node)
            elif _is_hard_sigmoid(node):
                _replace(node, aten.hardsigmoid.default, node.args[0].args[0].args[0])  # type: ignore[union-attr]
            elif node.target in PARTS:
                PARTS[node.target](node)

    return rewrite(net, edit).eval()


def _hard_swish(node: fx.Node) -> None:
    source: Any = node.args[0]
    with node.graph.inserting_before(node):
        if len(source.users) == 1:
            source = node.graph.call_function(aten.clamp_min.default, (source, HARD_SWISH_ZERO))
    _gate(node, source, aten.hardsigmoid.default)


def _silu(node: fx.Node) -> None:
    _gate(node, node.args[0], aten.sigmoid.default)


PARTS: dict[Any, Callable[[fx.Node], None]] = {aten.hardswish.default: _hard_swish, aten.silu.default: _silu}


def _gate(node: fx.Node, source: Any, function: Any) -> None:
    with node.graph.inserting_before(node):
        gate = node.graph.create_node("call_function", function, (source,), name=f"{node.name}_gate")
    _replace(node, aten.mul.Tensor, source, gate)


def _replace(node: fx.Node, function: Any, *args: Any) -> None:
    node.target, node.args, node.kwargs = function, args, {}


def _is_hard_sigmoid(node: fx.Node) -> bool:
    """Whether the node divides relu6(x + 3) by 6, however it is written."""
    factor = HARD_SIGMOID.get(node.target)
    if factor is None or len(node.args) != 2 or not isinstance(node.args[1], (int, float)):
        return False
    clamp: Any = node.args[0]
    if abs(node.args[1] - factor) > 1e-6 * factor or not isinstance(clamp, fx.Node) or not _clips_at(clamp, 0.0, 6.0):
        return False
    shifted: Any = clamp.args[0]
    return bool(shifted.target is aten.add.Tensor and shifted.args[1:] == (3.0,) and not shifted.kwargs)


def _clips_at(node: fx.Node, low: float, high: float) -> bool:
    return node.target in CLAMPS and clamp_bounds(node) == (low, high)


def _as_convolution(net: fx.GraphModule, node: fx.Node) -> None:
    """The same scale and shift per channel; the one weight of a channel is its own largest, so its code is exact."""
    norm = layer_of(net, node)
    calls = [each for each in net.graph.nodes if each.target == node.target]
    if not isinstance(norm, nn.BatchNorm2d) or norm.running_mean is None or norm.running_var is None or len(calls) > 1:
        return
    factor = torch.rsqrt(norm.running_var.double() + norm.eps)
    factor = factor if norm.weight is None else factor * norm.weight.detach().double()
    shift = -norm.running_mean.double() * factor
    shift = shift if norm.bias is None else shift + norm.bias.detach().double()
    channels, dtype = norm.num_features, norm.running_mean.dtype
    with torch.random.fork_rng(devices=[]):  # a new layer draws weights, which are replaced at once
        layer = nn.Conv2d(channels, channels, 1, groups=channels)
    layer.weight = nn.Parameter(factor.reshape(-1, 1, 1, 1).to(dtype))
    layer.bias = nn.Parameter(shift.to(dtype))
    net.set_submodule(str(node.target), layer)
