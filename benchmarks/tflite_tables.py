"""Tables of a .tflite file by field number, those of TensorFlow's schema.fbs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from flatbuffers import number_types as kinds
from flatbuffers.table import Table


def read_root(path: Path) -> Table:
    """The Model: 1 operator codes, 2 subgraphs, 4 buffers."""
    data = path.read_bytes()
    return Table(data, int.from_bytes(data[:4], "little"))


def tables(table: Table, field: int) -> list[Table]:
    """A vector of tables."""
    offset = table.Offset(4 + 2 * field)
    start = table.Vector(offset)
    return [Table(table.Bytes, table.Indirect(start + 4 * index)) for index in range(table.VectorLen(offset))]


def child(table: Table, field: int) -> Table:
    """One table."""
    return Table(table.Bytes, table.Indirect(table.Pos + table.Offset(4 + 2 * field)))


def numbers(table: Table, field: int, flags: type) -> np.ndarray:
    """A vector of numbers; empty where the field is absent."""
    offset = table.Offset(4 + 2 * field)
    return table.GetVectorAsNumpy(flags, offset) if offset else np.empty(0, np.uint8)


def scalar(table: Table, field: int, flags: type = kinds.Int32Flags, *, absent: int = 0) -> int:
    """One number; `absent` is the schema's default."""
    offset = table.Offset(4 + 2 * field)
    return int(table.Get(flags, offset + table.Pos)) if offset else absent
