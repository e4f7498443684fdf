"""Operators that combine elements at the same place (add, mul, where): their channels are coupled."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from .space import NOBODY, Labels, nobody
from .trace import Trace, name_of


def elementwise(seen: Trace, node: fx.Node, args: Any, kwargs: Any) -> Labels:
    """Each element depends on the elements at the same place of several tensors: their channels are coupled."""
    found = [as_labels(value) for value in (*args, *kwargs.values())]
    result: Labels | None = None
    for labels in found:
        if labels is not None:
            result = labels if result is None else combine(seen, node, result, labels)
    assert result is not None  # the rule is only called when some argument has labels
    return result


def as_labels(value: Any) -> Labels | None:
    if isinstance(value, torch.Tensor):
        return nobody(value.shape)
    return value if isinstance(value, Labels) else None


def combine(seen: Trace, node: fx.Node, left: Labels, right: Labels) -> Labels:
    space, shape = seen.space, torch.broadcast_shapes(left.shape, right.shape)
    reason = f"{name_of(node.target)} at '{node.name}' combines them with something that cannot be cut"
    left, right = space.settle(_ranked(left, len(shape))), space.settle(_ranked(right, len(shape)))
    spread = f"{name_of(node.target)} at '{node.name}' spreads it over others"
    left, right = _single(seen, left, right, spread), _single(seen, right, left, spread)
    left, right = _yield_axes(seen, left, right, reason)
    left = space.forbid(left, _fixed_axes(left, right), reason)
    right = space.forbid(right, _fixed_axes(right, left), reason)
    space.couple(left.ids, right.ids)
    _lock_holes(seen, left, right, reason)
    _lock_holes(seen, right, left, reason)
    ids = torch.where(left.ids == NOBODY, right.ids, left.ids)
    return space.settle(Labels(ids, tuple(shape)))


def _single(seen: Trace, labels: Labels, other: Labels, reason: str) -> Labels:
    """A single channel, or a number, that is broadcast over the channels of `other`: it stays, they remain free."""
    if labels.axes or not any(labels.shape[axis] == 1 for axis in other.axes):
        return labels
    seen.space.lock(labels.ids, reason)
    return nobody(labels.shape)


def _ranked(labels: Labels, rank: int) -> Labels:
    missing = (1,) * (rank - len(labels.shape))
    return Labels(labels.ids.view(*missing, *labels.ids.shape), (*missing, *labels.shape))


def _yield_axes(seen: Trace, left: Labels, right: Labels, reason: str) -> tuple[Labels, Labels]:
    """Where the two vary along different axes only one can be cut: loose parameters give way to layers."""
    for one, other in ((left, right), (right, left)):
        if not other.axes or all(axis in other.axes or other.shape[axis] > 1 for axis in one.axes):
            continue
        made, loose = seen.space.made_by_layer(one), not seen.space.made_by_layer(other)
        apart = not set(one.axes) & set(other.axes)
        if (apart and loose) or (made and (apart or loose)):
            seen.space.lock(other.ids, reason)
            still = nobody(other.shape)
            return (one, still) if one is left else (still, one)
    return left, right


def _fixed_axes(labels: Labels, other: Labels) -> list[int]:
    """Axes along which `labels` varies and `other`, which belongs to nobody, has a size of its own."""
    constant = bool((other.ids == NOBODY).all())
    return [axis for axis in labels.axes if other.shape[axis] > 1] if constant else []


def _lock_holes(seen: Trace, labels: Labels, other: Labels, reason: str) -> None:
    """Lock ids that meet an element of nobody's in a tensor that is otherwise cut."""
    if bool((other.ids == NOBODY).all()):
        return
    ids, others = torch.broadcast_tensors(labels.ids, other.ids)
    seen.space.lock(ids[(others == NOBODY) & (ids != NOBODY)], reason)
