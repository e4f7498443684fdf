"""How each layer type treats channels: what it reads, what it makes, what it keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn

from .space import NOBODY, Labels, nobody
from .trace import Trace

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d)
SHARED = "the layer is used several times and reads something that cannot be cut elsewhere"


def _convolution(seen: Trace, node: fx.Node, layer: Any, x: Labels) -> Labels:
    axis = len(x.shape) - len(layer.kernel_size) - 1
    x = seen.space.only(x, axis, f"{node.target} mixes them as positions")
    into, out = x.along(axis), _made(seen, node, layer.out_channels)
    _read(seen, str(node.target), into)
    if layer.groups > 1:
        _couple_groups(seen, node, layer, into, out)
    view = [1] * len(x.shape)
    view[axis] = -1
    return Labels(out.view(view), seen.shapes[node.name])


def _couple_groups(seen: Trace, node: fx.Node, layer: Any, into: torch.Tensor, out: torch.Tensor) -> None:
    """A cut must leave groups of equal size: drop whole groups, or the same places of every group."""
    inner, outer = into.view(layer.groups, -1), out.view(layer.groups, -1)
    whole = layer.groups >= inner.size(1)  # whichever leaves the finer choice; depthwise layers are all groups
    seen.layer(str(node.target)).whole_groups = whole
    reason = f"a group of {node.target} reads channels that cannot be cut"
    if whole:
        both = torch.cat([inner, outer], dim=1)
        seen.space.collapse(Labels(both, tuple(both.shape)), (1,), reason)
    else:
        seen.space.collapse(Labels(inner, tuple(inner.shape)), (0,), reason)
        seen.space.collapse(Labels(outer, tuple(outer.shape)), (0,), reason)


def _linear(seen: Trace, node: fx.Node, layer: nn.Linear, x: Labels) -> Labels:
    last = len(x.shape) - 1
    x = seen.space.settle(x)
    shape = seen.shapes[node.name]
    out = _made(seen, node, layer.out_features)
    if x.axes and last not in x.axes:  # mixes tokens: the channels pass, the layer's own sizes stay
        seen.space.lock(out, f"{node.target} works along another axis than the channels of its input")
        _read(seen, str(node.target), torch.full((layer.in_features,), NOBODY))
        return x.reshaped(shape)
    x = seen.space.only(x, last, f"{node.target} reads them as features")
    _read(seen, str(node.target), x.along(last))
    return Labels(out.view(*[1] * last, -1), shape)


def _made(seen: Trace, node: fx.Node, count: int) -> torch.Tensor:
    """The ids of a layer's outputs: the same at every call of a shared layer."""
    channels = seen.layer(str(node.target))
    if channels.out is None:
        channels.out = seen.space.fresh(count)
    return channels.out


def _read(seen: Trace, path: str, ids: torch.Tensor) -> None:
    channels = seen.layer(path)
    if channels.into is None:
        channels.into = ids
    else:
        channels.into = _same(seen, channels.into, ids)


def _scaled(seen: Trace, path: str, labels: Labels) -> None:
    channels = seen.layer(path)
    if channels.scale is None:
        channels.scale = labels
    else:
        channels.scale = Labels(_same(seen, channels.scale.full(), labels.full()), labels.shape)


def _same(seen: Trace, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    seen.space.couple(first, second)
    broken = (first == NOBODY) != (second == NOBODY)
    seen.space.lock(torch.maximum(first, second)[broken], SHARED)
    return torch.where(broken, NOBODY, first)


def _batch_norm(seen: Trace, node: fx.Node, layer: Any, x: Labels) -> Labels:
    x = seen.space.settle(x)
    if 1 in x.axes:
        x = seen.space.only(x, 1, f"{node.target} scales them")
        _scaled(seen, str(node.target), Labels(x.along(1), (x.shape[1],)))
    else:
        _scaled(seen, str(node.target), nobody((x.shape[1],)))
    return x


def _layer_norm(seen: Trace, node: fx.Node, layer: nn.LayerNorm, x: Labels) -> Labels:
    x = seen.space.settle(x)
    first = len(x.shape) - len(layer.normalized_shape)
    normalized = range(first, len(x.shape))
    if set(x.axes) - set(normalized):  # heads and the like stay free, what is normalized over stays whole
        x = seen.space.forbid(x, normalized, f"{node.target} normalizes over them")
    if not x.axes or x.axes[0] < first:
        _scaled(seen, str(node.target), nobody(layer.normalized_shape))
        return x
    ids = x.ids.view(x.ids.shape[first:])
    _scaled(seen, str(node.target), Labels(ids, tuple(layer.normalized_shape)))
    return x


def _group_norm(seen: Trace, node: fx.Node, layer: nn.GroupNorm, x: Labels) -> Labels:
    x = seen.space.settle(x)
    if 1 not in x.axes:
        _scaled(seen, str(node.target), nobody((layer.num_channels,)))
        return x
    x = seen.space.only(x, 1, f"{node.target} scales them")
    ids = x.along(1)
    if 1 < layer.num_groups < layer.num_channels:
        rows = ids.view(layer.num_groups, -1)
        whole = layer.num_groups >= rows.size(1)
        seen.layer(str(node.target)).whole_groups = whole
        reason = f"a group of {node.target} holds channels that cannot be cut"
        seen.space.collapse(Labels(rows, tuple(rows.shape)), (1,) if whole else (0,), reason)
    _scaled(seen, str(node.target), Labels(ids, tuple(ids.shape)))
    return x


def _keep(seen: Trace, node: fx.Node, layer: nn.Module, x: Labels) -> Labels:
    return x


LAYER_RULES: dict[type[nn.Module], Callable[..., Any]] = {
    **dict.fromkeys(CONVOLUTIONS, _convolution),
    nn.Linear: _linear,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.BatchNorm3d: _batch_norm,
    nn.LayerNorm: _layer_norm,
    nn.GroupNorm: _group_norm,
    nn.Dropout: _keep,
}
