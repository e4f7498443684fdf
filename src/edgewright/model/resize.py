"""Sizes that stand in a graph, rewritten after a cut: a table from the operator's name to its rewriting.

Every rewriting reads off the labels how many elements stay along an axis. An operator that is missing here holds no
size of a cut axis, or `channels` has locked what reaches it.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from .channels.ends import argument
from .channels.space import Labels
from .channels.trace import Trace, name_of

aten = torch.ops.aten


@dataclass(eq=False)
class Survivors:
    """Which elements of each tensor stay when the classes `gone` leave."""

    trace: Trace
    gone: torch.Tensor
    symbolic: bool = False  # whether a size that depends on the batch was rewritten

    def stays(self, ids: torch.Tensor) -> torch.Tensor:
        """A boolean for each id."""
        return ~torch.isin(self.trace.space.find(ids), self.gone)

    def shape(self, labels: Labels) -> tuple[int, ...]:
        """The tensor's shape at batch 1 after the cut."""
        return tuple(
            int(self.stays(labels.along(axis)).sum()) if axis in labels.axes else size
            for axis, size in enumerate(labels.shape)
        )

    def take(self, value: torch.Tensor, labels: Labels) -> torch.Tensor:
        """The elements of `value` that stay."""
        for axis in labels.axes:
            value = value.index_select(axis, self.stays(labels.along(axis)).nonzero().view(-1))
        return value


def resize(survivors: Survivors, old: fx.Node, new: fx.Node) -> None:
    """Rewrite the sizes in the arguments of `new`, the copy of `old` in the cut graph."""
    rewriting = RESIZE.get(name_of(old.target))
    if rewriting is not None and survivors.trace.labels_in(survivors.trace.values[old]):
        rewriting(survivors, old, new)


def _set(node: fx.Node, position: int, value: Any) -> None:
    node.args = (*node.args[:position], value, *node.args[position + 1 :])


def _sizes(survivors: Survivors, old: fx.Node, new: fx.Node, *, position: int = 1, offset: int = 0) -> None:
    """A list of output sizes: view, reshape, expand."""
    labels = survivors.trace.values[old]
    after = survivors.shape(labels)
    sizes = list(new.args[position])  # type: ignore[arg-type]
    for place, size in enumerate(sizes):
        axis = place + offset
        if after[axis] != labels.shape[axis] and size != -1:
            sizes[place] = after[axis] if isinstance(size, int) else _per_sample(survivors, new, after[axis])
    _set(new, position, sizes)


def _per_sample(survivors: Survivors, node: fx.Node, count: int) -> fx.Node:
    """`count` for each sample of the batch, as nodes of the graph."""
    survivors.symbolic = True
    image = next(each for each in node.graph.nodes if each.op == "placeholder")
    with node.graph.inserting_before(node):
        batch = node.graph.call_function(aten.sym_size.int, (image, 0))
        return node.graph.call_function(operator.mul, (batch, count))


def _unflatten(survivors: Survivors, old: fx.Node, new: fx.Node) -> None:
    rank = len(survivors.trace.values[old].shape) - len(argument(old, "sizes")) + 1
    _sizes(survivors, old, new, position=2, offset=argument(old, "dim") % rank)


def _normalized(survivors: Survivors, old: fx.Node, new: fx.Node) -> None:
    rank = len(survivors.trace.values[old].shape)
    _sizes(survivors, old, new, offset=rank - len(argument(old, "normalized_shape")))


def _parts(survivors: Survivors, old: fx.Node, new: fx.Node) -> None:
    """chunk and split: the parts that stay may be unequal, so their sizes are written out."""
    parts = survivors.trace.values[old]
    axis = argument(old, "dim") % len(parts[0].shape)
    if all(axis not in part.axes for part in parts):
        return
    new.target = aten.split_with_sizes.default
    new.args = (new.args[0], [survivors.shape(part)[axis] for part in parts], axis)
    new.kwargs = {}


def _slice(survivors: Survivors, old: fx.Node, new: fx.Node) -> None:
    source, result = survivors.trace.values[old.args[0]], survivors.trace.values[old]  # type: ignore[index]
    axis = (argument(old, "dim") or 0) % len(source.shape)
    if axis not in source.axes or argument(old, "step") not in (None, 1):
        return  # with a step it picks by position: nothing leaves along this axis
    before = argument(old, "start") or 0
    before = before + source.shape[axis] if before < 0 else before
    start = int(survivors.stays(source.along(axis))[:before].sum())
    new.args = (new.args[0], axis, start, start + survivors.shape(result)[axis])
    new.kwargs = {}


def _narrow(survivors: Survivors, old: fx.Node, new: fx.Node) -> None:
    source, result = survivors.trace.values[old.args[0]], survivors.trace.values[old]  # type: ignore[index]
    axis = argument(old, "dim") % len(source.shape)
    if axis in source.axes:
        start = int(survivors.stays(source.along(axis))[: argument(old, "start")].sum())
        new.args = (new.args[0], axis, start, survivors.shape(result)[axis])


def _pad(survivors: Survivors, old: fx.Node, new: fx.Node) -> None:
    labels, widths = survivors.trace.values[old], list(old.args[1])  # type: ignore[arg-type]
    for place in range(len(widths) // 2):
        axis = len(labels.shape) - 1 - place
        if axis in labels.axes:
            stays = survivors.stays(labels.along(axis))
            before, after = widths[2 * place : 2 * place + 2]
            widths[2 * place : 2 * place + 2] = [int(stays[:before].sum()), int(stays[len(stays) - after :].sum())]
    _set(new, 1, widths)


def _attention(survivors: Survivors, old: fx.Node, new: fx.Node) -> None:
    """Attention divides by the root of the features of a head: that number must not change with the cut."""
    query = survivors.trace.values[old.args[0]]  # type: ignore[index]
    features = query.shape[-1]
    if survivors.shape(query)[-1] != features and argument(old, "scale") is None:
        new.kwargs = {**new.kwargs, "scale": 1 / math.sqrt(features)}


RESIZE: dict[str, Callable[[Survivors, fx.Node, fx.Node], None]] = {
    "view": _sizes,
    "_unsafe_view": _sizes,
    "reshape": _sizes,
    "expand": _sizes,
    "unflatten": _unflatten,
    "layer_norm": _normalized,
    "rms_norm": _normalized,
    "chunk": _parts,
    "split": _parts,
    "split_with_sizes": _parts,
    "slice": _slice,
    "narrow": _narrow,
    "constant_pad_nd": _pad,
    "pad": _pad,
    "scaled_dot_product_attention": _attention,
}
