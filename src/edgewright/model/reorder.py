"""Another order of channels that computes the same: coupled channels change places in all layers that touch them.

>>> same = reorder(net, {"layer1.0.conv1": [2, 0, 1, 3]})     # class 0 is now what class 2 was
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from ..errors import ConfigError
from .channels import ChannelGroup, ChannelMap, Member, find_channels
from .graph import input_shape

Axes = Mapping[str, int]  # name of a tensor of a layer -> its axis along the channels of one side


def reorder(
    net: fx.GraphModule, orders: Mapping[str, Sequence[int]], *, channels: ChannelMap | None = None
) -> fx.GraphModule:
    """A copy of `net` whose classes of channels stand in another order; `net` stays as it was.

    Args:
        orders: name of a channel group -> for each place the class that stands there now.
        channels: what `find_channels(net)` returned, if it is at hand. It holds for the result too.

    Raises:
        LookupFailed: no such group.
        ConfigError: the group cannot be reordered, or an order is no permutation of its classes.
    """
    channels = channels or find_channels(net)
    result = copy.deepcopy(net)
    for name, order in orders.items():
        group = channels.group(name)
        if (reason := why_fixed(net, group)) is not None:
            raise ConfigError(f"Group '{name}' keeps its order because {reason}.")
        if sorted(order) != list(range(group.num_classes)):
            raise ConfigError(f"The order of group '{name}' names each of its {group.num_classes} classes once.")
        for member in group.members:
            _move(result.get_submodule(member.path), member, order)
    return result


def why_fixed(net: fx.GraphModule, group: ChannelGroup) -> str | None:
    """Why the classes of a group cannot change places; None where they can."""
    if group.locked is not None:
        return group.locked
    uses: dict[int, int] = {}
    for module in net.modules():
        for value in module.parameters(recurse=False):
            uses[id(value)] = uses.get(id(value), 0) + 1
    for member in group.members:
        layer: Any = net.get_submodule(member.path) if member.side != "loose" else None
        if layer is None or _axes(layer, member.side) is None:
            return f"'{member.path}' is no layer whose channels may change places"
        if any(uses[id(value)] > 1 for value in layer.parameters(recurse=False)):
            return f"'{member.path}' shares its weights"
        if len({len(places) for places in member.positions}) > 1:
            return f"its classes are of different sizes in '{member.path}'"
    return None


def computes_the_same(net: fx.GraphModule, other: fx.GraphModule, *, tolerance: float = 1e-4) -> bool:
    """Whether two models answer two fixed images alike, up to a share of their largest output."""
    generator = torch.Generator().manual_seed(0)
    images_BCHW = torch.randn((2, *input_shape(net)), generator=generator)
    with torch.no_grad():
        want, got = (_flat(copy.deepcopy(each).eval()(images_BCHW)) for each in (net, other))
    return bool((want - got).abs().max() <= tolerance * want.abs().max())


def _flat(outputs: Any) -> torch.Tensor:
    tensors = [outputs] if isinstance(outputs, torch.Tensor) else list(outputs)
    return torch.cat([each.double().reshape(-1) for each in tensors])


def _move(layer: nn.Module, member: Member, order: Sequence[int]) -> None:
    axes = _axes(layer, member.side)
    assert axes is not None  # `why_fixed` was asked
    old = torch.tensor([member.positions[which] for which in order]).reshape(-1)
    new = torch.tensor(member.positions).reshape(-1)
    for name, axis in axes.items():
        value = getattr(layer, name)
        if value is not None:
            places = torch.arange(value.shape[axis])
            places[new] = old
            value.data = value.detach().index_select(axis, places)


def _convolution(layer: Any, side: str) -> Axes | None:
    transposed = isinstance(layer, _ConvTransposeNd)
    if layer.groups > 1:
        if transposed or layer.weight.shape[1] > 1:
            return None  # channels may not leave their group
        return {"weight": 0, "bias": 0} if side == "out" else {}  # depthwise: rows follow the inputs
    return {"weight": int(transposed), "bias": 0} if side == "out" else {"weight": 1 - transposed}


def _linear(layer: Any, side: str) -> Axes | None:
    return {"weight": 0, "bias": 0} if side == "out" else {"weight": 1}


def _scale(layer: Any, side: str) -> Axes | None:
    return dict.fromkeys(("weight", "bias", "running_mean", "running_var"), 0)


def _layer_norm(layer: Any, side: str) -> Axes | None:
    return {"weight": 0, "bias": 0} if len(layer.normalized_shape) == 1 else None


AXES: Mapping[type[nn.Module], Callable[[Any, str], Axes | None]] = {
    _ConvNd: _convolution,
    nn.Linear: _linear,
    _BatchNorm: _scale,
    nn.LayerNorm: _layer_norm,
}
"""Layer type -> where its channels of one side lie; None where they cannot change places."""


def _axes(layer: nn.Module, side: str) -> Axes | None:
    return next((axes(layer, side) for kind, axes in AXES.items() if isinstance(layer, kind)), None)
