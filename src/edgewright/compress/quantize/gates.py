"""Operators that runtimes compute in integers only in parts, written in those parts. The function stays the same.

    hard-swish(x)           -> c * hard-sigmoid(c) with c = max(x, -3): below -3 it is 0, and no code is spent there
    SiLU(x)                 -> x * sigmoid(x)
    relu6(x + 3) / 6        -> hard-sigmoid(x)

A sigmoid and a product have integer kernels, a hard-sigmoid is a sum with a constant that saturates (see `export`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn

from ...model import rewrite
from ...model.functions import CLAMPS, clamp_bounds

aten = torch.ops.aten
HARD_SWISH_ZERO = -3.0  # hard-swish is 0 up to here (Howard et al. 2019, section 5.2)
HARD_SIGMOID = {aten.div.Tensor: 6.0, aten.mul.Tensor: 1 / 6}  # what is done to relu6(x + 3)


def expose_gates(net: fx.GraphModule) -> fx.GraphModule:
    """A copy of a folded net, in eval mode, in which every gate is a node of its own."""

    def edit(changed: fx.GraphModule) -> None:
        for node in list(changed.graph.nodes):
            if _is_hard_sigmoid(node):
                _replace(node, aten.hardsigmoid.default, node.args[0].args[0].args[0])  # type: ignore[union-attr]
            elif node.target in PARTS:
                PARTS[node.target](node)
            if hasattr(nn.Module, node.name):  # a quantizer is a submodule of the node's name: `to` would be taken
                node._rename(f"{node.name}_values")

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
    factor = HARD_SIGMOID.get(node.target)  # type: ignore[call-overload]
    if factor is None or len(node.args) != 2 or not isinstance(node.args[1], (int, float)):
        return False
    clamp: Any = node.args[0]
    if abs(node.args[1] - factor) > 1e-6 * factor or not isinstance(clamp, fx.Node) or not _clips_at(clamp, 0.0, 6.0):
        return False
    shifted: Any = clamp.args[0]
    return bool(shifted.target is aten.add.Tensor and shifted.args[1:] == (3.0,) and not shifted.kwargs)


def _clips_at(node: fx.Node, low: float, high: float) -> bool:
    return node.target in CLAMPS and clamp_bounds(node) == (low, high)
