"""The folder of generated C as its own layout.json describes it: which tensors there are, and how their bytes lie."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError, ExportError, ModelError, ShapeError
from ...files import read_tagged
from ...program import Program
from ...types import LAYOUT_FILE, LAYOUT_FORMAT
from .subject import Interface

REMEDY = "write the C again with `edgewright export RUN --format c`"


@dataclass(frozen=True, kw_only=True)
class Lying:
    """A tensor in memory.

    Attributes:
        lies_as: the shape in whose order its values lie, with its axes from the outermost to the innermost `axes`.
        function: what returns its place, for an input or output.
    """

    tensor: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    lies_as: tuple[int, ...]
    axes: tuple[int, ...]
    function: str = ""

    @property
    def num_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def to_bytes(self, values: np.ndarray) -> bytes:
        """Values in the tensor's own order as the firmware holds them."""
        return np.asarray(values, dtype=self.dtype).reshape(self.lies_as).transpose(self.axes).tobytes()

    def from_bytes(self, raw: bytes) -> np.ndarray:
        """What the firmware holds in the tensor's own order and shape."""
        moved = np.frombuffer(raw, dtype=self.dtype).reshape([self.lies_as[axis] for axis in self.axes])
        return moved.transpose(np.argsort(self.axes)).reshape(self.shape)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What layout.json says.

    Attributes:
        operations: what each operation makes, in their order.
    """

    name: str
    run: str
    inputs: tuple[Lying, ...]
    operations: tuple[Lying, ...]
    outputs: tuple[Lying, ...]

    @property
    def interface(self) -> Interface:
        """The three calls."""
        inputs, outputs = (
            tuple((each.function, each.num_bytes) for each in role) for role in (self.inputs, self.outputs)
        )  # fmt: skip
        return Interface(inputs=inputs, outputs=outputs, run=self.run)

    def image_bytes(self, image: Mapping[str, np.ndarray]) -> list[bytes]:
        """The bytes of each input of one image, as the firmware holds them.

        Raises:
            ShapeError: an input is missing or has another number of codes.
        """
        for each in self.inputs:
            if each.tensor not in image or np.asarray(image[each.tensor]).size != math.prod(each.shape):
                raise ShapeError(f"The input {each.tensor} has the shape {each.shape}, got codes for {sorted(image)}.")
        return [each.to_bytes(image[each.tensor]) for each in self.inputs]


def read_layout(folder: Path) -> Layout:
    """The layout of a folder that `export --format c` wrote.

    Raises:
        ModelError: the folder has none.
        DataError: it is damaged, or of another version.
    """
    absent = ModelError(f"{folder} holds no {LAYOUT_FILE}, so it is no folder of generated C: {REMEDY}.")
    facts = read_tagged(folder / LAYOUT_FILE, LAYOUT_FORMAT, absent=absent, remedy=REMEDY)
    try:
        roles = {
            role: tuple(_lying(each) for each in facts[role]) for role in ("inputs", "operations", "outputs")
        }  # fmt: skip
        return Layout(name=facts["name"], run=facts["run"], **roles)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{folder / LAYOUT_FILE} is damaged ({error}): {REMEDY}.") from error


def read_layout_of(program: Program, folder: Path) -> Layout:
    """`read_layout`, for a folder that must be this very program's.

    Raises:
        What `read_layout` raises.
        ExportError: the folder was made from another program.
    """
    layout = read_layout(folder)
    if [each.tensor for each in layout.operations] != [operation.output for operation in program.operations]:
        raise ExportError(f"{folder} was not made from the program {program.name}: {REMEDY}.")
    return layout


def _lying(fact: dict[str, Any]) -> Lying:
    return Lying(
        tensor=fact["tensor"], dtype=np.dtype(fact["type"]), shape=tuple(fact["shape"]),
        lies_as=tuple(fact["lies_as"]), axes=tuple(fact["axes"]), function=fact.get("function", ""),
    )  # fmt: skip
