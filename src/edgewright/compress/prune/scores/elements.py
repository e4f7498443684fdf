"""All parameters that leave with a class: rows and biases, columns, scales, its share of loose parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from ....model import ChannelMap
from .layers import as_grouped


@dataclass(frozen=True, kw_only=True, eq=False)
class _Touch:
    """The channels of one layer, on one side, that belong to classes: place in the layer -> number of the class."""

    path: str
    side: str
    places: torch.Tensor
    classes: torch.Tensor


class ClassSums:
    """Sums of numbers about parameters over what leaves with each class; every parameter counts once.

    Differentiable in the numbers. Parameters that stay whatever is cut belong to no class.

    Args:
        net: the captured model, or a copy of it.
        channels: its coupled channels.
    """

    def __init__(self, net: fx.GraphModule, channels: ChannelMap) -> None:
        self._sizes = {group.name: group.num_classes for group in channels.free}
        self._touches = _touches(channels)
        paths = {touch.path for touch in self._touches if touch.side in ("out", "in")}
        self._layers: dict[str, Any] = {path: net.get_submodule(path) for path in sorted(paths)}
        self._shapes = _label_shapes(channels)
        self._twice = {path: _counted_twice(layer, path, self._touches) for path, layer in self._layers.items()}

    def __call__(self, values: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Group name -> sum per class of `values` (parameter name -> tensor of its shape); who is missing counts 0."""
        example = next(iter(values.values()))
        total = torch.zeros(sum(self._sizes.values()), dtype=example.dtype, device=example.device)
        for touch in self._touches:
            line = SIDES[touch.side](self, touch.path, values)
            if line is not None:
                total = total.index_add(0, touch.classes.to(line.device), line[touch.places.to(line.device)])
        return dict(zip(self._sizes, total.split(list(self._sizes.values())), strict=True))

    def _made(self, path: str, values: Mapping[str, torch.Tensor]) -> torch.Tensor | None:
        weight, bias = values.get(f"{path}.weight"), values.get(f"{path}.bias")
        rows = None if weight is None else as_grouped(self._layers[path], weight).sum(dim=(2, 3)).reshape(-1)
        return _added(rows, bias)

    def _read(self, path: str, values: Mapping[str, torch.Tensor]) -> torch.Tensor | None:
        weight, twice = values.get(f"{path}.weight"), self._twice[path]
        if weight is None:
            return None
        cells = as_grouped(self._layers[path], weight).sum(dim=3)  # (groups, outputs, inputs)
        if twice is not None:
            cells = cells.masked_fill(twice.to(cells.device), 0)
        return cells.sum(dim=1).reshape(-1)

    def _scaled(self, path: str, values: Mapping[str, torch.Tensor]) -> torch.Tensor | None:
        weight, bias = (values.get(f"{path}.{name}") for name in ("weight", "bias"))
        return _added(self._line(path, weight), self._line(path, bias))

    def _loose(self, path: str, values: Mapping[str, torch.Tensor]) -> torch.Tensor | None:
        return self._line(path, values.get(path))

    def _line(self, path: str, values: torch.Tensor | None) -> torch.Tensor | None:
        """Values summed along the axes on which their channels do not depend."""
        return None if values is None else values.sum_to_size(self._shapes[path]).reshape(-1)


SIDES = {"out": ClassSums._made, "in": ClassSums._read, "scale": ClassSums._scaled, "loose": ClassSums._loose}


def _added(first: torch.Tensor | None, second: torch.Tensor | None) -> torch.Tensor | None:
    present = [each.reshape(-1) for each in (first, second) if each is not None]
    return sum(present[1:], start=present[0]) if present else None


def _touches(channels: ChannelMap) -> list[_Touch]:
    """What the groups touch, one entry per layer and side; classes are numbered through all groups."""
    pairs: dict[tuple[str, str], list[tuple[int, int]]] = {}
    first = 0
    for group in channels.free:
        for member in group.members:
            for index, places in enumerate(member.positions):
                pairs.setdefault((member.path, member.side), []).extend((place, first + index) for place in places)
        first += group.num_classes
    found = []
    for (path, side), each in pairs.items():
        table = torch.tensor(each)
        found.append(_Touch(path=path, side=side, places=table[:, 0], classes=table[:, 1]))
    return found


def _label_shapes(channels: ChannelMap) -> dict[str, tuple[int, ...]]:
    """Sizes of the labels of each normalization and loose parameter: 1 along axes on which channels do not depend."""
    scales = {path: layer.scale for path, layer in channels.trace.layers.items() if layer.scale is not None}
    return {name: tuple(labels.ids.shape) for name, labels in {**scales, **channels.trace.params}.items()}


def _counted_twice(layer: Any, path: str, touches: list[_Touch]) -> torch.Tensor | None:
    """Where (groups, outputs, inputs) a weight's row and column belong to the same class; None if nowhere."""
    sides = {touch.side: touch for touch in touches if touch.path == path}
    if set(sides) != {"out", "in"}:
        return None
    shape = as_grouped(layer, layer.weight.detach()).shape
    lines = []
    for side, size in (("out", shape[1]), ("in", shape[2])):
        line = torch.full((shape[0] * size,), -1)
        line[sides[side].places] = sides[side].classes
        lines.append(line.view(shape[0], size))
    rows, columns = lines[0][:, :, None], lines[1][:, None, :]
    twice = (rows == columns) & (rows >= 0)
    return twice if bool(twice.any()) else None
