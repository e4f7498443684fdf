"""A program as an ONNX file with quantizers around its operators: the kinds that MLPerf Tiny's vision models have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgewright.program import Operation, Program, Tensor
from edgewright.program.sums import sum_scale
from edgewright.reference.integer import Window


class Writer:
    """Nodes and arrays in the making; `values` holds the dequantized name of each tensor."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.nodes: list[onnx.NodeProto] = []
        self.arrays: dict[str, np.ndarray] = {}
        self.values: dict[str, str] = {}

    def add(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def store(self, name: str, array: Any) -> str:
        self.arrays[name] = np.asarray(array)
        return name

    def dequantized(self, name: str, codes: np.ndarray, scale: np.ndarray) -> str:
        parts = [self.store(name, codes), self.store(f"{name}_scale", scale.astype(np.float32))]
        return self.add("DequantizeLinear", parts, f"{name}_values", axis=0)

    def on_grid(self, values: str, tensor: Tensor) -> None:
        """A quantizer of int8 and what undoes it."""
        grid = tensor.grid
        assert grid is not None and (grid.low, grid.high) == (-128, 127), "whole grids of int8 need no clamps"
        parts = [
            self.store(f"{tensor.name}_s", np.float32(grid.scale)),
            self.store(f"{tensor.name}_z", np.int8(grid.zero_point)),
        ]
        codes = self.add("QuantizeLinear", [values, *parts], f"{tensor.name}_codes")
        self.values[tensor.name] = self.add("DequantizeLinear", [codes, *parts], f"{tensor.name}_values")

    def layer(self, operation: Operation, weight: str) -> list[str]:
        """Inputs of a layer."""
        grid, arrays = self.program.tensors[operation.inputs[0]].grid, operation.arrays
        assert grid is not None, "a layer reads codes"
        scale_O, name = arrays["weight_scale_O"], operation.output
        return [
            self.values[operation.inputs[0]], self.dequantized(f"{name}_weight", arrays[weight], scale_O),
            self.dequantized(f"{name}_bias", arrays["bias_O"], sum_scale(grid, scale_O)),
        ]  # fmt: skip


def window_attributes(window: Window) -> dict[str, Any]:
    (top, bottom), (left, right) = window.padding
    return {"kernel_shape": window.kernel, "strides": window.stride, "pads": [top, left, bottom, right]}


def conv(writer: Writer, operation: Operation, output: str) -> str:
    attributes = window_attributes(operation.settings["window"])
    inputs = writer.layer(operation, "weight_OIKK")
    return writer.add("Conv", inputs, output, group=operation.settings["groups"], **attributes)


def linear(writer: Writer, operation: Operation, output: str) -> str:
    return writer.add("Gemm", writer.layer(operation, "weight_OI"), output, transB=1)


def average_pool(writer: Writer, operation: Operation, output: str) -> str:
    window = window_attributes(operation.settings["window"])
    include = int(operation.settings["include_padding"])
    return writer.add("AveragePool", [writer.values[operation.inputs[0]]], output, count_include_pad=include, **window)


def reshape(writer: Writer, operation: Operation, output: str) -> str:
    shape = writer.program.tensors[operation.output].shape
    target = writer.store(f"{output}_shape", np.array([0, *shape], np.int64))
    return writer.add("Reshape", [writer.values[operation.inputs[0]], target], output)


def softmax(writer: Writer, operation: Operation, output: str) -> str:
    return writer.add("Softmax", [writer.values[operation.inputs[0]]], output, axis=operation.settings["axis"] + 1)


def add(writer: Writer, operation: Operation, output: str) -> str:
    assert operation.settings["sign"] == 1
    return writer.add("Add", [writer.values[name] for name in operation.inputs], output)


WRITERS: dict[str, Callable[[Writer, Operation, str], str]] = {
    "conv": conv, "linear": linear, "average_pool": average_pool, "reshape": reshape, "softmax": softmax, "add": add,
}  # fmt: skip


def write_qdq(program: Program, path: Path) -> None:
    """Write the program's first outputs as a file of ONNX Runtime; the input is float."""
    writer = Writer(program)
    (entry,) = (program.tensors[name] for name in program.inputs)
    writer.on_grid(entry.name, entry)
    for operation in program.operations:
        made = WRITERS[operation.kind](writer, operation, operation.output)
        writer.on_grid(made, program.tensors[operation.output])
    outputs = [
        helper.make_tensor_value_info(writer.values[name], TensorProto.FLOAT, ("batch", *program.tensors[name].shape))
        for name in program.outputs
    ]
    graph = helper.make_graph(
        writer.nodes, "g", [helper.make_tensor_value_info(entry.name, TensorProto.FLOAT, ("batch", *entry.shape))],
        outputs, [numpy_helper.from_array(array, name) for name, array in writer.arrays.items()],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)
