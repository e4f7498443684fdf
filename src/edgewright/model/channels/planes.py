"""Operators that work on each channel's plane by itself: pooling, interpolation, windows cut out and put back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import fx

from .space import Labels, nobody
from .trace import Trace, name_of, refuse

Rule = Callable[[Trace, fx.Node, Any, Any], Any]


def pool(seen: Trace, node: fx.Node, args: Any, kwargs: Any) -> Labels | tuple[Labels, ...]:
    """Works on each channel's plane by itself: pooling, interpolation, padding by reflection."""
    name = name_of(node.target)
    rank = next((count for count in (1, 2, 3) if f"{count}d" in name), 2)
    labels = args[0]
    planes = range(len(labels.shape) - rank, len(labels.shape))
    labels = seen.space.forbid(labels, planes, f"{name} at '{node.name}' mixes them as positions")
    return labels.reshaped(seen.shapes[node.name])


def columns(seen: Trace, node: fx.Node, args: Any, kwargs: Any) -> Labels:
    """unfold(x, kernel) as (B, C k, positions): each channel becomes a block of k features."""
    labels = seen.space.only(args[0], 1, f"{name_of(node.target)} at '{node.name}' mixes them as positions")
    ids = labels.ids.expand(1, labels.ids.size(1), 1, 1).view(-1)
    shape = seen.shapes[node.name]
    if ids.numel() > 1:
        ids = ids.repeat_interleave(shape[1] // labels.shape[1])
    return Labels(ids.view(1, -1, 1), shape)


def image(seen: Trace, node: fx.Node, args: Any, kwargs: Any) -> Labels:
    """fold(x, size, kernel), the reverse of `columns`: the k features of a block are coupled."""
    shape, reason = seen.shapes[node.name], f"{name_of(node.target)} at '{node.name}' adds them up"
    labels = seen.space.only(args[0], 1, reason)
    rows = labels.along(1).view(shape[1], -1)
    joined = seen.space.collapse(Labels(rows, tuple(rows.shape)), (1,), reason)
    return Labels(joined.ids.view(1, -1, 1, 1), shape)


def with_places(rule: Rule) -> Rule:
    """For operators that return values and where they were found (max over an axis): `rule` is that of the values."""

    def both(seen: Trace, node: fx.Node, args: Any, kwargs: Any) -> Any:
        values = next((user for user in node.users if user.args[1:] == (0,)), None)
        if values is None:
            return refuse(seen, node, args, kwargs)
        seen.shapes[node.name] = seen.shapes[values.name]
        labels = rule(seen, node, args, kwargs)
        return labels, nobody(labels.shape)

    return both
