"""A fully quantized int8 .tflite file as a program of integer operations.

Weights per output channel or per tensor, symmetric. Maps become (C, H, W), whatever the file's layout; "same" padding
of a stride of 2 adds its row and column at the bottom right, as TensorFlow does. The program rounds once per
requantization, as this project does, where TensorFlow Lite's own kernels round twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from flatbuffers import number_types as kinds
from flatbuffers.table import Table
from tflite_tables import child, numbers, read_root, scalar, tables

from edgewright.program import Operation, Program, Tensor, check
from edgewright.reference.integer import Grid, Window

INT8 = 9  # TensorType
DTYPES = {2: np.int32, INT8: np.int8}
SAME, VALID = 0, 1  # Padding
CLAMPS: dict[int, tuple[float | None, float | None]] = {0: (None, None), 1: (0.0, None), 2: (-1.0, 1.0), 3: (0.0, 6.0)}
"""ActivationFunctionType -> least and largest value."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A tensor of the file: shape with the batch, scale and zero point by channel, constant values or None."""

    shape: tuple[int, ...]
    dtype: int
    scales: np.ndarray
    zero_points: np.ndarray
    values: np.ndarray | None


@dataclass(frozen=True, kw_only=True)
class Call:
    """One operator of the file."""

    inputs: list[int]
    output: int
    options: Table
    entries: list[Entry]


def read_program(path: Path) -> Program:
    """The program of a file with one input.

    Raises:
        ValueError: an operator without a form here, or numbers other than int8.
    """
    model = read_root(path)
    graph = tables(model, 2)[0]
    entries = [_entry(each, tables(model, 4)) for each in tables(graph, 0)]
    codes = [max(scalar(each, 0, kinds.Int8Flags), scalar(each, 3)) for each in tables(model, 1)]
    inputs, outputs = ([int(each) for each in numbers(graph, field, kinds.Int32Flags)] for field in (1, 2))
    tensors = {f"t{each}": _tensor(each, entries[each]) for each in inputs}
    operations = []
    for operator in tables(graph, 3):
        operation, tensor = _operation(codes[scalar(operator, 0, kinds.Uint32Flags)], operator, entries)
        tensors[tensor.name] = tensor
        operations.append(operation)
    return check(
        Program(
            name=path.stem, tensors=tensors, operations=tuple(operations), inputs=tuple(f"t{each}" for each in inputs),
            outputs=tuple(f"t{each}" for each in outputs),
        )
    )  # fmt: skip


def _entry(table: Table, buffers: list[Table]) -> Entry:
    """Tensor: 0 shape, 1 type, 2 buffer, 4 quantization (2 scale, 3 zero point)."""
    raw = numbers(buffers[scalar(table, 2, kinds.Uint32Flags)], 0, kinds.Uint8Flags)
    shape = tuple(int(each) for each in numbers(table, 0, kinds.Int32Flags))
    dtype = scalar(table, 1, kinds.Int8Flags)
    grid = child(table, 4)
    return Entry(
        shape=shape, dtype=dtype, scales=numbers(grid, 2, kinds.Float32Flags).astype(np.float64),
        zero_points=numbers(grid, 3, kinds.Int64Flags),
        values=raw.view(DTYPES[dtype]).reshape(shape) if raw.size and dtype in DTYPES else None,
    )  # fmt: skip


def _tensor(index: int, entry: Entry, *, clamp: int = 0) -> Tensor:
    """A tensor of one image, (C, H, W) or (I,)."""
    if entry.dtype != INT8:
        raise ValueError(f"Tensor {index} has the type {entry.dtype}, expected int8 ({INT8}).")
    _, *shape = entry.shape
    if len(shape) == 3:
        shape = [shape[2], *shape[:2]]
    grid = Grid(scale=float(entry.scales[0]), zero_point=int(entry.zero_points[0]), low=-128, high=127)
    return Tensor(name=f"t{index}", shape=tuple(shape), grid=grid.clamped(*CLAMPS[clamp]))


def _operation(code: int, operator: Table, entries: list[Entry]) -> tuple[Operation, Tensor]:
    """Operator: 1 inputs, 2 outputs, 4 options."""
    inputs, outputs = ([int(each) for each in numbers(operator, field, kinds.Int32Flags)] for field in (1, 2))
    if code not in FORMS:
        raise ValueError(f"There is no form for the operator {code} of TensorFlow Lite: {sorted(FORMS)} have one.")
    clamp_field, form = FORMS[code]
    options = child(operator, 4) if operator.Offset(12) else None
    clamp = 0 if clamp_field is None or options is None else scalar(options, clamp_field, kinds.Int8Flags)
    call = Call(inputs=inputs, output=outputs[0], options=options, entries=entries)
    kind, settings, arrays = form(call)
    tensor = _tensor(call.output, entries[call.output], clamp=clamp)
    sources = tuple(f"t{each}" for each in inputs if entries[each].values is None)
    return Operation(kind=kind, inputs=sources, output=tensor.name, settings=settings, arrays=arrays), tensor


Form = tuple[str, dict[str, Any], dict[str, np.ndarray]]


def _layer_arrays(call: Call, weight: np.ndarray, name: str) -> dict[str, np.ndarray]:
    """Weights (outputs first), and the bias, which is at the scale of the sums by the format's definition."""
    kernel, bias = call.entries[call.inputs[1]], call.entries[call.inputs[2]].values
    assert bias is not None, "every layer of these files has a bias"
    if kernel.zero_points.any():
        raise ValueError(f"The weights of tensor {call.inputs[1]} have a zero point, expected 0.")
    scales = np.broadcast_to(kernel.scales, (len(weight),)).copy()
    return {name: np.ascontiguousarray(weight), "bias_O": bias, "weight_scale_O": scales}


def _conv(call: Call) -> Form:
    """Conv2DOptions: 0 padding, 1 and 2 strides of columns and rows, 4 and 5 dilations; weights (O, H, W, I)."""
    kernel = call.entries[call.inputs[1]].values
    assert kernel is not None, "weights are constant"
    arrays = _layer_arrays(call, kernel.transpose(0, 3, 1, 2), "weight_OIKK")
    return "conv", {"window": _window(call, kernel.shape[1:3], dilations=(4, 5)), "groups": 1}, arrays


def _depthwise(call: Call) -> Form:
    """DepthwiseConv2DOptions: as of a convolution, but 5 and 6 dilations; weights (1, H, W, O)."""
    kernel = call.entries[call.inputs[1]].values
    assert kernel is not None, "weights are constant"
    arrays = _layer_arrays(call, kernel.transpose(3, 0, 1, 2), "weight_OIKK")
    groups = call.entries[call.inputs[0]].shape[3]
    return "conv", {"window": _window(call, kernel.shape[1:3], dilations=(5, 6)), "groups": groups}, arrays


def _linear(call: Call) -> Form:
    weight = call.entries[call.inputs[1]].values
    assert weight is not None, "weights are constant"
    return "linear", {}, _layer_arrays(call, weight, "weight_OI")


def _average_pool(call: Call) -> Form:
    """Pool2DOptions: 0 padding, 1 and 2 strides of columns and rows, 3 and 4 columns and rows of the window."""
    columns, rows = (scalar(call.options, field) for field in (3, 4))
    return "average_pool", {"window": _window(call, (rows, columns)), "include_padding": False}, {}


def _window(call: Call, kernel: tuple[int, int], *, dilations: tuple[int, int] | None = None) -> Window:
    strides = [scalar(call.options, field) for field in (2, 1)]
    steps = [scalar(call.options, field, absent=1) for field in reversed(dilations)] if dilations else [1, 1]
    widths = [(0, 0), (0, 0)]
    if scalar(call.options, 0, kinds.Int8Flags) == SAME:
        for axis, size in enumerate(call.entries[call.inputs[0]].shape[1:3]):
            count = -(-size // strides[axis])
            total = max((count - 1) * strides[axis] + steps[axis] * (kernel[axis] - 1) + 1 - size, 0)
            widths[axis] = (total // 2, total - total // 2)
    return Window(
        kernel=(int(kernel[0]), int(kernel[1])), stride=(strides[0], strides[1]), padding=(widths[0], widths[1]),
        dilation=(steps[0], steps[1]),
    )  # fmt: skip


def _reshape(call: Call) -> Form:
    """The values of a map are in another order in (C, H, W): only maps of one place become features as they are."""
    if call.entries[call.inputs[0]].shape[1:3] != (1, 1):
        raise ValueError(f"Tensor {call.inputs[0]} has the shape {call.entries[call.inputs[0]].shape}, expected 1x1.")
    return "reshape", {}, {}


def _add(call: Call) -> Form:
    return "add", {"sign": 1}, {}


def _softmax(call: Call) -> Form:
    return "softmax", {"axis": 0}, {}


FORMS: dict[int, tuple[int | None, Callable[[Call], Form]]] = {
    0: (0, _add), 1: (5, _average_pool), 3: (3, _conv), 4: (4, _depthwise), 9: (0, _linear), 22: (None, _reshape),
    25: (None, _softmax),
}  # fmt: skip
"""BuiltinOperator -> field of its fused activation, and its form."""
