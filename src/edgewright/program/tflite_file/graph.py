"""What a .tflite file holds: tensors, constants and operators, by TensorFlow Lite's schema.fbs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import ModelError, UnsupportedError, first_line
from .tables import Table, root

MAGIC = b"TFL3"
TYPES = ("float32", "float16", "int32", "uint8", "int64", "string", "bool", "int16", "complex64", "int8")
DTYPES = {"int32": np.int32, "int8": np.int8, "int64": np.int64, "float32": np.float32}
"""Types whose constants are read."""
OPERATORS = {
    0: "ADD", 1: "AVERAGE_POOL_2D", 2: "CONCATENATION", 3: "CONV_2D", 4: "DEPTHWISE_CONV_2D", 5: "DEPTH_TO_SPACE",
    6: "DEQUANTIZE", 9: "FULLY_CONNECTED", 11: "L2_NORMALIZATION", 14: "LOGISTIC", 16: "LSTM", 17: "MAX_POOL_2D",
    18: "MUL", 19: "RELU", 20: "RELU_N1_TO_1", 21: "RELU6", 22: "RESHAPE", 23: "RESIZE_BILINEAR", 25: "SOFTMAX",
    26: "SPACE_TO_DEPTH", 27: "SVDF", 28: "TANH", 32: "CUSTOM", 34: "PAD", 36: "GATHER", 39: "TRANSPOSE", 40: "MEAN",
    41: "SUB", 42: "DIV", 43: "SQUEEZE", 45: "STRIDED_SLICE", 47: "EXP", 49: "SPLIT", 50: "LOG_SOFTMAX", 53: "CAST",
    54: "PRELU", 55: "MAXIMUM", 56: "ARG_MAX", 57: "MINIMUM", 60: "PADV2", 65: "SLICE", 67: "TRANSPOSE_CONV",
    70: "EXPAND_DIMS", 74: "SUM", 77: "SHAPE", 83: "PACK", 88: "UNPACK", 97: "RESIZE_NEAREST_NEIGHBOR",
    98: "LEAKY_RELU", 102: "SPLIT_V", 111: "ELU", 114: "QUANTIZE", 117: "HARD_SWISH", 126: "BATCH_MATMUL", 150: "GELU",
}  # fmt: skip
"""BuiltinOperator -> its name; others are called by their number."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Entry:
    """A tensor of the file.

    Attributes:
        shape: as in the file: with the batch, channels last.
        scales: one, or one per channel; empty where it is not quantized.
        axis: along which the scales lie.
        values: of a constant, None for what is computed.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: np.ndarray
    zero_points: np.ndarray
    axis: int
    values: np.ndarray | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Operator:
    """An operator: numbers of the tensors that it reads (-1 where one is absent) and makes, and its options."""

    name: str
    index: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Table | None

    def option(self, field: int, kind: str, default: int | float = 0) -> int | float:
        """One number of the options; `default` is the schema's."""
        return default if self.options is None else self.options.scalar(field, kind, default)


@dataclass(frozen=True, kw_only=True, eq=False)
class Graph:
    """The only subgraph of a file."""

    path: Path
    entries: tuple[Entry, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_graph(path: Path) -> Graph:
    """The graph of a file.

    Raises:
        ModelError: the file is missing, no .tflite file, or damaged.
        UnsupportedError: it has several subgraphs (control flow).
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({first_line(error)}).") from error
    if data[4:8] != MAGIC:
        raise ModelError(f"{path} is no .tflite file: expected the mark {MAGIC.decode()} at byte 4, got {data[4:8]!r}.")
    with intact(path):
        return _graph(path, root(data))


@contextmanager
def intact(path: Path) -> Iterator[None]:
    """Whatever changed bytes can break inside becomes one error."""
    try:
        yield
    except (ValueError, LookupError, TypeError, ArithmeticError, MemoryError, AssertionError) as error:
        raise ModelError(f"{path} is damaged ({first_line(error, typed=True)}): convert the model again.") from error


def _graph(path: Path, model: Table) -> Graph:
    subgraphs = model.tables(2)
    if len(subgraphs) != 1:
        raise UnsupportedError(f"{path} has {len(subgraphs)} subgraphs, expected one: convert it without control flow.")
    (graph,) = subgraphs
    buffers = [each.numbers(0, np.uint8) for each in model.tables(4)]
    codes = [max(each.scalar(0, "b"), each.scalar(3, "i")) for each in model.tables(1)]
    names = [OPERATORS.get(code, f"number {code}") for code in codes]
    return Graph(
        path=path, entries=tuple(_entry(each, buffers) for each in graph.tables(0)),
        operators=tuple(_operator(index, each, names) for index, each in enumerate(graph.tables(3))),
        inputs=tuple(graph.numbers(1, np.int32).tolist()), outputs=tuple(graph.numbers(2, np.int32).tolist()),
    )  # fmt: skip


def _entry(table: Table, buffers: list[np.ndarray]) -> Entry:
    """Tensor: 0 shape, 1 type, 2 buffer, 3 name, 4 quantization (2 scale, 3 zero point, 6 axis)."""
    shape = tuple(table.numbers(0, np.int32).tolist())
    code, raw, grid = table.scalar(1, "b"), buffers[table.scalar(2, "I")], table.table(4)
    dtype = TYPES[code] if 0 <= code < len(TYPES) else f"number {code}"
    values = raw.view(DTYPES[dtype]).reshape(shape) if raw.size and dtype in DTYPES else None
    return Entry(
        name=table.text(3), shape=shape, dtype=dtype, values=values,
        scales=np.empty(0) if grid is None else grid.numbers(2, np.float32).astype(np.float64),
        zero_points=np.empty(0, np.int64) if grid is None else grid.numbers(3, np.int64),
        axis=0 if grid is None else grid.scalar(6, "i"),
    )  # fmt: skip


def _operator(index: int, table: Table, names: list[str]) -> Operator:
    """Operator: 0 code, 1 inputs, 2 outputs, 4 options."""
    inputs, outputs = (tuple(table.numbers(field, np.int32).tolist()) for field in (1, 2))
    return Operator(
        name=names[table.scalar(0, "I")], index=index, inputs=inputs, outputs=outputs, options=table.table(4)
    )  # fmt: skip
