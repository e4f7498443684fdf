"""Which shape each operation makes, so that a program that does not fit together is found before it runs."""

from __future__ import annotations

import math
from collections.abc import Callable

from ..errors import ModelError
from ..reference.integer import Window
from .rounding import check_rounding
from .types import Operation, Program, Tensor

Shape = tuple[int, ...]
FLOAT_KINDS = {"linear", "dequantize", "reshape", "transpose", "slice"}  # whose outputs may have no grid


def check(program: Program) -> Program:
    """The program itself, when every operation's tensors and arrays fit together.

    Raises:
        ModelError: names the first that does not.
        UnsupportedError: names one that has no arithmetic in the program's rounding.
    """
    for operation in program.operations:
        inputs = [program.tensors[name] for name in operation.inputs]
        output = program.tensors[operation.output]
        if not inputs or any(0 in each.shape for each in (*inputs, output)):
            raise ModelError(f"The operation {output.name} reads nothing, or a tensor without values.")
        try:
            shape = SHAPES[operation.kind](operation, inputs, output)
        except (ValueError, IndexError, TypeError, ZeroDivisionError, AttributeError) as error:
            raise ModelError(
                f"The operation {output.name} of the kind {operation.kind} does not fit its inputs "
                f"{[each.shape for each in inputs]} ({error})."
            ) from error
        if tuple(shape) != output.shape:
            raise ModelError(f"The operation {output.name} makes the shape {tuple(shape)}, expected {output.shape}.")
        _check_grids(operation, inputs, output)
    check_rounding(program)
    return program


def _check_grids(operation: Operation, inputs: list[Tensor], output: Tensor) -> None:
    """Floats are made by the last layer alone, and nothing computes with them."""
    floats = [each.name for each in inputs if each.grid is None]
    if floats and operation.kind not in ("reshape", "transpose", "slice"):
        raise ModelError(f"The operation {output.name} computes with floats: {', '.join(floats)} has no grid.")
    if output.grid is None and operation.kind not in FLOAT_KINDS:
        raise ModelError(f"The output of {output.name} has no grid, which a {operation.kind} needs.")
    if operation.kind == "look_up":
        grid = inputs[0].grid
        assert grid is not None
        if operation.arrays["table"].shape != (grid.high - grid.low + 1,):
            raise ModelError(f"The table of {output.name} must have one entry per code of its input.")


def _conv(operation: Operation, inputs: list[Tensor], output: Tensor) -> Shape:
    weight, window, groups = operation.arrays["weight_OIKK"], operation.settings["window"], operation.settings["groups"]
    channels = inputs[0].shape[0]
    if weight.shape[2:] != window.kernel or weight.shape[1] * groups != channels or weight.shape[0] % groups:
        raise ValueError(f"weight {weight.shape} in {groups} groups")
    _one_per_output(operation, len(weight))
    return (len(weight), *_windows(window, inputs[0]))


def _linear(operation: Operation, inputs: list[Tensor], output: Tensor) -> Shape:
    outputs, features = operation.arrays["weight_OI"].shape
    if features != inputs[0].shape[-1]:
        raise ValueError(f"weight of {features} inputs")
    _one_per_output(operation, outputs)
    return (*inputs[0].shape[:-1], outputs)


def _one_per_output(operation: Operation, outputs: int) -> None:
    for name in ("bias_O", "weight_scale_O"):
        if operation.arrays[name].shape != (outputs,):
            raise ValueError(f"{name} of the shape {operation.arrays[name].shape} for {outputs} outputs")


def _windows(window: Window, source: Tensor) -> Shape:
    _, *sizes = source.shape
    if len(sizes) != 2:
        raise ValueError("a window needs (C, H, W)")
    return tuple(window.count(axis, size) for axis, size in enumerate(sizes))


def _pool(operation: Operation, inputs: list[Tensor], output: Tensor) -> Shape:
    return (inputs[0].shape[0], *_windows(operation.settings["window"], inputs[0]))


def _broadcast(operation: Operation, inputs: list[Tensor], output: Tensor) -> Shape:
    a, b = (each.shape for each in inputs)
    for one, other in zip(a, b, strict=True):
        if one != other and 1 not in (one, other):
            raise ValueError(f"{one} beside {other}")
    return tuple(max(one, other) for one, other in zip(a, b, strict=True))


def _concat(operation: Operation, inputs: list[Tensor], output: Tensor) -> Shape:
    axis = operation.settings["axis"]
    rests = {(*each.shape[:axis], *each.shape[axis + 1 :]) for each in inputs}
    if len(rests) != 1 or not 0 <= axis < len(output.shape):
        raise ValueError(f"along axis {axis}")
    (rest,) = rests
    return (*rest[:axis], sum(each.shape[axis] for each in inputs), *rest[axis:])


def _slice(operation: Operation, inputs: list[Tensor], output: Tensor) -> Shape:
    shape = list(inputs[0].shape)
    axis, start, stop = (operation.settings[name] for name in ("axis", "start", "stop"))
    if not 0 <= axis < len(shape) or not 0 <= start < stop <= shape[axis]:
        raise ValueError(f"from {start} to {stop} of axis {axis}")
    shape[axis] = stop - start
    return tuple(shape)


def _pad(operation: Operation, inputs: list[Tensor], output: Tensor) -> Shape:
    pairs = zip(operation.settings["widths"], inputs[0].shape, strict=True)
    return tuple(before + size + behind for (before, behind), size in pairs)


def _transpose(operation: Operation, inputs: list[Tensor], output: Tensor) -> Shape:
    order = operation.settings["order"]
    if sorted(order) != list(range(len(inputs[0].shape))):
        raise ValueError(f"order {order}")
    return tuple(inputs[0].shape[axis] for axis in order)


def _reshape(operation: Operation, inputs: list[Tensor], output: Tensor) -> Shape:
    if math.prod(output.shape) != inputs[0].num_values:
        raise ValueError(f"{output.num_values} values are expected")
    return output.shape


def _resize(operation: Operation, inputs: list[Tensor], output: Tensor) -> Shape:
    channels, _, _ = inputs[0].shape
    return (channels, *output.shape[1:])


def _softmax(operation: Operation, inputs: list[Tensor], output: Tensor) -> Shape:
    if not 0 <= operation.settings["axis"] < len(inputs[0].shape):
        raise ValueError(f"axis {operation.settings['axis']}")
    return inputs[0].shape


def _global_average(operation: Operation, inputs: list[Tensor], output: Tensor) -> Shape:
    channels, _, _ = inputs[0].shape
    return (channels, 1, 1)


def _same(operation: Operation, inputs: list[Tensor], output: Tensor) -> Shape:
    return inputs[0].shape


SHAPES: dict[str, Callable[[Operation, list[Tensor], Tensor], Shape]] = {
    "conv": _conv,
    "linear": _linear,
    "add": _broadcast,
    "mul": _broadcast,
    "concat": _concat,
    "slice": _slice,
    "max_pool": _pool,
    "average_pool": _pool,
    "global_average": _global_average,
    "look_up": _same,
    "rescale": _same,
    "copy": _same,
    "leaky_relu": _same,
    "pad": _pad,
    "nearest": _resize,
    "bilinear": _resize,
    "softmax": _softmax,
    "reshape": _reshape,
    "transpose": _transpose,
    "dequantize": _same,
}
