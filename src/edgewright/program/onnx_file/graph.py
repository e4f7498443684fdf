"""What an ONNX file holds, in the order of its nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from ...errors import ModelError, UnsupportedError
from ...formats.onnx_file import BITS, STANDARD, array_of, check_dense, opset_of, read_model

MICROSOFT = "com.microsoft"  # the domain of ONNX Runtime's own operators


def printable(name: str | bytes) -> str:
    """A name of the file as it can stand in a sentence; where it is no text it comes as bytes."""
    text = name if isinstance(name, str) else name.decode(errors="replace")
    return "".join(each if each.isprintable() else "?" for each in text)


@dataclass(frozen=True, kw_only=True, eq=False)
class Node:
    """One operator of the file. Absent inputs are empty names."""

    proto: onnx.NodeProto
    attributes: Mapping[str, Any]

    @property
    def operator(self) -> str:
        return printable(self.proto.op_type)

    @property
    def name(self) -> str:
        return printable(self.proto.name or self.proto.output[0])

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(self.proto.input)

    @property
    def outputs(self) -> tuple[str, ...]:
        return tuple(self.proto.output)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An input of the file; `shape` with the batch, None for a size that is left open."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | None, ...]


@dataclass(kw_only=True)
class Graph:
    """Nodes, stored arrays, inputs and outputs of a file.

    Attributes:
        bits: of stored integers of fewer than 8 bits, by name.
    """

    path: Path
    opset: int
    nodes: list[Node]
    arrays: dict[str, np.ndarray]
    bits: dict[str, int]
    inputs: list[Entry]
    outputs: list[str]
    proto: onnx.ModelProto = field(repr=False)


def read_graph(path: Path) -> Graph:
    """The graph of a file.

    Raises:
        ModelError: there is no such file, or it is damaged.
        UnsupportedError: it is correct, and has parts that are not read.
    """
    model = read_model(path)
    check_dense(model, path)
    for node in model.graph.node:
        if not node.output:
            raise ModelError(f"{path} is damaged: an operator {printable(node.op_type)} makes nothing.")
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    return Graph(
        path=path,
        opset=opset_of(model),
        nodes=[node_of(each, path) for each in model.graph.node],
        arrays={name: array_of(tensor, path) for name, tensor in stored.items()},
        bits={name: BITS[tensor.data_type] for name, tensor in stored.items() if tensor.data_type in BITS},
        inputs=[_entry(each, path) for each in model.graph.input if each.name not in stored],
        outputs=[each.name for each in model.graph.output],
        proto=model,
    )


def node_of(proto: onnx.NodeProto, path: Path) -> Node:
    """A node with its attributes as plain values; texts as str, tensors as arrays."""
    attributes = {}
    for each in proto.attribute:
        value = onnx.helper.get_attribute_value(each)
        if isinstance(value, onnx.TensorProto):
            value = array_of(value, path)
        attributes[each.name] = value.decode(errors="replace") if isinstance(value, bytes) else value
    return Node(proto=proto, attributes=attributes)


def is_known_domain(node: Node) -> bool:
    return node.proto.domain in (*STANDARD, MICROSOFT)


def _entry(value: onnx.ValueInfoProto, path: Path) -> Entry:
    tensor, name = value.type.tensor_type, printable(value.name)
    try:
        dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    except KeyError:
        raise UnsupportedError(f"The input {name} of {path} is no tensor of numbers: give it a type.") from None
    if not tensor.HasField("shape") or not tensor.shape.dim:
        raise UnsupportedError(f"The input {name} of {path} has no shape: export the file with one.")
    sizes = tuple(dim.dim_value if dim.dim_value > 0 else None for dim in tensor.shape.dim)
    return Entry(name=value.name, dtype=dtype, shape=sizes)
