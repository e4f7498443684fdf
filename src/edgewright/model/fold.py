"""Batch normalization folded into its neighbours: the same function with fewer operators.

Exact, not approximate. A batch normalization goes

    back    into the convolution or linear layer whose output it alone reads
    ahead   into the layers that read it, where none of them pads with zeros (a padded zero is no shifted zero)
    into a depthwise 1x1 convolution, when asked (`absorb`): no operator fewer, but one that has an integer form

Between them only what leaves channels in their order: copies, reshapes, transposes. Every other normalization stays
where it is, and the report says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from .functions import COPIES
from .graph import layer_of, rewrite
from .run import tensor_specs

aten = torch.ops.aten
Shapes = dict[str, tuple[int, ...]]

OUTPUT_AXIS: dict[type[nn.Module], int] = {  # axis of the weight that holds the output channels
    nn.Conv1d: 0,
    nn.Conv2d: 0,
    nn.Conv3d: 0,
    nn.ConvTranspose2d: 1,
    nn.Linear: 0,
}
RESHAPES = {aten.flatten.using_ints, aten.view.default, aten.reshape.default}
SHAPED_LIKE = {aten.reshape_as.default, aten.view_as.default, aten.expand_as.default}  # read the second for its shape
BATCH = 3  # of the shapes that are looked at: a batch axis of 1 would be mistaken for any other axis of 1


@dataclass(frozen=True, kw_only=True)
class Folding:
    """What was folded, what became a depthwise convolution, and what stayed and why, by node name of the
    normalization."""

    folded: tuple[str, ...]
    refused: dict[str, str]
    absorbed: tuple[str, ...] = ()


def fold_batch_norms(net: fx.GraphModule, *, absorb: bool = False) -> tuple[fx.GraphModule, Folding]:
    """A copy of `net` in eval mode with every batch normalization folded that can be folded exactly.

    Args:
        absorb: turn those that stay, and work on feature maps, into depthwise 1x1 convolutions. Integer convolutions
            around them (as in a DenseNet) then hand on integers; in float it is no gain.
    """
    shapes = {name: spec.shape for name, spec in tensor_specs(net, batch=BATCH).items()}
    folded: list[str] = []
    absorbed: list[str] = []
    refused: dict[str, str] = {}

    def edit(changed: fx.GraphModule) -> None:
        done: set[str] = set()  # layers that hold the scale and shift of another call's normalization already
        for node in [each for each in changed.graph.nodes if isinstance(layer_of(changed, each), _BatchNorm)]:
            back = _fold_back(changed, node, shapes, done)
            ahead = _fold_ahead(changed, node, shapes) if back is not None else None
            if back is None or ahead is None:
                node.replace_all_uses_with(node.args[0])  # type: ignore[arg-type]
                changed.graph.erase_node(node)
                folded.append(node.name)
            elif absorb and len(shapes[node.name]) == 4 and _statistics(changed, node):
                changed.set_submodule(str(node.target), _depthwise(layer_of(changed, node)))
                absorbed.append(node.name)
            else:
                refused[node.name] = f"{back}; {ahead}"

    result = rewrite(net, edit).eval()
    return result, Folding(folded=tuple(folded), refused=refused, absorbed=tuple(absorbed))


# -- back: the layer before -------------------------------------------------------------------------------------------
def _fold_back(net: fx.GraphModule, node: fx.Node, shapes: Shapes, done: set[str]) -> str | None:
    """Put a normalization into the layer before it; why that would not be exact, or None."""
    path = [node]
    while type(layer_of(net, path[-1].args[0])) not in OUTPUT_AXIS:  # type: ignore[arg-type, operator]
        source: Any = path[-1].args[0]
        if not _moves(source):
            layer = layer_of(net, source)
            what = type(layer).__name__ if layer is not None else str(source.target)
            return f"its input comes from {what}, not from a convolution or linear layer"
        path.append(source)
    path.append(path[-1].args[0])  # type: ignore[arg-type]
    for source in path[1:]:
        others = [user.name for user in _readers(source, shapes) if user not in path]
        if others:
            return f"the output of {source.name} is also read by {', '.join(others)}"
    return _fold_into(net, node, path[:0:-1], shapes, done)


def _fold_into(net: fx.GraphModule, node: fx.Node, path: list[fx.Node], shapes: Shapes, done: set[str]) -> str | None:
    """Put a normalization into the first of `path`, a layer; the others lead from it to the normalization."""
    before, layer, norm = path[0], layer_of(net, path[0]), layer_of(net, node)
    if not _statistics(net, node):
        return "it keeps no running statistics"
    axis = len(shapes[before.name]) - 1 if isinstance(layer, nn.Linear) else 1
    if _axis_after(path[1:], axis, shapes) != 1:
        return f"{before.name} makes its features on the last axis, the normalization works on axis 1"
    calls = [each for each in net.graph.nodes if each.op == "call_module" and each.target == before.target]
    if len(calls) > 1 and str(before.target) not in done and not _all_normalized(calls, node, shapes):
        return f"the layer {before.target} is used {len(calls)} times"
    if str(before.target) not in done:
        _scale_outputs(layer, norm)  # type: ignore[arg-type]
    if len(calls) > 1:
        done.add(str(before.target))
    return None


def _all_normalized(calls: list[fx.Node], node: fx.Node, shapes: Shapes) -> bool:
    """Whether every call of a layer is read by the same normalization and nothing else (heads shared by levels)."""
    readers = [_readers(call, shapes) for call in calls]
    return all(len(each) == 1 and (each[0].op, each[0].target) == (node.op, node.target) for each in readers)


def _scale_outputs(layer: nn.Module, norm: _BatchNorm) -> None:
    """Put scale and shift into weight and bias, in float64."""
    factor, shift = _scale_and_shift(norm)
    weight, bias = layer.weight.detach().double(), getattr(layer, "bias", None)  # type: ignore[operator]
    offset = bias.detach().double() * factor + shift if bias is not None else shift
    _set(layer, weight * _along_outputs(layer, factor), offset)


# -- ahead: the layers behind -----------------------------------------------------------------------------------------
def _fold_ahead(net: fx.GraphModule, node: fx.Node, shapes: Shapes) -> str | None:
    """Put a normalization into all layers that read it; why that would not be exact, or None."""
    if not _statistics(net, node):
        return "it keeps no running statistics"
    factor, shift = _scale_and_shift(layer_of(net, node))  # type: ignore[arg-type]
    waiting: list[tuple[fx.Node, tuple[fx.Node, ...]]] = [(user, (node,)) for user in _readers(node, shapes)]
    ends = []
    while waiting:
        reader, path = waiting.pop()
        if _moves(reader) or isinstance(layer_of(net, reader), nn.Dropout):
            waiting += [(user, (*path, reader)) for user in _readers(reader, shapes)]
            continue
        reason = _obstacle_ahead(net, reader, path, shapes, padded=bool(shift.any()))
        if reason is not None:
            return reason
        ends.append((layer_of(net, reader), shapes[path[-1].name]))
    for layer, shape in ends:
        size = shape[-1] if isinstance(layer, nn.Linear) else shape[1]
        repeat = size // len(factor)
        _scale_inputs(layer, factor.repeat_interleave(repeat), shift.repeat_interleave(repeat))  # type: ignore[arg-type]
    return None if ends else "nothing reads it"


def _obstacle_ahead(
    net: fx.GraphModule, reader: fx.Node, path: tuple[fx.Node, ...], shapes: Shapes, *, padded: bool
) -> str | None:
    layer = layer_of(net, reader)
    if type(layer) not in OUTPUT_AXIS or isinstance(layer, nn.ConvTranspose2d):
        return f"{reader.name}, which reads it, is no layer that could take it over"
    if padded and isinstance(layer, _ConvNd) and any(layer._reversed_padding_repeated_twice):
        return f"{reader.name}, which reads it, pads with zeros"
    if sum(each.op == "call_module" and each.target == reader.target for each in net.graph.nodes) > 1:
        return f"{reader.name}, which reads it, is used more than once"
    axis = _axis_after(path[1:], 1, shapes)
    if axis != (len(shapes[path[-1].name]) - 1 if isinstance(layer, nn.Linear) else 1):
        return f"{reader.name} reads its channels on another axis"
    return None


def _scale_inputs(layer: nn.Module, factor: torch.Tensor, shift: torch.Tensor) -> None:
    """Let a layer scale and shift each input channel before it works, in float64."""
    weight: torch.Tensor = layer.weight.detach().double()  # type: ignore[operator, union-attr]
    groups = int(getattr(layer, "groups", 1))
    rows = weight.reshape(groups, weight.shape[0] // groups, weight.shape[1], -1)
    added = (rows * shift.reshape(groups, 1, -1, 1)).sum((2, 3)).flatten()
    bias = getattr(layer, "bias", None)
    scaled = (rows * factor.reshape(groups, 1, -1, 1)).reshape(weight.shape)
    _set(layer, scaled, added if bias is None else bias.detach().double() + added)


# -- both -------------------------------------------------------------------------------------------------------------
def _readers(node: fx.Node, shapes: Shapes) -> list[fx.Node]:
    """Who reads the values of a tensor; sizes are no values."""
    users = [user for user in node.users if user.op == "output" or user.name in shapes]
    return [user for user in users if user.target not in SHAPED_LIKE or user.args[0] is node]


def _moves(node: fx.Node) -> bool:
    return node.target in COPIES | RESHAPES | {aten.transpose.int, aten.permute.default}


def _axis_after(moves: Any, axis: int, shapes: Shapes) -> int | None:
    """The axis on which channels lie after these operators, when it is still an axis of channels (of neighbouring
    positions of one channel, where a map is flattened behind its channels)."""
    for node in moves:
        before, after = shapes[node.args[0].name], shapes[node.name]
        rank = len(before)
        if node.target is aten.transpose.int:
            swapped = [int(each) % rank for each in node.args[1:3]]
            axis = swapped[1 - swapped.index(axis)] if axis in swapped else axis
        elif node.target is aten.permute.default:
            axis = [int(each) % rank for each in node.args[1]].index(axis)
        elif node.target in RESHAPES:
            if axis == rank - 1 and after[-1] == before[-1]:
                axis = len(after) - 1
            elif axis != 1 or after[0] != before[0] or not (after[1] == before[1] or len(after) == 2):
                return None
    return axis


def _statistics(net: fx.GraphModule, node: fx.Node) -> bool:
    return getattr(layer_of(net, node), "running_mean", None) is not None


def _depthwise(norm: Any) -> nn.Conv2d:
    """The normalization as a convolution that treats each value of each channel alone."""
    factor, shift = _scale_and_shift(norm)
    conv = nn.Conv2d(len(factor), len(factor), 1, groups=len(factor), device="meta")
    _set(conv, factor.reshape(-1, 1, 1, 1), shift, dtype=norm.running_mean.dtype)
    return conv


def _set(layer: nn.Module, weight: torch.Tensor, bias: torch.Tensor, *, dtype: torch.dtype | None = None) -> None:
    dtype = dtype or layer.weight.dtype  # type: ignore[union-attr, assignment]
    layer.weight = nn.Parameter(weight.to(dtype))  # type: ignore[union-attr]
    layer.bias = nn.Parameter(bias.to(dtype))  # type: ignore[union-attr]


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
