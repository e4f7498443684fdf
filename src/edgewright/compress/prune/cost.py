"""What a cut model will cost, exactly and without cutting it: sums of products of widths.

A layer that reads `a` channels and makes `b` costs a multiple of `a * b`, and `a` and `b` are sums over groups. So all
that a plan asks about MACs and parameters is answered by tables of counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import fx, nn

from ...analyze import profile
from ...model import ChannelMap, layer_of
from ...model.channels import Labels, name_of

ONE = 0  # the width that is always 1


class Widths:
    """Counts of channels as functions of how many classes each group keeps. Width 0 is always 1.

    Args:
        owner: class id -> (group, rank); rank 0 is kept longest.
        sizes: classes of each group.
    """

    def __init__(self, owner: Mapping[int, tuple[int, int]], sizes: Sequence[int]) -> None:
        self.sizes = list(sizes)
        self._owner = owner
        self._fixed = [1]
        self._rows: list[list[int]] = [[] for _ in sizes]  # group -> widths that it takes part in
        self._counts: list[list[np.ndarray]] = [[] for _ in sizes]  # and their channels by classes kept

    def add(self, roots: torch.Tensor) -> int:
        """The width of a tensor axis with these class ids."""
        counts: dict[int, np.ndarray] = {}
        fixed = 0
        for root in roots.tolist():
            group, rank = self._owner.get(root, (-1, 0))
            if group < 0:
                fixed += 1
            else:
                counts.setdefault(group, np.zeros(self.sizes[group] + 1, dtype=np.int64))[rank + 1] += 1
        width = len(self._fixed)
        self._fixed.append(fixed)
        for group, each in counts.items():
            self._rows[group].append(width)
            self._counts[group].append(np.cumsum(each))
        return width

    def at(self, kept: Sequence[int]) -> np.ndarray:
        """All widths when group g keeps `kept[g]` classes."""
        values = np.array(self._fixed, dtype=np.int64)
        for group, count in enumerate(kept):
            rows, table = self.of(group)
            values[rows] += table[:, count]
        return values

    def of(self, group: int) -> tuple[np.ndarray, np.ndarray]:
        """The widths (R,) that a group takes part in, and its share of each (R, classes kept)."""
        rows = np.array(self._rows[group], dtype=np.int64)
        return rows, np.array(self._counts[group], dtype=np.int64).reshape(len(rows), self.sizes[group] + 1)


class Sum:
    """sum of `factor * width * width / divisor`, every term a whole number; ready to be asked often.

    Args:
        widths: complete.
        terms: (factor, width, width, divisor) each.
    """

    def __init__(self, widths: Widths, terms: Sequence[tuple[int, int, int, int]]) -> None:
        self._factor, self._first, self._second, self._divisor = np.array(terms, dtype=np.int64).reshape(-1, 4).T
        self._shares = [widths.of(group) for group in range(len(widths.sizes))]
        self._touched = [
            np.flatnonzero(np.isin(self._first, rows) | np.isin(self._second, rows)) for rows, _ in self._shares
        ]
        self._kept = list(widths.sizes)
        self._values = widths.at(self._kept)

    def at(self, kept: Sequence[int]) -> int:
        """The value when group g keeps `kept[g]` classes."""
        self._move(kept)
        return int(self._terms(slice(None), self._values[:, None]).sum())

    def vary(self, kept: Sequence[int], group: int, counts: np.ndarray) -> np.ndarray:
        """The values when `group` keeps each of `counts` classes and all others what `kept` says."""
        self._move(kept)
        rows, table = self._shares[group]
        values = np.repeat(self._values[:, None], len(counts), axis=1)
        values[rows] += table[:, counts] - table[:, [kept[group]]]
        touched = self._touched[group]
        rest = self._terms(slice(None), self._values[:, None]).sum() - self._terms(touched, self._values[:, None]).sum()
        return rest + self._terms(touched, values).sum(axis=0)

    def _terms(self, which: Any, values: np.ndarray) -> np.ndarray:
        products = self._factor[which, None] * values[self._first[which]] * values[self._second[which]]
        return products // self._divisor[which, None]

    def _move(self, kept: Sequence[int]) -> None:
        """Make `kept` the choice that `_values` describe."""
        for group, (now, then) in enumerate(zip(kept, self._kept, strict=True)):
            if now != then:
                rows, table = self._shares[group]
                self._values[rows] += table[:, now] - table[:, then]
                self._kept[group] = now


class Terms(list[tuple[int, int, int, int]]):
    """Terms of a `Sum` that is being put together."""

    def add(self, factor: int, first: int = ONE, second: int = ONE, *, divisor: int = 1) -> None:
        self.append((factor, first, second, divisor))


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
        self._net, self._channels = net, channels
        self._widths = Widths(owner, [len(each) for each in classes])
        self._sides = {path: self._layer_widths(path) for path in channels.trace.layers}
        macs, params = self._count_macs(), self._count_params()
        self.macs, self.params = Sum(self._widths, macs), Sum(self._widths, params)

    @property
    def full(self) -> list[int]:
        """What every group keeps in the model as it is."""
        return list(self._widths.sizes)

    def _roots(self, ids: torch.Tensor) -> torch.Tensor:
        return self._channels.trace.space.find(ids)

    def _layer_widths(self, path: str) -> tuple[int, int]:
        """Widths (made, read) of a layer."""
        layer = self._channels.trace.layers[path]
        made, read = (ONE if ids is None else self._widths.add(self._roots(ids)) for ids in (layer.out, layer.into))
        return made, read

    def _along(self, labels: Labels) -> tuple[int, int]:
        """Width and full size of the axis along which labels vary; the width 1 if they do not."""
        if not labels.axes:
            return ONE, 1
        axis = labels.axes[0]
        return self._widths.add(self._roots(labels.along(axis))), labels.shape[axis]

    def _count_macs(self) -> Terms:
        total = Terms()
        nodes = {node.name: node for node in self._net.graph.nodes}
        for row in profile(self._net).rows:
            node = nodes.get(row.name)
            if row.macs and node is not None:
                self._add_macs(total, node, row.macs)
            elif row.macs:
                total.add(row.macs)
        return total

    def _add_macs(self, total: Terms, node: fx.Node, macs: int) -> None:
        layer, trace = layer_of(self._net, node), self._channels.trace
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
        for node in self._net.graph.nodes:
            path = str(node.target)
            if node.op == "get_attr" and path not in seen:
                seen.add(path)
                self._add_loose(total, path)
            if node.op == "call_module" and path not in seen:
                seen.add(path)
                layer = self._net.get_submodule(path)
                if path not in trace.layers:
                    total.add(sum(value.numel() for value in layer.parameters()))
                elif trace.layers[path].out is not None:
                    self._add_weights(total, path, layer)
                else:
                    self._add_scale(total, path, layer)
        return total

    def _add_loose(self, total: Terms, name: str) -> None:
        value, labels = getattr(self._net, name), self._channels.trace.params.get(name)
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
