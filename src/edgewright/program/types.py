"""Tensors, operations, and a program of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import ModelError
from ..reference.integer import Grid

KINDS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "conv": (frozenset({"window", "groups"}), frozenset({"weight_OIKK", "bias_O", "weight_scale_O"})),
    "linear": (frozenset(), frozenset({"weight_OI", "bias_O", "weight_scale_O"})),
    "add": (frozenset({"sign"}), frozenset()),
    "mul": (frozenset(), frozenset()),
    "concat": (frozenset({"axis"}), frozenset()),
    "slice": (frozenset({"axis", "start", "stop"}), frozenset()),
    "max_pool": (frozenset({"window"}), frozenset()),
    "average_pool": (frozenset({"window", "include_padding"}), frozenset()),
    "global_average": (frozenset(), frozenset()),
    "look_up": (frozenset(), frozenset({"table"})),
    "rescale": (frozenset(), frozenset()),
    "copy": (frozenset(), frozenset()),
    "leaky_relu": (frozenset({"slope"}), frozenset()),
    "pad": (frozenset({"widths"}), frozenset()),
    "nearest": (frozenset({"steps"}), frozenset()),
    "bilinear": (frozenset({"align_corners", "steps"}), frozenset()),
    "softmax": (frozenset({"axis"}), frozenset()),
    "reshape": (frozenset(), frozenset()),
    "transpose": (frozenset({"order"}), frozenset()),
    "dequantize": (frozenset(), frozenset()),
}
"""Kind of operation -> names of its settings, names of its arrays.

"linear" and "conv" sum products of codes, add `bias_O` and bring the sums to the output's grid by
scale_x * weight_scale_O / scale_y; the bias is in units of scale_x * weight_scale_O. Clamps are no operations: the
output's grid ends where they do. "dequantize" hands an output of the program out as float32. "copy" changes nothing: it
makes a tensor with memory of its own out of rows that would else keep theirs.
"""


ROUNDINGS = ("single", "tflm")
"""How sums come to an output's scale: with one rounding, or as TensorFlow Lite Micro's reference kernels do it."""


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """Codes of one image: (C, H, W) or (I,) as the model has them, whatever a device's layout makes of it.

    Attributes:
        grid: None for float32 outputs behind "dequantize" or a float linear layer.
    """

    name: str
    shape: tuple[int, ...]
    grid: Grid | None

    @property
    def num_values(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True, kw_only=True, eq=False)
class Operation:
    """One step: makes the tensor `output` of the tensors `inputs`.

    Attributes:
        layer: output of the operation of which this one is a part, such as a stripe of its rows; "" for a whole one.
    """

    kind: str
    inputs: tuple[str, ...]
    output: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    layer: str = ""

    def __post_init__(self) -> None:
        """Refuse a kind that does not exist, and settings or arrays that are not its own.

        Raises:
            ModelError: names them.
        """
        if self.kind not in KINDS:
            raise ModelError(f"There is no operation of the kind '{self.kind}': use one of {', '.join(KINDS)}.")
        for what, found, wanted in zip(
            ("settings", "arrays"), (self.settings, self.arrays), KINDS[self.kind], strict=True
        ):
            if set(found) != wanted:
                raise ModelError(
                    f"The operation {self.output} of the kind {self.kind} has the {what} {sorted(found)}, expected "
                    f"{sorted(wanted)}."
                )


@dataclass(frozen=True, kw_only=True, eq=False)
class Program:
    """Operations in an order in which they can run.

    Attributes:
        tensors: every tensor by name; inputs, and the output of each operation.
        inputs: names of the tensors that the caller fills.
        outputs: names of the tensors that the caller reads.
        rounding: one of `ROUNDINGS`; in "tflm", `check` refuses what has no arithmetic there.
    """

    name: str
    tensors: Mapping[str, Tensor]
    operations: tuple[Operation, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    rounding: str = "single"

    def __post_init__(self) -> None:
        """Refuse a tensor that is read before it is made, made twice or never, or unknown, and an unknown rounding.

        Raises:
            ModelError: names it.
        """
        if self.rounding not in ROUNDINGS:
            raise ModelError(f"There is no rounding '{self.rounding}': use one of {', '.join(ROUNDINGS)}.")
        made = set(self.inputs)
        for operation in self.operations:
            for name in operation.inputs:
                if name not in made:
                    raise ModelError(f"The operation {operation.output} reads {name}, which nothing before it makes.")
            if operation.output in made:
                raise ModelError(f"The tensor {operation.output} is made twice: a tensor has one maker.")
            made.add(operation.output)
        for name in (*made, *self.outputs):
            if name not in self.tensors or name not in made:
                raise ModelError(f"The program {self.name} has no tensor {name}.")
        for name in self.tensors:
            if name not in made:
                raise ModelError(
                    f"The program {self.name} has the tensor {name}, which nothing makes: leave it out, or add the "
                    "operation that makes it."
                )
