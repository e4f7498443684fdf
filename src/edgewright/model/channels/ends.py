"""What only shows when the whole graph has been walked: axes that compete, operators that cannot follow a cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import fx

from .space import NOBODY, Labels, Space
from .trace import Trace, name_of


def settle(seen: Trace) -> None:
    """Couple ids until every tensor varies along one axis at most, then lock what its readers cannot follow.

    A tensor may come out of a reshape with channels along two axes (channel shuffle: groups and places). What is left
    after a cut must be a box again, so only one of them can be cut: the one that leaves more classes.
    """
    changed = True
    while changed:
        changed = False
        for labels in _everything(seen):
            now = seen.space.settle(labels)
            if len(now.axes) > 1:
                best = max(now.axes, key=lambda axis, all_=now: (_classes_left(all_, axis), axis))  # type: ignore[misc]
                seen.space.collapse(now, [axis for axis in now.axes if axis != best], "one of their axes is constant")
                changed = True
    for node in list(seen.values):
        seen.values[node] = _settled(seen.space, seen.values[node])
    for name, labels in seen.params.items():
        seen.params[name] = seen.space.settle(labels)
    for node in seen.values:
        _lock_unfit(seen, node)


def _everything(seen: Trace) -> list[Labels]:
    scales = [layer.scale for layer in seen.layers.values() if layer.scale is not None]
    return [*seen.labels_in(list(seen.values.values())), *scales, *seen.params.values()]


def _settled(space: Space, value: Any) -> Any:
    if isinstance(value, Labels):
        return space.settle(value)
    return type(value)(_settled(space, each) for each in value) if isinstance(value, (list, tuple)) else value


def _classes_left(labels: Labels, axis: int) -> int:
    """How many classes stay if the ids are coupled along all axes but `axis`."""
    rows = labels.ids.movedim(axis, 0).flatten(start_dim=1)
    trial = Space()
    unique, places = torch.unique(rows, return_inverse=True)
    ids = trial.fresh(unique.numel())[places]
    ids = torch.where(rows == NOBODY, NOBODY, ids)
    trial.couple(ids, ids.amax(dim=1, keepdim=True))
    roots = torch.unique(trial.find(ids))
    return int((roots != NOBODY).sum())


def _lock_unfit(seen: Trace, node: fx.Node) -> None:
    """Lock channels along an axis that the operator addresses by position or by a size that cannot be rewritten."""
    unfit = UNFIT.get(name_of(node.target)) if node.op == "call_function" else None
    if unfit is None:
        return
    labels = next(iter(seen.labels_in([seen.values[arg] for arg in node.all_input_nodes if arg in seen.values])), None)
    if labels is None or not labels.axes:
        return
    axes = {axis % len(labels.shape) for axis in unfit(node, len(labels.shape))}
    if axes & set(labels.axes):
        seen.space.lock(labels.ids, f"{name_of(node.target)} at '{node.name}' picks them by position")


def argument(node: fx.Node, name: str) -> Any:
    """An argument of an ATen call by its name, the default if it is not given."""
    for position, parameter in enumerate(node.target._schema.arguments):  # type: ignore[union-attr]
        if parameter.name == name:
            if position < len(node.args):
                return node.args[position]
            return node.kwargs.get(name, parameter.default_value)
    return None


def _axes_in(*names: str) -> Callable[[fx.Node, int], list[int]]:
    def axes(node: fx.Node, rank: int) -> list[int]:
        values = next((argument(node, name) for name in names if argument(node, name) is not None), None)
        if values is None or values == []:
            return list(range(rank))
        return list(values) if isinstance(values, (list, tuple)) else [values]

    return axes


def _strided(node: fx.Node, rank: int) -> list[int]:
    return [] if argument(node, "step") in (None, 1) else [argument(node, "dim") or 0]


def _indexed(node: fx.Node, rank: int) -> list[int]:
    return [axis for axis, index in enumerate(argument(node, "indices")) if index is not None]


UNFIT: dict[str, Callable[[fx.Node, int], list[int]]] = {
    "select": _axes_in("dim"),
    "unbind": _axes_in("dim"),
    "index_select": _axes_in("dim"),
    "index": _indexed,
    "slice": _strided,
    "roll": _axes_in("dims"),
    "squeeze": _axes_in("dim"),
    "unfold": _axes_in("dimension"),
    "tensor_split": _axes_in("dim"),
    "repeat_interleave": lambda node, rank: [],
}
