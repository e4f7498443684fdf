"""What a cut model will cost, exactly and without cutting it: sums of products of widths.

A layer that reads `a` channels and makes `b` costs a multiple of `a * b`, and `a` and `b` are sums over groups. So all
that a plan asks about MACs and parameters is answered by tables of counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import fx, nn

from ...analyze import profile
from ...model import ChannelMap, layer_of
from ...model.channels import Labels, name_of
from .widths import ONE, Sum, Terms, Widths


class CutCost:
    """MACs and parameters of every cut of one model.

    Args:
        net: the captured model.
        channels: its coupled channels.
        order: group name -> its class indices, the one that is kept longest first. Groups that are not named stay.
    """

    def __init__(self, net: fx.GraphModule, channels: ChannelMap, order: Mapping[str, Sequence[int]]) -> None:
        self.groups = tuple(order)
        classes = [channels.group(name).classes for name in self.groups]
        owner = {
            classes[g][index]: (g, rank) for g, name in enumerate(self.groups) for rank, index in enumerate(order[name])
        }
        self.net, self._channels = net, channels
        self.widths = Widths(owner, [len(each) for each in classes])
        self._sides = {path: self._layer_widths(path) for path in channels.trace.layers}
        macs, params = self._count_macs(), self._count_params()
        self.macs, self.params = Sum(self.widths, macs), Sum(self.widths, params)

    @property
    def full(self) -> list[int]:
        """What every group keeps in the model as it is."""
        return list(self.widths.sizes)

    def extent(self, node: fx.Node) -> tuple[int, int]:
        """Width of the channels that a node's result holds along whichever axes, and their full number."""
        labels = self._channels.trace.values.get(node)
        if isinstance(labels, Labels):
            return self._whole(labels)
        loose = self._channels.trace.params.get(str(node.target)) if node.op == "get_attr" else None
        return (ONE, 1) if loose is None else self._whole(loose)

    def channel_axis(self, node: fx.Node) -> tuple[int, int] | None:
        """The axis along which a node's result holds its channels, and their width; None if it is not one axis."""
        labels = self._channels.trace.values.get(node)
        if not isinstance(labels, Labels) or len(labels.axes) != 1:
            return None
        return labels.axes[0], self._along(labels)[0]

    def weight_extent(self, path: str) -> tuple[int, int, int]:
        """Two widths whose product the weights of a layer grow with, and that product in the whole model."""
        layer = self._channels.trace.layers.get(path)
        if layer is None or layer.out is None:
            width, size = self.vector_extent(path)
            return width, ONE, size
        made, read = self._sides[path]
        if layer.whole_groups:
            return made, ONE, layer.out.numel()
        return made, read, layer.out.numel() * layer.into.numel()  # type: ignore[union-attr]

    def vector_extent(self, path: str) -> tuple[int, int]:
        """The width that a layer's biases, scales and shifts grow with, and its full number."""
        layer = self._channels.trace.layers.get(path)
        if layer is None:
            return ONE, 1
        if layer.out is not None:
            return self._sides[path][0], layer.out.numel()
        return (ONE, 1) if layer.scale is None else self._along(layer.scale)

    def group_extent(self, node: fx.Node) -> tuple[int, int]:
        """The width that the number of a convolution's groups grows with, and its full number."""
        layer = self._channels.trace.layers.get(str(node.target)) if node.op == "call_module" else None
        if layer is None or layer.out is None or not layer.whole_groups:
            return ONE, 1
        return self._sides[str(node.target)][0], layer.out.numel()

    def terms_of(self, node: fx.Node, macs: int) -> Terms:
        """The terms whose sum is the MACs of a node that counts `macs` in the whole model."""
        terms = Terms()
        self._add_macs(terms, node, macs)
        return terms

    def _whole(self, labels: Labels) -> tuple[int, int]:
        ids = labels.ids.reshape(-1)
        return (ONE, 1) if len(ids) == 1 else (self.widths.add(self._roots(ids)), len(ids))

    def _roots(self, ids: torch.Tensor) -> torch.Tensor:
        return self._channels.trace.space.find(ids)

    def _layer_widths(self, path: str) -> tuple[int, int]:
        """Widths (made, read) of a layer."""
        layer = self._channels.trace.layers[path]
        made, read = (ONE if ids is None else self.widths.add(self._roots(ids)) for ids in (layer.out, layer.into))
        return made, read

    def _along(self, labels: Labels) -> tuple[int, int]:
        """Width and full size of the axis along which labels vary; the width 1 if they do not."""
        if not labels.axes:
            return ONE, 1
        axis = labels.axes[0]
        return self.widths.add(self._roots(labels.along(axis))), labels.shape[axis]

    def _count_macs(self) -> Terms:
        total = Terms()
        nodes = {node.name: node for node in self.net.graph.nodes}
        for row in profile(self.net).rows:
            node = nodes.get(row.name)
            if row.macs and node is not None:
                self._add_macs(total, node, row.macs)
            elif row.macs:
                total.add(row.macs)
        return total

    def _add_macs(self, total: Terms, node: fx.Node, macs: int) -> None:
        layer, trace = layer_of(self.net, node), self._channels.trace
        result = trace.values.get(node)
        if layer is not None and str(node.target) in self._sides:
            self._add_layer(total, node, layer, macs)
        elif name_of(node.target) == "scaled_dot_product_attention":
            self._add_attention(total, node, macs)
        elif isinstance(result, Labels) and not result.axes:
            operands = [value for value in trace.labels_in([trace.values[each] for each in node.all_input_nodes])]
            width, size = next((self._along(each) for each in operands if each.axes), (ONE, 1))
            total.add(macs // size, width)
        elif isinstance(result, Labels):
            width, size = self._along(result)
            total.add(macs // size, width)
        else:
            total.add(macs)

    def _add_attention(self, total: Terms, node: fx.Node, macs: int) -> None:
        """q k^T costs in proportion to the features of q, its product with v to those of v, both to the heads."""
        query, _, value = (self._channels.trace.values[each] for each in node.args[:3])  # type: ignore[index]
        share = macs // (query.shape[-1] + value.shape[-1])
        for labels in (query, value):
            width, size = self._along(labels)
            total.add(share * labels.shape[-1] // size, width)

    def _add_layer(self, total: Terms, node: fx.Node, layer: Any, macs: int) -> None:
        path = str(node.target)
        made, read = self._sides[path]
        groups = getattr(layer, "groups", 1)
        outer, inner = self._channels.trace.layers[path].out.numel(), self._channels.trace.layers[path].into.numel()  # type: ignore[union-attr]
        labels = self._channels.trace.values[node]
        if isinstance(layer, nn.Linear) and labels.axes and labels.axes[-1] != len(labels.shape) - 1:
            width, size = self._along(labels)  # works along another axis than its channels
            total.add(macs // size, width)
        elif self._channels.trace.layers[path].whole_groups:
            total.add(macs // outer, made)
        else:
            total.add(macs * groups // (outer * inner), made, read, divisor=groups)

    def _count_params(self) -> Terms:
        total = Terms()
        trace, seen = self._channels.trace, set()
        for node in self.net.graph.nodes:
            path = str(node.target)
            if node.op == "get_attr" and path not in seen:
                seen.add(path)
                self._add_loose(total, path)
            if node.op == "call_module" and path not in seen:
                seen.add(path)
                layer = self.net.get_submodule(path)
                if path not in trace.layers:
                    total.add(sum(value.numel() for value in layer.parameters()))
                elif trace.layers[path].out is not None:
                    self._add_weights(total, path, layer)
                else:
                    self._add_scale(total, path, layer)
        return total

    def _add_loose(self, total: Terms, name: str) -> None:
        value, labels = getattr(self.net, name), self._channels.trace.params.get(name)
        if isinstance(value, nn.Parameter):
            width, size = self._along(labels) if labels is not None else (ONE, 1)
            total.add(value.numel() // size, width)

    def _add_scale(self, total: Terms, path: str, layer: nn.Module) -> None:
        scale = self._channels.trace.layers[path].scale
        width, size = self._along(scale) if scale is not None else (ONE, 1)
        for value in layer.parameters():
            total.add(value.numel() // size, width)

    def _add_weights(self, total: Terms, path: str, layer: Any) -> None:
        made, read = self._sides[path]
        groups = getattr(layer, "groups", 1)
        area = math.prod(layer.weight.shape[2:])
        if layer.bias is not None:
            total.add(1, made)
        if self._channels.trace.layers[path].whole_groups:
            total.add(layer.weight.numel() // self._channels.trace.layers[path].out.numel(), made)  # type: ignore[union-attr]
        else:
            total.add(area, made, read, divisor=groups)
