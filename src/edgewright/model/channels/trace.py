"""What a walk over a captured graph knows so far; the rules of layers and operators write into it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx

from .space import Labels, Space, nobody


@dataclass(eq=False)
class LayerChannels:
    """The ids that a layer makes (`out`), reads (`into`) and scales (`scale`, of its weight's shape), None for none."""

    out: torch.Tensor | None = None
    into: torch.Tensor | None = None
    scale: Labels | None = None
    whole_groups: bool = False  # a cut removes whole groups instead of an equal part of each


@dataclass(eq=False)
class Trace:
    """What the walk knows so far."""

    net: fx.GraphModule
    shapes: dict[str, tuple[int, ...]]
    space: Space = field(default_factory=Space)
    values: dict[fx.Node, Any] = field(default_factory=dict)
    layers: dict[str, LayerChannels] = field(default_factory=dict)
    params: dict[str, Labels] = field(default_factory=dict)

    def layer(self, path: str) -> LayerChannels:
        return self.layers.setdefault(path, LayerChannels())

    def unknown(self, node: fx.Node) -> Labels:
        """The labels of a result of which nothing is known."""
        return nobody(self.shapes.get(node.name, ()))

    def labels_in(self, value: Any) -> list[Labels]:
        """All labels inside a nested argument."""
        if isinstance(value, Labels):
            return [value]
        if isinstance(value, (list, tuple)):
            return [found for entry in value for found in self.labels_in(entry)]
        return self.labels_in(list(value.values())) if isinstance(value, dict) else []


def name_of(target: Any) -> str:
    """`view` for aten.view.default, `getitem` for operator.getitem."""
    if isinstance(target, torch._ops.OpOverload):
        return target._schema.name.rpartition("::")[2]
    return getattr(target, "__name__", str(target))


def refuse(seen: Trace, node: fx.Node, args: Any, kwargs: Any) -> Labels:
    """Nothing is known about this operator: whatever reaches it stays whole."""
    layer = seen.net.get_submodule(str(node.target)) if node.op == "call_module" else None
    what = type(layer).__name__ if layer is not None else name_of(node.target)
    for labels in seen.labels_in([args, kwargs]):
        seen.space.lock(labels.ids, f"{what} at '{node.name}' is not known to work on fewer channels")
    return seen.unknown(node)
