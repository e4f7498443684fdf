"""What has no arithmetic in the rounding "tflm": TensorFlow Lite Micro has no such kernel, or refuses it."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import UnsupportedError
from ..reference.integer import Grid, tflm
from .types import Operation, Program, Tensor

Check = Callable[[Operation, list[Tensor], Tensor], str | None]
"""What is wrong with an operation and what to do, as the end of a sentence; None for nothing."""


def check_rounding(program: Program) -> None:
    """Nothing, when each operation has an arithmetic in the rounding of its program.

    Raises:
        UnsupportedError: names the first that has none, and what to do.
    """
    if program.rounding == "single":
        return
    for operation in program.operations:
        inputs, output = [program.tensors[name] for name in operation.inputs], program.tensors[operation.output]
        wrong = _codes(operation, inputs, output)
        if wrong is None and operation.kind in CHECKS:
            wrong = CHECKS[operation.kind](operation, inputs, output)
        if wrong is not None:
            raise UnsupportedError(
                f"The operation {output.name} of the kind {operation.kind} has no arithmetic in the rounding 'tflm': "
                f"{wrong}, or take the rounding 'single'."
            )


def _codes(operation: Operation, inputs: list[Tensor], output: Tensor) -> str | None:
    """Every tensor that has codes has signed ones of 8 bits. Float logits are sums that nothing rounds: any mode's."""
    for tensor in (*inputs, output):
        grid = tensor.grid
        if grid is not None and (grid.low < -128 or grid.high > 127):
            return f"{tensor.name} has codes from {grid.low} to {grid.high}; quantize it to 8 signed bits"
    return None


def _add(operation: Operation, inputs: list[Tensor], output: Tensor) -> str | None:
    try:
        tflm.add_multipliers((_grid(inputs[0]), _grid(inputs[1])), _grid(output))
    except ValueError as error:
        return f"{str(error)[0].lower()}{str(error)[1:-1]}; quantize it with a larger scale"
    return None


def _average_pool(operation: Operation, inputs: list[Tensor], output: Tensor) -> str | None:
    window = operation.settings["window"]
    if operation.settings["include_padding"] and any(map(any, window.padding)):
        return "its mean counts padding; leave the padding out of the count"
    return _same_grid(inputs[0], output)


def _same_grid(x: Tensor, output: Tensor) -> str | None:
    first, second = _grid(x), _grid(output)
    if (first.scale, first.zero_point) != (second.scale, second.zero_point):
        return "its input and output differ in scale or zero point; give both one grid"
    return None


def _softmax(operation: Operation, inputs: list[Tensor], output: Tensor) -> str | None:
    if (_grid(output).scale, _grid(output).zero_point) != tflm.PROBABILITIES:
        return "probabilities are multiples of 1/256 from -128 on; quantize its output so"
    return None


def _bilinear(operation: Operation, inputs: list[Tensor], output: Tensor) -> str | None:
    return "its interpolation is not defined here; resize to the nearest"


def _grid(tensor: Tensor) -> Grid:
    assert tensor.grid is not None, f"{tensor.name} is float"
    return tensor.grid


CHECKS: dict[str, Check] = {"add": _add, "average_pool": _average_pool, "softmax": _softmax, "bilinear": _bilinear}
"""Kind -> what it must be."""
