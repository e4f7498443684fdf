"""TensorBoard's event files, written without TensorBoard: framed, checksummed records of a small protocol buffer.

A file is a row of records `length (8 bytes), its masked crc32c (4), content, its masked crc32c (4)`, little endian. The
content is an `Event` of tensorflow/core/util/event.proto; the few fields that are used have their numbers below. The
`tensorboard` package would bring a dozen others to write these lines; it is needed only to look at them.

Source: tensorflow/core/lib/io/record_writer.h, tensorflow/core/framework/summary.proto; crc32c: RFC 3720, B.4.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

POLYNOMIAL = 0x82F63B78  # of crc32c, reflected
MASK = 0xA282EAD8
VARINT, EIGHT_BYTES, COUNTED, FOUR_BYTES = 0, 1, 2, 5  # wire types of protocol buffers
WALL_TIME, STEP, FILE_VERSION, SUMMARY, SESSION_LOG = 1, 2, 3, 5, 7  # fields of Event
VALUE = 1  # of Summary
TAG, SIMPLE_VALUE, HISTOGRAM = 1, 2, 5  # of Summary.Value
STATUS, START = 1, 1  # of SessionLog
MIN, MAX, NUM, SUM, SUM_OF_SQUARES, LIMITS, COUNTS = range(1, 8)  # of HistogramProto


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """Counts of values up to each limit, the first from minus infinity on; `limits` rise."""

    low: float
    high: float
    num: int
    total: float
    sum_of_squares: float
    limits: Sequence[float]
    counts: Sequence[float]

    def __post_init__(self) -> None:
        assert len(self.limits) == len(self.counts)

    def encoded(self) -> bytes:
        numbers = {MIN: self.low, MAX: self.high, NUM: self.num, SUM: self.total, SUM_OF_SQUARES: self.sum_of_squares}
        packed = {LIMITS: self.limits, COUNTS: self.counts}
        return b"".join([
            *(_double(field, value) for field, value in numbers.items()),
            *(_bytes(field, struct.pack(f"<{len(row)}d", *row)) for field, row in packed.items()),
        ])  # fmt: skip


class EventFile:
    """A new event file in `folder`, for steps from `step` on; later steps of earlier files there count no more."""

    def __init__(self, folder: Path, *, step: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{os.getpid()}"
        self._file = (folder / name).open("wb")
        self._write(_bytes(FILE_VERSION, b"brain.Event:2"))
        self._write(_whole(STEP, step) + _bytes(SESSION_LOG, _whole(STATUS, START)))

    def scalars(self, values: Mapping[str, float], *, step: int) -> None:
        """One number per tag."""
        self._summary({tag: _float(SIMPLE_VALUE, value) for tag, value in values.items()}, step)

    def histograms(self, values: Mapping[str, Histogram], *, step: int) -> None:
        """One distribution per tag."""
        self._summary({tag: _bytes(HISTOGRAM, value.encoded()) for tag, value in values.items()}, step)

    def close(self) -> None:
        self._file.close()

    def _summary(self, values: Mapping[str, bytes], step: int) -> None:
        entries = (_bytes(VALUE, _bytes(TAG, tag.encode()) + value) for tag, value in values.items())
        self._write(_whole(STEP, step) + _bytes(SUMMARY, b"".join(entries)))

    def _write(self, event: bytes) -> None:
        self._file.write(framed(_double(WALL_TIME, time.time()) + event))
        self._file.flush()  # a reader, and a run that is killed, find every record whole


def framed(content: bytes) -> bytes:
    """One record."""
    length = struct.pack("<Q", len(content))
    return length + struct.pack("<I", masked(length)) + content + struct.pack("<I", masked(content))


def masked(content: bytes) -> int:
    """The crc32c of the content, rotated and shifted so that a checksum of checksums stays sound."""
    value = crc32c(content)
    return (((value >> 15) | (value << 17)) + MASK) & 0xFFFFFFFF


def crc32c(content: bytes) -> int:
    """The Castagnoli checksum: that of b"123456789" is 0xE3069283."""
    value = 0xFFFFFFFF
    for byte in content:
        value = TABLE[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ 0xFFFFFFFF


def _checksums() -> Iterator[int]:
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (POLYNOMIAL if value & 1 else 0)
        yield value


TABLE = tuple(_checksums())


def _key(field: int, wire: int) -> bytes:
    return _varint(field << 3 | wire)


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def _whole(field: int, value: int) -> bytes:
    return _key(field, VARINT) + _varint(value)


def _double(field: int, value: float) -> bytes:
    return _key(field, EIGHT_BYTES) + struct.pack("<d", value)


def _float(field: int, value: float) -> bytes:
    return _key(field, FOUR_BYTES) + struct.pack("<f", value)


def _bytes(field: int, value: bytes) -> bytes:
    return _key(field, COUNTED) + _varint(len(value)) + value
