"""Links: a layer whose output reaches exactly one other layer, through operators that treat every channel alone.

What one layer scales up in a channel the other can scale down, if all between is homogeneous: f(s x) = s f(x), s > 0.
Found on the graph; layer names mean nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import fx, nn

from ....model import layer_of, tensor_specs
from ....model.functions import CLAMPS, COPIES, clamp_bounds, zero_padding
from .sides import is_layer

aten = torch.ops.aten
Shapes = dict[str, tuple[int, ...]]

HOMOGENEOUS = COPIES | {aten.leaky_relu.default, aten.prelu.default}
PER_CHANNEL = {
    aten.max_pool2d.default, aten.avg_pool2d.default, aten.adaptive_avg_pool2d.default, aten.max_pool1d.default,
    aten.upsample_nearest2d.vec, aten.upsample_bilinear2d.vec,
}  # fmt: skip
JOINS = {aten.flatten.using_ints, aten.view.default, aten.reshape.default}


@dataclass(frozen=True, kw_only=True)
class Link:
    """Two layers and what lies between.

    Attributes:
        first, second: nodes of the layers.
        between: the nodes on the way, in order.
        repeat: how many neighbouring input channels of `second` each output channel of `first` fills: the positions
            of a map that is flattened, else 1.
    """

    first: fx.Node
    second: fx.Node
    between: tuple[fx.Node, ...]
    repeat: int = 1


@dataclass(frozen=True, kw_only=True)
class Links:
    """All links of a net in graph order, and why each other layer starts none, by node name."""

    found: tuple[Link, ...]
    refused: dict[str, str]


def find_links(net: fx.GraphModule) -> Links:
    """Every pair of layers that can share a scale per channel."""
    shapes = {name: spec.shape for name, spec in tensor_specs(net).items()}
    targets = [str(node.target) for node in net.graph.nodes if node.op == "call_module"]
    found, refused = [], {}
    for node in net.graph.nodes:
        if not is_layer(layer_of(net, node)):
            continue
        link = _follow(net, node, shapes)
        if isinstance(link, Link):
            twice = [str(end.target) for end in (link.first, link.second) if targets.count(str(end.target)) > 1]
            link = f"the layer {twice[0]} is used {targets.count(twice[0])} times" if twice else link
        if isinstance(link, Link):
            found.append(link)
        else:
            refused[node.name] = link
    return Links(found=tuple(found), refused=refused)


def _follow(net: fx.GraphModule, first: fx.Node, shapes: Shapes) -> Link | str:
    """The link that starts at a layer, or why there is none."""
    at, repeat = first, 1
    between: list[fx.Node] = []
    axis = _channel_axis(layer_of(net, first), shapes[first.name])
    while True:
        readers = [user for user in at.users if user.op == "output" or user.name in shapes]
        if len(readers) != 1:
            return f"{at.name} is read by {', '.join(reader.name for reader in readers) or 'nothing'}"
        after = readers[0]
        if after.op == "output":
            return f"{at.name} is an output of the net"
        if is_layer(layer_of(net, after)):
            wanted = _channel_axis(layer_of(net, after), shapes[at.name])
            if wanted != axis:
                return f"{after.name} reads the channels of {first.name} as positions"
            return Link(first=first, second=after, between=tuple(between), repeat=repeat)
        reason = _obstacle(net, after, at, axis=axis, shapes=shapes)
        if reason is not None:
            return reason
        if after.target in JOINS:
            repeat *= shapes[after.name][1] // shapes[at.name][1]
        at = after
        between.append(after)


def _channel_axis(layer: nn.Module | None, shape: tuple[int, ...]) -> int:
    return len(shape) - 1 if isinstance(layer, nn.Linear) else 1


def _obstacle(net: fx.GraphModule, node: fx.Node, before: fx.Node, *, axis: int, shapes: Shapes) -> str | None:
    """Why scales cannot pass an operator, or None."""
    shape, given = shapes[node.name], shapes[before.name]
    name = str(node.target).removeprefix("aten.").partition(".")[0]
    if node.target in CLAMPS:
        return _clamp_obstacle(node, name)
    if node.target in HOMOGENEOUS or isinstance(layer_of(net, node), nn.Dropout):
        return None
    if node.target in JOINS and axis == 1 and len(shape) == 2 and len(given) > 2:
        joined = torch.Size(given[1:]).numel()
        return None if shape[1] == joined else f"{node.name} mixes channels with other axes"
    spatial = node.target in PER_CHANNEL or _averages_positions(node, len(given)) or _pads(node, len(shape))
    if spatial and axis == 1 and shape[1] == given[1]:
        return None
    if len(node.all_input_nodes) > 1:
        return f"{before.name} meets another tensor in {node.name}"
    return f"{name} is not homogeneous: a scaled input does not give a scaled output"


def _clamp_obstacle(node: fx.Node, name: str) -> str | None:
    low, high = clamp_bounds(node)
    bounded = [bound for bound in (low, high) if bound not in (None, 0.0)]
    if not bounded:
        return None
    return f"{name} is not homogeneous: its bound {bounded[-1]:g} would become another one in each channel"


def _averages_positions(node: fx.Node, rank: int) -> bool:
    if node.target is not aten.mean.dim or rank < 3:
        return False
    axes = {int(axis) % rank for axis in node.args[1]}  # type: ignore[union-attr, arg-type]
    return axes <= set(range(2, rank))


def _pads(node: fx.Node, rank: int) -> bool:
    return zero_padding(node, rank=rank) is not None
