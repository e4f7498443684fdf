"""Test vectors: codes of inputs, and what the program makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...program import Program, run
from .layout import places


@dataclass(frozen=True, kw_only=True)
class Vector:
    """One image, in the order in which the firmware holds it.

    Attributes:
        inputs: int8, one flat array per input.
        outputs: int8 or float32, one flat array per output.
    """

    inputs: tuple[np.ndarray, ...]
    outputs: tuple[np.ndarray, ...]


def vector_of(program: Program, codes: Mapping[str, np.ndarray]) -> Vector:
    """The vector of an image's codes: the program is run on them."""
    made = run(program, codes)
    inputs = tuple(_in_memory(program, name, made[name]) for name in program.inputs)
    return Vector(inputs=inputs, outputs=tuple(_in_memory(program, name, made[name]) for name in program.outputs))


def _in_memory(program: Program, name: str, values: np.ndarray) -> np.ndarray:
    tensor = program.tensors[name]
    kind = np.float32 if tensor.grid is None else np.int8
    return values.ravel()[places(tensor.shape)].astype(kind)
