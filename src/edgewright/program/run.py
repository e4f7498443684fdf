"""A program run with NumPy by the integer reference: what every operation means, and what firmware must give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..errors import ConfigError, ShapeError
from ..reference import integer
from ..reference.integer import Grid, tflm
from .rounding import check_rounding
from .sums import REQUANTIZE, code_values, sum_codes, sum_scale, sum_values
from .types import Operation, Program, Tensor


def run(program: Program, codes: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Every tensor of one image, inputs too: int64 codes, float32 where a tensor has no grid.

    Args:
        codes: for each input of the program its codes, in the shape of the tensor.

    Raises:
        ShapeError: an input is missing, unknown, or of another shape.
        ConfigError: a code lies outside its grid.
        OverflowError: a sum does not fit into 32 bits.
        UnsupportedError: an operation has no arithmetic in the program's rounding.
    """
    check_rounding(program)
    values = _checked(program, codes)
    for operation in program.operations:
        inputs = [program.tensors[name] for name in operation.inputs]
        arrays = [values[name][np.newaxis] for name in operation.inputs]
        output = program.tensors[operation.output]
        values[output.name] = run_step(Step(operation, inputs, arrays, output, rounding=program.rounding))[0]
    return values


def input_codes(program: Program, image_CHW: np.ndarray, *, name: str | None = None) -> np.ndarray:
    """The codes of an image as the simulation rounds it: float32 division, halves to even, saturated.

    Args:
        image_CHW: preprocessed as the network wants it, in the shape of the input.
        name: of the input, where the program has several.

    Raises:
        ShapeError: the image has another shape.
        ConfigError: the program has several inputs or no such one, or the image has NaN or infinity in it.
    """
    if name is None and len(program.inputs) == 1:
        name = program.inputs[0]
    if name not in program.inputs:
        raise ConfigError(f"The program has the inputs {', '.join(program.inputs)}, got {name}: name one of them.")
    tensor = program.tensors[name]
    if np.shape(image_CHW) != tensor.shape:
        raise ShapeError(f"The input {name} has the shape {tensor.shape}, got an image of {np.shape(image_CHW)}.")
    image_CHW = np.asarray(image_CHW, dtype=np.float32)
    if not np.isfinite(image_CHW).all():
        raise ConfigError(f"The image for the input {name} holds NaN or infinity: it has no codes.")
    grid = _grid(tensor)
    return grid.saturate(np.rint(image_CHW / np.float32(grid.scale)).astype(np.float64) + grid.zero_point)


def output_values(program: Program, values: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """What the outputs of a run stand for, float32, in the order of the program."""
    found = []
    for name in program.outputs:
        grid = program.tensors[name].grid
        found.append(values[name] if grid is None else code_values(values[name], grid))
    return found


def _checked(program: Program, codes: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The inputs as int64."""
    if set(codes) != set(program.inputs):
        raise ShapeError(f"The program has the inputs {sorted(program.inputs)}, got codes for {sorted(codes)}.")
    values = {}
    for name in program.inputs:
        tensor, given = program.tensors[name], np.asarray(codes[name])
        grid = _grid(tensor)
        if given.shape != tensor.shape or given.dtype.kind not in "iu":
            raise ShapeError(
                f"The input {name} is integers of the shape {tensor.shape}, got {given.dtype} of {given.shape}."
            )
        if given.min() < grid.low or given.max() > grid.high:
            raise ConfigError(f"The codes of {name} are {grid.low} to {grid.high}, got {given.min()} to {given.max()}.")
        values[name] = given.astype(np.int64)
    return values


def _grid(tensor: Tensor) -> Grid:
    assert tensor.grid is not None, f"{tensor.name} is float"
    return tensor.grid


class Step:
    """One operation with its values. Arrays have a leading axis of one image, as the reference takes them."""

    def __init__(
        self, operation: Operation, inputs: list[Tensor], arrays: list[np.ndarray], output: Tensor, *, rounding: str
    ) -> None:  # fmt: skip
        self.operation, self.inputs, self.arrays, self.output = operation, inputs, arrays, output
        self.rounding = rounding

    @property
    def x(self) -> np.ndarray:
        return self.arrays[0]

    @property
    def grid(self) -> Grid:
        """Of the first input."""
        return _grid(self.inputs[0])

    @property
    def grids(self) -> list[Grid]:
        return [_grid(each) for each in self.inputs]

    @property
    def out(self) -> Grid:
        return _grid(self.output)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the output."""
        return self.output.shape[1], self.output.shape[2]

    @property
    def requantize(self) -> Callable[..., np.ndarray]:
        return REQUANTIZE[self.rounding]

    def __getitem__(self, name: str) -> Any:
        """A setting or an array of the operation."""
        return self.operation.settings[name] if name in self.operation.settings else self.operation.arrays[name]


def _finished(step: Step, acc: np.ndarray, *, axis: int) -> np.ndarray:
    """Sums on the grid of the output, or as float32."""
    if step.output.grid is None:
        return sum_values(acc, sum_scale(step.grid, step["weight_scale_O"]), axis=axis)
    return sum_codes(step.operation, acc, x=step.grid, out=step.out, rounding=step.rounding, axis=axis)


def _conv(step: Step) -> np.ndarray:
    acc = integer.conv2d(
        step.x, step["weight_OIKK"], step["bias_O"], zero_point=step.grid.zero_point, window=step["window"],
        groups=step["groups"],
    )  # fmt: skip
    return _finished(step, acc, axis=1)


def _linear(step: Step) -> np.ndarray:
    acc = integer.linear(step.x, step["weight_OI"], step["bias_O"], zero_point=step.grid.zero_point)
    return _finished(step, acc, axis=acc.ndim - 1)


def _add(step: Step) -> np.ndarray:
    first, second = step.grids
    return integer.add(*step.arrays, grids=(first, second), out=step.out, sign=step["sign"])


def _mul(step: Step) -> np.ndarray:
    first, second = step.grids
    return integer.mul(*step.arrays, grids=(first, second), out=step.out, by=step.requantize)


def _concat(step: Step) -> np.ndarray:
    return integer.concatenate(
        step.arrays, grids=step.grids, out=step.out, axis=step["axis"] + 1, by=step.requantize
    )  # fmt: skip


def _slice(step: Step) -> np.ndarray:
    return step.x.take(range(step["start"], step["stop"]), step["axis"] + 1)


def _average_pool(step: Step) -> np.ndarray:
    return integer.average_pool2d(
        step.x, step["window"], grid=step.grid, out=step.out, count_include_pad=step["include_padding"]
    )


def _pad(step: Step) -> np.ndarray:
    return integer.pad(step.x, [(0, 0), *step["widths"]], zero_point=step.grid.zero_point)


def _bilinear(step: Step) -> np.ndarray:
    return integer.bilinear2d(
        step.x, step.size, grid=step.grid, out=step.out, align=step["align_corners"], steps=step["steps"]
    )


def _look_up(step: Step) -> np.ndarray:
    return integer.look_up(step.x, step["table"].astype(np.int64), low=step.grid.low)


RUNS: dict[str, Callable[[Step], np.ndarray]] = {
    "conv": _conv,
    "linear": _linear,
    "add": _add,
    "mul": _mul,
    "concat": _concat,
    "slice": _slice,
    "max_pool": lambda step: integer.max_pool2d(step.x, step["window"]),
    "average_pool": _average_pool,
    "global_average": lambda step: integer.average(step.x, grid=step.grid, out=step.out, axes=(2, 3)),
    "look_up": _look_up,
    "rescale": lambda step: integer.change_grid(step.x, step.grid, step.out, by=step.requantize),
    "copy": lambda step: step.x,
    "leaky_relu": lambda step: integer.leaky_relu(step.x, step["slope"], grid=step.grid, out=step.out),
    "pad": _pad,
    "nearest": lambda step: integer.nearest2d(step.x, step.size, steps=step["steps"]),
    "bilinear": _bilinear,
    "softmax": lambda step: integer.softmax(step.x, grid=step.grid, out=step.out, axis=step["axis"] + 1),
    "reshape": lambda step: step.x.reshape(1, *step.output.shape),
    "transpose": lambda step: step.x.transpose(0, *(axis + 1 for axis in step["order"])),
    "dequantize": lambda step: code_values(step.x, step.grid),
}


def _tflm_add(step: Step) -> np.ndarray:
    first, second = step.grids
    return tflm.add(*step.arrays, grids=(first, second), out=step.out, sign=step["sign"])


TFLM_RUNS: dict[str, Callable[[Step], np.ndarray]] = {
    "add": _tflm_add,
    "average_pool": lambda step: tflm.average_pool2d(step.x, step["window"], out=step.out),
    "global_average": lambda step: tflm.average(step.x, grid=step.grid, out=step.out, axes=(2, 3)),
    "leaky_relu": lambda step: tflm.leaky_relu(step.x, step["slope"], grid=step.grid, out=step.out),
    "softmax": lambda step: tflm.softmax(step.x, grid=step.grid, out=step.out, axis=step["axis"] + 1),
}
"""What is more than another requantization in the rounding "tflm"."""
STEPS_OF = {"single": RUNS, "tflm": {**RUNS, **TFLM_RUNS}}


def run_step(step: Step) -> np.ndarray:
    """What an operation makes, with a leading axis of one image."""
    return STEPS_OF[step.rounding][step.operation.kind](step)
