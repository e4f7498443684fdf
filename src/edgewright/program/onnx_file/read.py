"""`read_onnx`: the graph is walked once with tensors of the program instead of values."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ...errors import ModelError, UnsupportedError, first_line
from ...formats.onnx_file import STANDARD
from ..building import identifier, tidied
from ..shapes import check
from ..types import Program
from . import curves, integers, layers, parts, pointwise, resize, windows
from .call import QUANTIZE, REPLACE, Call, Reading, plain_name
from .fold import MOST, evaluate
from .graph import Graph, Node, is_known_domain, printable, read_graph
from .qoperators import with_quantizers
from .values import Coded, Image, Known, Pending, Stored, Value

log = logging.getLogger(__name__)
WRONG = (RuntimeError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, MemoryError, AssertionError)
Form = Callable[[Call], Value | Sequence[Value]]

MOVES = (
    "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Split", "Gather", "DepthToSpace",
    "SpaceToDepth", "Expand",
)  # fmt: skip
FORMS: dict[str, tuple[Form, int]] = {
    "QuantizeLinear": (integers.quantize, 2), "DequantizeLinear": (integers.dequantize, 2),
    "Conv": (layers.conv, 2), "Gemm": (layers.gemm, 2), "MatMul": (layers.matmul, 2),
    "MaxPool": (windows.max_pool, 1), "AveragePool": (windows.average_pool, 1),
    "GlobalMaxPool": (windows.global_max, 1),
    "GlobalAveragePool": (windows.mean, 1), "ReduceMean": (windows.mean, 1), "ReduceMax": (windows.maximum, 1),
    **dict.fromkeys(("Relu", "Clip"), (pointwise.clamp, 1)), **dict.fromkeys(("Min", "Max"), (pointwise.clamp, 2)),
    **dict.fromkeys(curves.FUNCTIONS, (pointwise.function, 1)),
    "LeakyRelu": (pointwise.leaky_relu, 1), "PRelu": (pointwise.leaky_relu, 2),
    **dict.fromkeys(pointwise.OF_TWO, (pointwise.of_two, 2)),
    "BatchNormalization": (pointwise.batch_norm, 5),
    "Concat": (parts.concat, 1), "Pad": (parts.pad, 1), "Softmax": (parts.softmax, 1), "Identity": (parts.same, 1),
    "Dropout": (parts.same, 1), "Cast": (parts.cast, 1), "Resize": (resize.resize, 1), "Upsample": (resize.resize, 1),
    **dict.fromkeys(MOVES, (parts.move, 1)),
}  # fmt: skip
"""Operator -> what it becomes, and how many inputs it must have."""


def read_onnx(path: Path | str, *, name: str | None = None) -> Program:
    """The program of a quantized ONNX file: one image, static shapes, codes of 8 bits (or 16).

    Quantizers stand around the operators (QDQ), or the operators are ONNX Runtime's integer ones (QLinearConv and its
    like). Unsigned codes are shifted to signed ones. Tensors are named after the operators that make them. Biases that
    are no integers in units of the sums are rounded to them, and a warning of this module's logger says which.

    Args:
        name: of the program; None for the file's.

    Raises:
        ModelError: the file is missing or damaged.
        UnsupportedError: an operator has no integer operation; names it, its place and a remedy.
    """
    path = Path(path)
    reading, outputs = read_values(path)
    program = program_of(reading, outputs, name=name or path.stem)
    try:
        return check(tidied(program))
    except ModelError as error:
        raise ModelError(f"{path} is damaged: {error}") from error


def read_values(path: Path) -> tuple[Reading, list[str]]:
    """What `read_onnx` builds, before it is tidied, and the names of the tensors that leave."""
    graph = read_graph(path)
    try:
        with np.errstate(all="ignore"):  # what is no number is refused where it is used
            walk = _Walk(with_quantizers(graph))
            return walk.reading, walk.outputs()
    except WRONG as error:  # changed bytes break it in any place
        raise ModelError(f"{path} is damaged ({first_line(error, typed=True)}): export the model again.") from error


def program_of(reading: Reading, outputs: Sequence[str], *, name: str) -> Program:
    """The operations of a reading, as they were found."""
    builder = reading.builder
    if reading.rounded:
        log.warning("Biases of %s are no integers of their sums' scale: rounded.", ", ".join(reading.rounded))
    return Program(
        name=identifier(plain_name(name)), tensors=builder.tensors, operations=tuple(builder.operations),
        inputs=tuple(builder.inputs), outputs=tuple(outputs),
    )  # fmt: skip


class _Walk:
    """Reads the nodes in their order; what depends on no input is computed as it stands."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.reading = graph, Reading(graph=graph)
        self.values = self.reading.values
        for key, array in graph.arrays.items():
            self.values[key] = Known(values=array, bits=graph.bits.get(key))
        for entry in graph.inputs:
            batch, *sizes = entry.shape
            if batch not in (None, 1) or None in sizes or not sizes:
                raise UnsupportedError(
                    f"The input {printable(entry.name)} of {graph.path} has the shape {_text(entry.shape)}, expected "
                    "one image of static size: export the file with a batch of 1 (or an open one) and all other sizes "
                    "fixed."
                )
            shape = tuple(size for size in sizes if size is not None)
            self.values[entry.name] = Image(name=entry.name, shape=shape, dtype=entry.dtype)

    def outputs(self) -> list[str]:
        """Reads all nodes; the tensors that leave."""
        for node in self.graph.nodes:
            self._read(node)
        return [self._leaving(name) for name in self.graph.outputs]

    def _read(self, node: Node) -> None:
        call = Call(reading=self.reading, node=node, inputs=tuple(self._found(name, node) for name in node.inputs))
        try:
            made = self._made(call)
        except UnsupportedError as error:
            if str(self.graph.path) in str(error):
                raise
            raise call.refused(str(error), remedy=REPLACE) from error
        except WRONG as error:
            raise ModelError(
                f"{self.graph.path} is damaged at {node.operator} {node.name}: it does not fit what it reads "
                f"({first_line(error, typed=True)})."
            ) from error
        for output, value in zip(node.outputs, made, strict=False):
            if output in self.values:
                raise ModelError(f"{self.graph.path} is damaged: '{printable(output)}' is made twice.")
            if output:
                self.values[output] = value

    def _made(self, call: Call) -> Sequence[Value]:
        node, operator = call.node, call.node.operator
        if operator == "Constant":
            return [Known(values=_constant(call))]
        if operator in ("Shape", "Size") and not isinstance(call.given(0), Known):
            return [_shape(call)]
        is_constant = all(value is None or isinstance(value, Known) for value in call.inputs)
        if is_constant and operator in MOST and node.proto.domain in STANDARD:
            return _folded(call)
        if operator not in FORMS or not is_known_domain(node):
            raise call.refused("has no integer operation", remedy=REPLACE)
        form, least = FORMS[operator]
        if sum(value is not None for value in call.inputs[:least]) < least:
            raise call.refused(f"has fewer than {least} inputs", remedy="export the model again")
        if is_constant and operator not in ("QuantizeLinear", "DequantizeLinear"):
            raise call.refused("reads constants alone", remedy="fold constants (onnxsim, or ONNX Runtime's optimizer)")
        found = form(call)
        call.note()
        return found if isinstance(found, Sequence) else [found]

    def _found(self, name: str, node: Node) -> Value | None:
        if not name:
            return None
        if name not in self.values:
            raise ModelError(
                f"{self.graph.path} is damaged: {node.operator} {node.name} reads '{printable(name)}', which nothing "
                "before it makes."
            )
        return self.values[name]

    def _leaving(self, name: str) -> str:
        """The tensor of an output of the file."""
        value = self.values.get(name)
        if isinstance(value, Coded):
            return value.tensor.name
        if isinstance(value, Pending) and value.may_be_float:
            return value.make(None, value.name).name
        if isinstance(value, Pending) and value.natural is not None:
            return value.on(value.natural).name
        raise UnsupportedError(
            f"The output {printable(name)} of {self.graph.path} is computed in float: {QUANTIZE} (only a last "
            "linear layer may give floats)."
        )


def _constant(call: Call) -> np.ndarray:
    """What an operator Constant holds, in any of its attributes."""
    for name, value in call.node.attributes.items():
        if name == "value" or name.startswith(("value_int", "value_float")):
            kind = np.float32 if "float" in name else np.int64
            return value if isinstance(value, np.ndarray) else np.asarray(value, dtype=kind)
    raise call.refused("holds no numbers", remedy=REPLACE)


def _shape(call: Call) -> Known:
    """The sizes of a value, of a batch of 1."""
    value = call.given(0)
    assert value is not None and not isinstance(value, Known)
    sizes = np.array((1, *value.shape), dtype=np.int64)
    if call.node.operator == "Size":
        return Known(values=np.asarray(np.prod(sizes)))
    return Known(values=sizes[call.attr("start", 0) : call.attr("end", len(sizes))])


def _folded(call: Call) -> list[Known]:
    """A constant computed ahead; what moves dequantized weights moves their codes too."""
    known = {
        name: value
        for name, value in zip(call.node.inputs, call.inputs, strict=True)
        if isinstance(value, Known)
    }  # fmt: skip
    arrays = {name: value.values for name, value in known.items()}
    made = evaluate(call.node, arrays, call.opset)
    first = known.get(call.node.inputs[0]) if call.node.inputs else None
    if first is None or first.stored is None or call.node.operator not in (*MOVES, "Identity"):
        return [Known(values=values) for values in made]
    stored = first.stored
    codes, scales, zeros = (
        evaluate(call.node, {**arrays, call.node.inputs[0]: np.array(part)}, call.opset)
        for part in (stored.codes, stored.scale, stored.zero)
    )
    return [
        Known(values=values, stored=Stored(codes=code, scale=scale, zero=zero))
        for values, code, scale, zero in zip(made, codes, scales, zeros, strict=True)
    ]


def _text(shape: Sequence[int | None]) -> str:
    return ",".join("?" if size is None else str(size) for size in shape)
