"""Channels of zeros where they make the runtime's integer kernels faster; the network computes the same.

ONNX Runtime's direct integer convolutions make 16 channels at a time and read 4; other widths take a slow path.
Measured on one thread of an AMD EPYC with VNNI (int8, 3x3), microseconds per layer:

    8 channels on 16x16   5.8     depthwise, 24 on 24x24  13.4     depthwise, 40 on 24x24  19.2
    16                    4.0                32            6.6                48            8.0

A group of coupled channels is widened as a whole, and only while the added weights stay a small share of the file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import fx, nn

from ..model import layer_of, rewrite
from ..model.channels import ChannelGroup, Member, find_channels
from ..model.graph import input_shape
from ..model.layers import is_depthwise, settings_of
from ..model.quantized import QUANTIZED, IntegerWeights, QuantConv2d, QuantizeActivation, QuantLinear
from ..seeding import torch_generator

LANES = 16  # output channels of one step of the kernel
MAX_GROWTH = 0.05  # of the weights' bytes
PLAIN = {integer: plain for plain, integer in QUANTIZED.items()}


@dataclass(frozen=True, kw_only=True)
class Widening:
    """One group of channels to widen, and the weights that this adds."""

    group: ChannelGroup
    width: int
    added: int


def fill_lanes(net: fx.GraphModule) -> tuple[fx.GraphModule, dict[str, list[int]]]:
    """A quantized model with some groups of channels filled up with zeros, and each one's width before and after.

    Where the result would not compute the same (a size that stands in the graph), the model is left as it is.
    """
    chosen = _choose(net)
    if not chosen:
        return net, {}
    try:
        wider = _widen(net, chosen)
        same = _compute_the_same(net, wider)
    except RuntimeError:  # sizes of tensors no longer fit
        same = False
    if not same:
        return net, {}
    return wider, {each.group.name: [each.group.num_classes, each.width] for each in chosen}


def _choose(net: fx.GraphModule) -> list[Widening]:
    """The groups worth widening, the cheapest first, as many as the file may grow."""
    layers = {path: layer for path, layer in net.named_modules() if isinstance(layer, IntegerWeights)}
    left = MAX_GROWTH * sum(layer.weight.numel() for layer in layers.values())
    found = [_widening(group, layers) for group in find_channels(_skeleton(net)).free]
    chosen = []
    for each in sorted((each for each in found if each is not None), key=lambda each: each.added):
        if each.added <= left:
            chosen.append(each)
            left -= each.added
    return chosen


def _skeleton(net: fx.GraphModule) -> fx.GraphModule:
    """The float model behind a simulation: what is known about channels is known about plain layers."""

    def edit(changed: fx.GraphModule) -> None:
        for node in list(changed.graph.nodes):
            layer = layer_of(changed, node)
            if isinstance(layer, QuantizeActivation):
                node.replace_all_uses_with(node.args[0])  # type: ignore[arg-type]
                changed.graph.erase_node(node)
            elif layer is not None and type(layer) in PLAIN:
                settings = {key: value for key, value in settings_of(layer).items() if key != "bits"}  # type: ignore[arg-type]
                plain = PLAIN[type(layer)](**settings, device="meta").to_empty(device="cpu")
                changed.set_submodule(str(node.target), plain)

    return rewrite(net, edit)


def _widening(group: ChannelGroup, layers: dict[str, IntegerWeights]) -> Widening | None:
    """How a group could be widened; None when it has full lanes, or is not made of whole layers."""
    if not all(_is_whole(member, layers, group.num_classes) for member in group.members):
        return None
    count = group.num_classes
    made_by = [layers[path] for path in group.layers("out")]
    if not made_by or (count >= LANES and not any(is_depthwise(layer) for layer in made_by)):
        return None
    width = -(-count // LANES) * LANES
    touched = {member.path: layers[member.path].weight.numel() for member in group.members}
    added = sum(numel * (width - count) // count for numel in touched.values())
    return Widening(group=group, width=width, added=added) if width > count else None


def _is_whole(member: Member, layers: dict[str, IntegerWeights], count: int) -> bool:
    """Whether a group's channels are all channels of one side of a layer, in order: then zeros can follow them."""
    layer = layers.get(member.path)
    if isinstance(layer, QuantConv2d):
        size = layer.out_channels if member.side == "out" else layer.in_channels
        fits = size == count and (layer.groups == 1 or is_depthwise(layer))
    elif isinstance(layer, QuantLinear):
        fits = (layer.out_features if member.side == "out" else layer.in_features) == member.num_channels
    else:
        return False
    each = member.num_channels // count
    blocks = tuple(tuple(range(index * each, (index + 1) * each)) for index in range(count))
    return fits and member.side in ("out", "in") and member.positions == blocks


def _widen(net: fx.GraphModule, chosen: Iterable[Widening]) -> fx.GraphModule:
    """A copy of the model with zeros behind the channels of the chosen groups."""
    added: dict[str, dict[str, int]] = {}
    for each in chosen:
        for member in each.group.members:
            share = member.num_channels // each.group.num_classes
            added.setdefault(member.path, {})[member.side] = share * (each.width - each.group.num_classes)

    def edit(changed: fx.GraphModule) -> None:
        for path, sides in added.items():
            layer = changed.get_submodule(path)
            changed.set_submodule(path, _wider(layer, rows=sides.get("out", 0), columns=sides.get("in", 0)))

    return rewrite(net, edit)


def _wider(layer: nn.Module, *, rows: int, columns: int) -> nn.Module:
    """A layer with that many more outputs and inputs, all of zeros."""
    settings = settings_of(layer)
    if isinstance(layer, QuantLinear):
        changes = {"out_features": layer.out_features + rows, "in_features": layer.in_features + columns}
    else:
        assert isinstance(layer, QuantConv2d)
        changes = {"out_channels": layer.out_channels + rows, "in_channels": layer.in_channels + columns}
        if layer.groups > 1:
            changes["groups"], columns = layer.groups + rows, 0
    new = type(layer)(**{**settings, **changes})
    ends = (0, 0) * (layer.weight.dim() - 2)
    with torch.no_grad():
        new.weight.copy_(nn.functional.pad(layer.weight, (*ends, 0, columns, 0, rows)))
        new.set_grid(
            weight_scale=nn.functional.pad(layer.weight_scale, (0, rows), value=1.0), input_scale=layer.input_scale
        )
        if layer.bias is not None and new.bias is not None:
            new.bias.copy_(nn.functional.pad(layer.bias, (0, rows)))
    return new


def _compute_the_same(net: fx.GraphModule, wider: fx.GraphModule) -> bool:
    """Whether outputs agree on random images, up to sums that were added in another order."""
    images_BCHW = torch.randn((2, *input_shape(net)), generator=torch_generator(0, "export.lanes"))
    with torch.no_grad():
        outputs = [net(images_BCHW), wider(images_BCHW)]
    want, got = ([each] if isinstance(each, torch.Tensor) else list(each) for each in outputs)
    return all(
        first.shape == second.shape and (first - second).norm() <= 0.05 * first.norm()
        for first, second in zip(want, got, strict=True)
    )
