"""Regions of the memory protection unit that end where a device's memory does, rounded up to their unit.

Source: Armv7-M Architecture Reference Manual (DDI 0403), B3.5; Armv8-M (DDI 0553), B11.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...errors import ConfigError
from .boards import Board

GRANULE_BYTES = 32  # smallest step of both kinds of unit
MOST_REGIONS = 8  # the fewest that a unit of these boards has
NUM_PARTS = 8  # PMSAv7: a region of 256 bytes or more is switched off by eighths
SMALLEST_PARTED_BYTES = 256

Access = Literal["code", "data", "input", "device"]

# PMSAv7, RASR without size: bit 28 no execution, 26:24 access (3 read and write, 6 read only), 18:16 sharing and cache
_V7_ATTRIBUTES: dict[Access, int] = {
    "code": 0x0602_0000, "data": 0x1303_0000, "input": 0x1603_0000, "device": 0x1305_0000
}  # fmt: skip
# PMSAv8, low bits of RBAR: bits 2:1 access (1 read and write, 3 read only), bit 0 no execution
_V8_ACCESS: dict[Access, int] = {"code": 0b110, "data": 0b011, "input": 0b111, "device": 0b011}


@dataclass(frozen=True, kw_only=True)
class Span:
    """Bytes [start, start + num_bytes) that the firmware may touch as `access` says."""

    start: int
    num_bytes: int
    access: Access


def fenced_bytes(num_bytes: int) -> int:
    """Where the fence of a memory of `num_bytes` stands: rounded up, so that it faults no access to that memory."""
    return -(-num_bytes // GRANULE_BYTES) * GRANULE_BYTES


def regions(spans: tuple[Span, ...], board: Board) -> tuple[tuple[int, int], ...]:
    """Values of the base and of the attribute register, one pair for each region.

    Everything outside of `spans`, each rounded up by `fenced_bytes`, faults.

    Raises:
        ConfigError: the spans take more regions than the unit has.
    """
    make = _v7_regions if board.protection == "pmsav7" else _v8_regions
    made = tuple(pair for span in spans for pair in make(span))
    if len(made) > MOST_REGIONS:
        raise ConfigError(
            f"The limits of this device take {len(made)} regions of memory protection, and the unit has "
            f"{MOST_REGIONS}: round the device's flash or RAM to a power of two."
        )
    return made


def _v8_regions(span: Span) -> tuple[tuple[int, int], ...]:
    last = span.start + fenced_bytes(span.num_bytes) - GRANULE_BYTES
    attribute = 1 if span.access == "device" else 0
    return ((span.start | _V8_ACCESS[span.access], last | attribute << 1 | 1),)


def _v7_regions(span: Span) -> tuple[tuple[int, int], ...]:
    """A region is a power of two; its eighths are used as digits, what is left over is cut again."""
    found, start, left = [], span.start, fenced_bytes(span.num_bytes)
    while left:
        size = max(1 << (left - 1).bit_length(), GRANULE_BYTES)
        size = size if size == left or size >= SMALLEST_PARTED_BYTES else 1 << (left.bit_length() - 1)
        part = size // NUM_PARTS if size >= SMALLEST_PARTED_BYTES else size
        used = left // part
        off = 0 if part == size else (0xFF << used) & 0xFF
        found.append((start, _V7_ATTRIBUTES[span.access] | off << 8 | (size.bit_length() - 2) << 1 | 1))
        start, left = start + used * part, left - used * part
    return tuple(found)
