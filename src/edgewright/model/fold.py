"""Batch normalization folded into the layer before it: the same function with fewer operators.

Exact, not approximate: a batch normalization is folded only where its input is the output of a convolution or linear
layer that nothing else reads. Every other one stays where it is, and the report says why.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .graph import layer_of, rewrite
from .run import tensor_specs

OUTPUT_AXIS: dict[type[nn.Module], int] = {  # axis of the weight that holds the output channels
    nn.Conv1d: 0,
    nn.Conv2d: 0,
    nn.Conv3d: 0,
    nn.ConvTranspose2d: 1,
    nn.Linear: 0,
}


@dataclass(frozen=True, kw_only=True)
class Folding:
    """What was folded, and what was not and why, by node name of the batch normalization."""

    folded: tuple[str, ...]
    refused: dict[str, str]


def fold_batch_norms(net: fx.GraphModule) -> tuple[fx.GraphModule, Folding]:
    """A copy of `net` in eval mode with every batch normalization folded that can be folded exactly."""
    ranks = {name: len(spec.shape) for name, spec in tensor_specs(net).items()}
    calls = _calls(net)
    folded: list[str] = []
    refused: dict[str, str] = {}

    def edit(changed: fx.GraphModule) -> None:
        for node in list(changed.graph.nodes):
            if not isinstance(layer_of(changed, node), _BatchNorm):
                continue
            reason = _obstacle(changed, node, calls, ranks)
            if reason is None:
                _fold(changed, node)
                folded.append(node.name)
            else:
                refused[node.name] = reason

    return rewrite(net, edit).eval(), Folding(folded=tuple(folded), refused=refused)


def _calls(net: fx.GraphModule) -> dict[str, int]:
    """How many nodes call each layer."""
    targets = [str(node.target) for node in net.graph.nodes if node.op == "call_module"]
    return {target: targets.count(target) for target in targets}


def _obstacle(net: fx.GraphModule, node: fx.Node, calls: dict[str, int], ranks: dict[str, int]) -> str | None:
    """Why this batch normalization cannot be folded exactly, or None."""
    before = node.args[0]
    assert isinstance(before, fx.Node)
    layer = layer_of(net, before)
    if type(layer) not in OUTPUT_AXIS:
        what = type(layer).__name__ if layer is not None else str(before.target)
        return f"its input comes from {what}, not from a convolution or linear layer"
    if len(before.users) > 1:
        others = [user.name for user in before.users if user is not node]
        return f"the output of {before.name} is also read by {', '.join(others)}"
    if calls[str(before.target)] > 1:
        return f"the layer {before.target} is used {calls[str(before.target)]} times"
    if isinstance(layer, nn.Linear) and ranks[before.name] != 2:
        return f"{before.name} makes its features on the last axis, the normalization works on axis 1"
    if getattr(layer_of(net, node), "running_mean", None) is None:
        return "it keeps no running statistics"
    return None


def _fold(net: fx.GraphModule, node: fx.Node) -> None:
    """Put the scale and shift of the batch normalization into weight and bias, in float64."""
    before = node.args[0]
    assert isinstance(before, fx.Node)
    layer, norm = layer_of(net, before), layer_of(net, node)
    assert layer is not None and isinstance(norm, _BatchNorm)
    factor, shift = _scale_and_shift(norm)
    weight, bias = layer.weight.detach().double(), getattr(layer, "bias", None)  # type: ignore[operator]
    offset = bias.detach().double() * factor + shift if bias is not None else shift
    layer.weight = nn.Parameter((weight * _along_outputs(layer, factor)).to(norm.running_mean.dtype))  # type: ignore[union-attr]
    layer.bias = nn.Parameter(offset.to(norm.running_mean.dtype))  # type: ignore[union-attr]
    node.replace_all_uses_with(before)
    net.graph.erase_node(node)


def _scale_and_shift(norm: _BatchNorm) -> tuple[torch.Tensor, torch.Tensor]:
    assert norm.running_mean is not None and norm.running_var is not None
    factor = 1 / torch.sqrt(norm.running_var.double() + norm.eps)
    if norm.weight is not None:
        factor = factor * norm.weight.detach().double()
    shift = -norm.running_mean.double() * factor
    return factor, shift if norm.bias is None else shift + norm.bias.detach().double()


def _along_outputs(layer: nn.Module, factor: torch.Tensor) -> torch.Tensor:
    """One factor per output channel, shaped to multiply the layer's weight."""
    weight: torch.Tensor = layer.weight  # type: ignore[assignment]
    rest = weight.dim() - 2
    if OUTPUT_AXIS[type(layer)] == 0:
        return factor.reshape(-1, 1, *([1] * rest))
    groups = int(layer.groups)  # type: ignore[arg-type]  # weight (C_in, C_out/g, ...): each group has its own outputs
    return (
        factor.reshape(groups, 1, -1)
        .expand(-1, weight.shape[0] // groups, -1)
        .reshape(*weight.shape[:2], *([1] * rest))
    )


__all__ = ["Folding", "fold_batch_norms"]
