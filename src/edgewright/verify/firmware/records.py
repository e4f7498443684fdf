"""What firmware says: a stream of records, five words of head and then bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from ...errors import ExportError

HEAD = struct.Struct("<5I")


class Kind(IntEnum):
    """Kinds of records, as `start/harness.h` numbers them."""

    EMPTY = 1
    RUN = 2
    OUTPUT = 3
    LAYER = 4
    STACK = 5
    FAULT = 6
    DONE = 7


@dataclass(frozen=True, kw_only=True)
class Record:
    """One record; what `index` and `value` mean depends on its kind.

    Attributes:
        hundredths: hundredths of a second of virtual time, in records of a duration.
    """

    kind: Kind
    index: int
    value: int
    hundredths: int
    content: bytes


def read_records(stream: bytes) -> Iterator[Record]:
    """All records of a stream, in order.

    Raises:
        ExportError: the stream ends within a record, or holds something else.
    """
    at = 0
    while at < len(stream):
        if at + HEAD.size > len(stream):
            raise ExportError(f"The firmware's output ends within a record, at byte {at} of {len(stream)}.")
        kind, index, value, hundredths, num_bytes = HEAD.unpack_from(stream, at)
        at += HEAD.size
        if kind not in Kind.__members__.values() or at + num_bytes > len(stream):
            raise ExportError(f"The firmware's output is no record at byte {at - HEAD.size} of {len(stream)}.")
        content = stream[at : at + num_bytes]
        yield Record(kind=Kind(kind), index=index, value=value, hundredths=hundredths, content=content)
        at += num_bytes
