"""The tables of a flatbuffer by the numbers of their fields, checked as if a stranger had written them.

A table begins with the distance back to its vtable, which holds for each field where it lies in the table; 0 or nothing
for one that is absent. Everything else is told by distances as well, in little endian.
Source: FlatBuffers, internals of the binary format.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Table:
    """A table of `data` that begins at `start`.

    Every access raises ValueError where what it reads does not lie inside of the data.
    """

    data: bytes
    start: int

    def scalar(self, field: int, kind: str, default: Any = 0) -> Any:
        """One number of the `struct` format `kind`."""
        place = self._place(field)
        return default if place is None else _unpack(self.data, place, kind)

    def table(self, field: int) -> Table | None:
        place = self._place(field)
        return None if place is None else Table(self.data, _target(self.data, place))

    def tables(self, field: int) -> list[Table]:
        """A vector of tables; empty where it is absent."""
        start, count = self.vector(field, 4)
        return [Table(self.data, _target(self.data, start + 4 * index)) for index in range(count)]

    def numbers(self, field: int, dtype: Any) -> np.ndarray:
        """A vector of numbers; empty where it is absent."""
        kind = np.dtype(dtype).newbyteorder("<")
        start, count = self.vector(field, kind.itemsize)
        return np.frombuffer(self.data, kind, count, start).astype(dtype)

    def text(self, field: int) -> str:
        return self.numbers(field, np.uint8).tobytes().decode("utf-8", errors="replace")

    def _place(self, field: int) -> int | None:
        """Where a field lies, None where it is absent."""
        vtable = self.start - _unpack(self.data, self.start, "i")
        if 4 + 2 * field >= _unpack(self.data, vtable, "H"):
            return None
        distance = _unpack(self.data, vtable + 4 + 2 * field, "H")
        return self.start + distance if distance else None

    def vector(self, field: int, item_bytes: int) -> tuple[int, int]:
        """Where the first item of a vector lies, and how many there are."""
        place = self._place(field)
        if place is None:
            return 0, 0
        start = _target(self.data, place)
        count = _unpack(self.data, start, "I")
        if start + 4 + count * item_bytes > len(self.data):
            raise ValueError(f"a vector of {count} items of {item_bytes} bytes reaches over the end")
        return start + 4, count


def root(data: bytes) -> Table:
    """The table that the data begins with."""
    return Table(data, _target(data, 0))


def _target(data: bytes, place: int) -> int:
    return place + int(_unpack(data, place, "I"))


def _unpack(data: bytes, place: int, kind: str) -> Any:
    if not 0 <= place <= len(data) - struct.calcsize("<" + kind):
        raise ValueError(f"byte {place} lies outside of {len(data)}")
    return struct.unpack_from("<" + kind, data, place)[0]
