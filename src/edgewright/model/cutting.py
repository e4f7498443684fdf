"""Cutting: a narrower copy of a captured model, without the channels that are dropped.

    >>> narrow = cut(net, {"layer1.0.conv1": [3, 7, 8]})

Layers are built anew with smaller weights, so the result is a captured model like any other: it saves, loads and
trains. Sizes that stand in the graph (views, splits, paddings) are rewritten by `resize`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import fx, nn

from ..errors import EdgewrightError, first_line
from .channels import ChannelMap, find_channels
from .channels.space import Labels
from .channels.trace import LayerChannels
from .layers import settings_of
from .resize import Survivors, resize
from .run import tensor_specs

OUR_FAULT = "the fault is edgewright's, please report it with the model."


def cut(
    net: fx.GraphModule, drop: Mapping[str, Sequence[int]], *, channels: ChannelMap | None = None
) -> fx.GraphModule:
    """A copy of `net` without the dropped classes of channels; `net` stays as it was.

    Args:
        drop: name of a channel group -> indices of the classes that leave it.
        channels: what `find_channels(net)` returned, if it is at hand.

    Raises:
        LookupFailed: no such group.
        ConfigError: the group is locked, an index is out of range, or nothing would stay.
    """
    channels = channels if channels is not None else find_channels(net)
    survivors = Survivors(trace=channels.trace, gone=channels.dropped(drop))
    parts: dict[str, Any] = {}
    for node in net.graph.nodes:
        path = str(node.target)
        if node.op == "call_module" and path not in parts:
            parts[path] = _cut_layer(net.get_submodule(path), channels.trace.layers.get(path), survivors, path)
        elif node.op == "get_attr" and path not in parts:
            parts[path] = _cut_loose(getattr(net, path), channels.trace.params.get(path), survivors)
    graph = copy.deepcopy(net.graph)
    names = {node.name: node for node in net.graph.nodes}
    for node in list(graph.nodes):
        node.meta.pop("val", None)  # shapes of before the cut
        if node.op == "call_function":
            resize(survivors, names[node.name], node)
    result = fx.GraphModule(parts, graph)
    result.meta = dict(net.meta)
    result.training = net.training
    _check(result, survivors)
    return result


def _check(net: fx.GraphModule, survivors: Survivors) -> None:
    """Run the cut graph on tensors without storage; every tensor must have the size that the labels foretold."""
    values = survivors.trace.values.items()
    expected = {node.name: survivors.shape(labels) for node, labels in values if isinstance(labels, Labels)}
    try:
        specs = tensor_specs(net)
        if survivors.symbolic:
            tensor_specs(net, batch=2)
    except (RuntimeError, ValueError, TypeError) as error:
        raise EdgewrightError(f"The cut model does not run ({first_line(error)}): {OUR_FAULT}") from error
    for name, spec in specs.items():
        is_empty = 0 in spec.shape  # it holds no labels to be counted
        if name in expected and spec.shape != expected[name] and not is_empty:
            raise EdgewrightError(f"After the cut '{name}' has shape {spec.shape}, not {expected[name]}: {OUR_FAULT}")


def _cut_loose(value: torch.Tensor, labels: Labels | None, survivors: Survivors) -> torch.Tensor:
    """A narrower loose parameter or buffer."""
    kept = value.detach().clone() if labels is None else survivors.take(value.detach(), labels).clone()
    return nn.Parameter(kept, requires_grad=value.requires_grad) if isinstance(value, nn.Parameter) else kept


def _cut_layer(layer: nn.Module, channels: LayerChannels | None, survivors: Survivors, path: str) -> nn.Module:
    shape = CUT.get(type(layer))
    if shape is None or channels is None:
        return copy.deepcopy(layer)
    changes, tensors = shape(layer, channels, survivors, path)
    return _rebuilt(layer, changes, tensors)


def _rebuilt(layer: nn.Module, changes: dict[str, Any], tensors: dict[str, torch.Tensor]) -> nn.Module:
    """A layer of the same type with other sizes and the given tensors; nothing is drawn at random."""
    new = type(layer)(**{**settings_of(layer), **changes}, device="meta")
    for name, value in tensors.items():
        old, value = getattr(layer, name), value.detach().clone()
        is_parameter = isinstance(old, nn.Parameter)
        setattr(new, name, nn.Parameter(value, requires_grad=old.requires_grad) if is_parameter else value)
    return new.train(layer.training)


Cut = tuple[dict[str, Any], dict[str, torch.Tensor]]


def _convolution(layer: Any, channels: LayerChannels, survivors: Survivors, path: str) -> Cut:
    """Rows by the channels made, columns by the channels read; whole groups, or the same places of every group."""
    assert channels.out is not None and channels.into is not None
    out = survivors.stays(channels.out).view(layer.groups, -1)
    into = survivors.stays(channels.into).view(layer.groups, -1)
    alive = out.any(dim=1)
    rows, columns = out[alive][0], into[alive][0]
    if not (bool((out[alive] == rows).all()) and bool((into[alive] == columns).all())):
        raise EdgewrightError(f"The cut would leave unequal groups in '{path}': {OUR_FAULT}")
    weight = layer.weight.detach()
    transposed = isinstance(layer, nn.ConvTranspose2d)
    grouped = weight.view(layer.groups, -1, weight.shape[1], *weight.shape[2:])
    first, second = (columns, rows) if transposed else (rows, columns)
    kept = grouped[alive][:, first][:, :, second]
    groups = int(alive.sum())
    changes = {
        "in_channels": groups * int(columns.sum()),
        "out_channels": groups * int(rows.sum()),
        "groups": groups,
    }
    tensors = {"weight": kept.flatten(end_dim=1)}
    if layer.bias is not None:
        tensors["bias"] = layer.bias[out.view(-1)]
    return changes, tensors


def _linear(layer: Any, channels: LayerChannels, survivors: Survivors, path: str) -> Cut:
    assert channels.out is not None and channels.into is not None
    rows, columns = survivors.stays(channels.out), survivors.stays(channels.into)
    tensors = {"weight": layer.weight[rows][:, columns]}
    if layer.bias is not None:
        tensors["bias"] = layer.bias[rows]
    return {"in_features": int(columns.sum()), "out_features": int(rows.sum())}, tensors


def _batch_norm(layer: Any, channels: LayerChannels, survivors: Survivors, path: str) -> Cut:
    assert channels.scale is not None
    kept = survivors.stays(channels.scale.full())
    tensors = {name: value[kept] for name, value in layer.state_dict().items() if value.dim() == 1}
    return {"num_features": int(kept.sum())}, {**tensors, "num_batches_tracked": layer.num_batches_tracked}


def _layer_norm(layer: Any, channels: LayerChannels, survivors: Survivors, path: str) -> Cut:
    assert channels.scale is not None
    labels = channels.scale
    tensors = {name: survivors.take(value, labels) for name, value in layer.state_dict().items()}
    return {"normalized_shape": survivors.shape(labels)}, tensors


def _group_norm(layer: Any, channels: LayerChannels, survivors: Survivors, path: str) -> Cut:
    assert channels.scale is not None
    kept = survivors.stays(channels.scale.full())
    alive = kept.view(layer.num_groups, -1).any(dim=1)
    tensors = {name: value[kept] for name, value in layer.state_dict().items()}
    return {"num_channels": int(kept.sum()), "num_groups": int(alive.sum())}, tensors


CUT: dict[type[nn.Module], Callable[[Any, LayerChannels, Survivors, str], Cut]] = {
    nn.Conv1d: _convolution,
    nn.Conv2d: _convolution,
    nn.Conv3d: _convolution,
    nn.ConvTranspose2d: _convolution,
    nn.Linear: _linear,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.BatchNorm3d: _batch_norm,
    nn.LayerNorm: _layer_norm,
    nn.GroupNorm: _group_norm,
}
