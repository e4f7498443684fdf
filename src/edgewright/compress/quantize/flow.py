"""What each operator of a captured graph means to integers, and where its values come from and go to.

The roles are tables; a new operator is one entry.

    STRONG      worth computing in integers by itself: convolutions, linear layers, matrix products
    FOLLOWING   integer when what flows in is integer: additions, products, concatenations, averages, sigmoids
    CLAMPS      vanish into the range of the quantizer behind them
    PASSING     hand integers through: reshapes, max pooling
"""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import fx, nn

from ...model import layer_of, tensor_specs
from ...model.functions import CLAMPS, MOVES, SPLITS, clamp_bounds, is_global_average, lowest_padding, zero_padding
from ...model.quantized import QUANTIZED

aten = torch.ops.aten

STRONG = {aten.matmul.default, aten.bmm.default}
FOLLOWING = {
    aten.add.Tensor, aten.mul.Tensor, aten.cat.default, aten.adaptive_avg_pool2d.default, aten.avg_pool2d.default,
    aten.mean.dim, aten.sigmoid.default, aten.hardsigmoid.default, aten.leaky_relu.default, aten.div.Tensor,
    aten.sub.Tensor,
}  # fmt: skip
ARITHMETIC = {aten.add.Tensor, aten.mul.Tensor, aten.sub.Tensor, aten.div.Tensor}
WITH_NUMBERS_ONLY = {aten.sub.Tensor, aten.div.Tensor}  # of two tensors there is no integer kernel
PASSING = MOVES | {
    aten.max_pool2d.default, aten.pixel_shuffle.default, aten.channel_shuffle.default, aten.upsample_nearest2d.vec,
}  # fmt: skip


class Flow:
    """Reads a captured graph; changes nothing."""

    def __init__(self, net: fx.GraphModule) -> None:
        self.net = net
        self.specs = tensor_specs(net)
        self.nodes: list[fx.Node] = [node for node in net.graph.nodes if node.op == "output" or node.name in self.specs]

    # -- roles ------------------------------------------------------------------------------------------------------
    def is_layer(self, node: fx.Node) -> bool:
        """Whether the node calls a layer whose weights become integers."""
        return type(layer_of(self.net, node)) in QUANTIZED

    def is_strong(self, node: fx.Node) -> bool:
        return self.is_layer(node) or node.target in STRONG

    def is_following(self, node: fx.Node) -> bool:
        if node.target in (aten.adaptive_avg_pool2d.default, aten.mean.dim):
            return is_global_average(node, rank=len(self.specs[_node(node.args[0]).name].shape))
        if node.target in ARITHMETIC and not _has_integer_form(node):
            return False
        return node.target in FOLLOWING

    def is_passing(self, node: fx.Node) -> bool:
        if node.target in PASSING or node.target in SPLITS or isinstance(layer_of(self.net, node), nn.Dropout):
            return True
        if node.name in self.specs:
            rank = len(self.specs[node.name].shape)
            if zero_padding(node, rank=rank) is not None or lowest_padding(node, rank=rank) is not None:
                return True
        return node.target is operator.getitem and _node(node.args[0]).target in SPLITS

    # -- paths ------------------------------------------------------------------------------------------------------
    def inputs(self, node: fx.Node) -> list[fx.Node]:
        """The nodes that make the values which flow in: sizes left out, reshapes and the like skipped."""
        return [self.origin(each) for each in node.all_input_nodes if each.name in self.specs or self.is_passing(each)]

    def origin(self, node: fx.Node) -> fx.Node:
        """The node that made the values which leave `node`: itself, unless it only passes them."""
        while self.is_passing(node):
            node = node.all_input_nodes[0]
        return node

    def readers(self, node: fx.Node) -> list[fx.Node]:
        """The nodes that read the values of `node`, reshapes and the like skipped; sizes are no values."""
        found: list[fx.Node] = []
        for user in node.users:
            found += self.readers(user) if self.is_passing(user) else [user]
        return [reader for reader in found if reader.op == "output" or reader.name in self.specs]

    def point(self, node: fx.Node) -> fx.Node:
        """Where the quantizer of a node's output stands: behind the clamp that alone reads it, or the node itself."""
        users = list(node.users)
        return users[0] if len(users) == 1 and self.is_range(users[0]) else node

    def is_range(self, node: fx.Node) -> bool:
        """Whether the range of a quantizer behind the node does the node's work: a clamp whose bounds hold 0."""
        if node.target not in CLAMPS:
            return False
        low, high = clamp_bounds(node)
        return (low is None or low <= 0.0) and (high is None or high >= 0.0)


def _has_integer_form(node: fx.Node) -> bool:
    """Whether a sum or product is one of two tensors, or of a tensor and a number that is not 0."""
    if node.kwargs:
        return False
    other = node.args[1]
    if isinstance(other, fx.Node):
        return node.target not in WITH_NUMBERS_ONLY
    return isinstance(other, (int, float)) and other != 0


def _node(value: Any) -> fx.Node:
    assert isinstance(value, fx.Node)
    return value
