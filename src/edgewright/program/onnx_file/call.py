"""One operator of the file with what it is given, as the forms see it."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...errors import UnsupportedError
from ..building import Builder
from ..types import Tensor
from .graph import Graph, Node
from .values import Coded, Curve, Known, Make, Pending, Shape, Value

log = logging.getLogger(__name__)

QUANTIZE = "put a QuantizeLinear behind it, or cut the file there"
REPLACE = "replace it, or cut the file in front of it or behind it"
ENDINGS = re.compile(r"(_output_0|_codes|_(De)?[Qq]uantizeLinear(_Input|_Output)?|_quantized)+$")


@dataclass
class Reading:
    """The program in the making.

    Attributes:
        entered: inputs of the file -> the tensor that the program has for each.
        values: every value of the file so far, by its name.
        origins: tensor of the program -> the node that makes it.
        rounded: layers whose bias was no multiple of the scale of their sums.
    """

    graph: Graph
    builder: Builder = field(default_factory=Builder)
    values: dict[str, Value] = field(default_factory=dict)
    entered: dict[str, Tensor] = field(default_factory=dict)
    made: dict[tuple[int, Any], tuple[Value, Tensor]] = field(default_factory=dict)
    origins: dict[str, Node] = field(default_factory=dict)
    rounded: list[str] = field(default_factory=list)


def plain_name(name: str) -> str:
    """`/layer1/conv1/Conv_output_0` as `layer1_conv1_Conv`."""
    return ENDINGS.sub("", name).strip("/.:").replace("/", "_") or name


@dataclass(frozen=True, kw_only=True, eq=False)
class Call:
    """An operator, its inputs (None where absent), and the program that grows."""

    reading: Reading
    node: Node
    inputs: tuple[Value | None, ...]

    @property
    def builder(self) -> Builder:
        return self.reading.builder

    @property
    def name(self) -> str:
        """What to call the tensor that the operator makes."""
        return plain_name(self.node.outputs[0])

    @property
    def opset(self) -> int:
        return self.reading.graph.opset

    def refused(self, why: str, *, remedy: str) -> UnsupportedError:
        """The error for an operator that has no place in a program."""
        node, path = self.node, self.reading.graph.path
        return UnsupportedError(f"The operator {node.operator} at {node.name} of {path} {why}: {remedy}.")

    # -- what it is given ---------------------------------------------------------------------------------------------
    def attr(self, name: str, default: Any = None) -> Any:
        return self.node.attributes.get(name, default)

    def given(self, place: int) -> Value | None:
        """An input; None where it is absent."""
        return self.inputs[place] if place < len(self.inputs) else None

    def array(self, place: int) -> np.ndarray | None:
        """A constant input; None where it is absent."""
        value = self.given(place)
        if value is None:
            return None
        if not isinstance(value, Known):
            raise self.refused(f"has no constant as its input {place}", remedy="export the file with static shapes")
        return value.values

    def listed(self, name: str, place: int) -> list[int] | None:
        """Integers that are an attribute in older operator sets and an input in newer ones."""
        if name in self.node.attributes:
            return [int(each) for each in np.ravel(self.attr(name))]
        array = self.array(place)
        return None if array is None else [int(each) for each in array.ravel()]

    def values(self, place: int = 0) -> Coded:
        """An input as codes that stand for the file's values there."""
        found = self.coded(place)
        if found.raw:
            raise self.refused("computes on integer codes", remedy="put a DequantizeLinear in front of it")
        return found

    def coded(self, place: int = 0) -> Coded:
        """An input as codes, the file's own codes or values."""
        value = self.given(place)
        if isinstance(value, Pending) and value.natural is not None:
            return Coded(tensor=self.made(value, value.natural))
        if isinstance(value, Coded):
            return value
        if isinstance(value, (Pending, Curve)):
            raise self.refused(f"reads {value.name} in float, which no quantizer follows", remedy=(
                f"put a QuantizeLinear behind {value.name}, or cut the file there"
            ))  # fmt: skip
        raise self.refused("reads what is not quantized", remedy="quantize what it reads (QuantizeLinear)")

    def made(self, value: Pending, grid: Any) -> Tensor:
        """The tensor of a pending value on a grid, made once."""
        key = (id(value), grid)
        if key not in self.reading.made:
            self.reading.made[key] = (value, value.on(grid))
        return self.reading.made[key][1]

    # -- what it makes ------------------------------------------------------------------------------------------------
    def pending(self, kind: str, inputs: list[Tensor], shape: Shape, **more: Any) -> Pending:
        """One operation whose output waits for its grid.

        Args:
            more: settings and arrays of the operation, or fields of `Pending`.
        """
        parts = {key: more.pop(key) for key in ("settings", "arrays") if key in more}

        def make(grid: Any, name: str) -> Tensor:
            return self.builder.add(kind, inputs, self.builder.tensor(name, shape, grid), **parts)

        return self.waiting(make, shape, **more)

    def waiting(self, make: Make, shape: Shape, **more: Any) -> Pending:
        """Operations that wait for the grid of their output; the node that they come from is noted."""

        def noted(grid: Any, name: str) -> Tensor:
            made = make(grid, name)
            self.note()
            return made

        return Pending(make=noted, shape=shape, name=self.name, **more)

    def note(self) -> None:
        """Operations that come from no other node come from this one."""
        for operation in self.builder.operations[len(self.reading.origins) :]:
            self.reading.origins[operation.output] = self.node

    def keeping(self, kind: str, x: Coded, shape: Shape, **more: Any) -> Coded:
        """One operation that takes codes as they are."""
        output = self.builder.tensor(self.name, shape, x.grid)
        return Coded(tensor=self.builder.add(kind, [x.tensor], output, **more), raw=x.raw)
