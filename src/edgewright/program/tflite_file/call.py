"""One operator with what it reads and makes, as the forms see it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ...errors import UnsupportedError
from ...reference.integer import Grid
from ..building import Builder
from ..types import Tensor
from .graph import Entry, Graph, Operator
from .moves import moved

MOST_VALUES = 2**27  # of one tensor: no network comes near, and a changed size is found before it takes memory
QUANTIZE = "quantize the whole model to int8, inputs and outputs too (full integer quantization)"
CLAMPS: Mapping[int, tuple[float | None, float | None]] = {
    0: (None, None), 1: (0.0, None), 2: (-1.0, 1.0), 3: (0.0, 6.0),
}  # fmt: skip
"""ActivationFunctionType -> the least and the largest value."""


@dataclass
class Reading:
    """The program in the making.

    Attributes:
        made: number of a tensor of the file -> the tensor of the program; another layout, the same values.
        maps: number of a flat tensor -> the map whose values it holds; made when something other than a linear layer,
            which can have its columns moved instead, reads it.
    """

    graph: Graph
    builder: Builder = field(default_factory=Builder)
    made: dict[int, Tensor] = field(default_factory=dict)
    maps: dict[int, Tensor] = field(default_factory=dict)

    def tensor(self, number: int) -> Tensor | None:
        """The tensor of the program for one of the file; None where nothing made it."""
        if number in self.maps and number not in self.made:
            x, name = self.maps[number], plain(self.graph.entries[number].name)
            flat = moved(self.builder, x, np.arange(x.num_values), name=name)
            assert flat is not None, "a flattened map is one transposition"
            self.made[number] = flat
        return self.made.get(number)


@dataclass(frozen=True, kw_only=True, eq=False)
class Call:
    """An operator, and the program that grows."""

    reading: Reading
    operator: Operator

    @property
    def builder(self) -> Builder:
        return self.reading.builder

    def refused(self, why: str, *, remedy: str) -> UnsupportedError:
        """The error for an operator that has no place in a program."""
        name = self.reading.graph.entries[self.operator.outputs[0]].name if self.operator.outputs else "nothing"
        place = f"operator {self.operator.index} of {self.reading.graph.path}, which makes {name}"
        return UnsupportedError(f"{self.operator.name} ({place}) {why}: {remedy}.")

    # -- what it reads ------------------------------------------------------------------------------------------------
    def entry(self, place: int) -> Entry | None:
        """An input as the file has it; None where it is absent."""
        numbers = self.operator.inputs
        return self.reading.graph.entries[numbers[place]] if place < len(numbers) and numbers[place] >= 0 else None

    def source(self, place: int = 0) -> Tensor:
        """An input that is computed."""
        number = self.operator.inputs[place]
        entry = self.reading.graph.entries[number]
        tensor = self.reading.tensor(number)
        if tensor is None:
            if entry.values is not None:
                raise self.refused(f"reads the constant {entry.name}", remedy="fold it into the layer ahead of it")
            raise self.refused(f"reads {entry.name}, which is {entry.dtype} and no int8", remedy=QUANTIZE)
        return tensor

    def constant(self, place: int) -> np.ndarray:
        """The values of a constant input."""
        entry = self.entry(place)
        if entry is None or entry.values is None:
            raise self.refused(f"has no constant as its input {place}", remedy="convert the model with static shapes")
        return entry.values

    # -- what it makes ------------------------------------------------------------------------------------------------
    @property
    def result(self) -> Entry:
        return self.reading.graph.entries[self.operator.outputs[0]]

    @property
    def named_as(self) -> str:
        """What to call the output."""
        return plain(self.result.name)

    def entering(self) -> Tensor:
        """The output as an input of the program."""
        tensor = self.output()
        self.builder.inputs.append(tensor.name)
        return tensor

    def output(self, *, clamp: int = 0) -> Tensor:
        """A new tensor for the output, whose grid ends where the fused activation does."""
        return self.named(grid_of(self, self.result, clamp=clamp))

    def named(self, grid: Grid | None, *, suffix: str = "") -> Tensor:
        """A new tensor in the output's shape, on any grid."""
        return self.builder.tensor(self.named_as + suffix, program_shape(self, self.result), grid)

    def add(self, kind: str, inputs: list[Tensor], output: Tensor, **parts: Any) -> Tensor:
        return self.builder.add(kind, inputs, output, **parts)

    def keeping(self, kind: str, **parts: Any) -> Tensor:
        """An operation that takes codes as they are; an activation behind it only clamps them."""
        clamp = parts.pop("clamp", 0)
        x, grid = self.source(), grid_of(self, self.result)
        if not on_one_grid(x.grid, grid):
            raise self.refused("changes scale or zero point", remedy="convert the model again: both are to be equal")
        moved = self.named(x.grid, suffix="_whole" if clamp else "")
        self.add(kind, [x], moved, **parts)
        return self.add("rescale", [moved], self.output(clamp=clamp)) if clamp else moved


def on_one_grid(first: Grid | None, second: Grid | None) -> bool:
    """Whether codes of two tensors stand for the same values, wherever they end."""
    if first is None or second is None:
        return False
    return (first.scale, first.zero_point) == (second.scale, second.zero_point)


def plain(name: str) -> str:
    """The shortest part of a name like `model/conv2d/BiasAdd;model/relu`."""
    return min(name.split(";"), key=len).strip("/")[-60:]


def program_shape(call: Call, entry: Entry) -> tuple[int, ...]:
    """The shape of one image in the program: (C, H, W) of a map, without the batch."""
    if not entry.shape or entry.shape[0] != 1 or len(entry.shape) > 4 or min(entry.shape) < 1:
        raise call.refused(
            f"has {entry.name} of shape {entry.shape}, expected a batch of 1 and up to four axes of static size",
            remedy="convert the model with a batch of 1",
        )
    if math.prod(entry.shape) > MOST_VALUES:
        raise call.refused(f"has {entry.name} of shape {entry.shape}", remedy="no device could hold it")
    sizes = entry.shape[1:] or (1,)
    return (sizes[2], *sizes[:2]) if len(sizes) == 3 else sizes


def program_axis(entry: Entry, axis: int) -> int:
    """An axis of the file's tensor, which may count from the end, in the program's tensor; -1 for the batch."""
    rank = len(entry.shape)
    place = (axis + rank if axis < 0 else axis) - 1
    return (place + 1) % 3 if rank == 4 and place >= 0 else place


def grid_of(call: Call, entry: Entry, *, clamp: int = 0) -> Grid:
    """The grid of an int8 tensor, up to the ends of an activation, rounded in float32 as the kernels do."""
    if entry.dtype != "int8" or len(entry.scales) != 1 or len(entry.zero_points) != 1:
        raise call.refused(f"has {entry.name} as {entry.dtype}, expected int8 of one scale", remedy=QUANTIZE)
    if clamp not in CLAMPS:
        raise call.refused(f"has the fused activation {clamp}", remedy="use none, ReLU or ReLU6")
    scale, zero_point = float(entry.scales[0]), int(entry.zero_points[0])
    if not 0 < scale < math.inf or not -128 <= zero_point <= 127:
        raise ValueError(f"{entry.name} has the scale {scale} and the zero point {zero_point}")
    low, high = (
        None if end is None else zero_point + _rounded(np.float32(end) / np.float32(scale)) for end in CLAMPS[clamp]
    )
    whole = Grid(scale=scale, zero_point=zero_point, low=-128, high=127)
    lowest, highest = -128 if low is None else max(-128, low), 127 if high is None else min(127, high)
    return replace(whole, low=lowest, high=max(lowest, highest))


def _rounded(value: np.float32) -> int:
    """To the nearest, halves away from zero."""
    return int(math.copysign(math.floor(abs(float(value)) + 0.5), value))
