"""Thumb-2 instructions as far as their cost needs them: how long each is, and of which kind.

Source: Armv7-M Architecture Reference Manual (DDI 0403), A5.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

Kind = Literal["load", "store", "loads", "stores", "branch", "divide", "other"]

# First half-word: mask, value, kind. The first that fits counts.
_SHORT: tuple[tuple[int, int, Kind], ...] = (
    (0xF800, 0x4800, "load"),  # from the code's own constants
    (0xFE00, 0x5000, "store"), (0xFE00, 0x5200, "store"), (0xFE00, 0x5400, "store"), (0xF000, 0x5000, "load"),
    (0xF800, 0x6000, "store"), (0xF800, 0x6800, "load"), (0xF800, 0x7000, "store"), (0xF800, 0x7800, "load"),
    (0xF800, 0x8000, "store"), (0xF800, 0x8800, "load"), (0xF800, 0x9000, "store"), (0xF800, 0x9800, "load"),
    (0xFE00, 0xB400, "stores"), (0xFE00, 0xBC00, "loads"), (0xF800, 0xC000, "stores"), (0xF800, 0xC800, "loads"),
    (0xF000, 0xD000, "branch"), (0xF800, 0xE000, "branch"), (0xFF00, 0x4700, "branch"), (0xF500, 0xB100, "branch"),
)  # fmt: skip
# Both half-words: mask, value, kind.
_LONG: tuple[tuple[int, int, Kind], ...] = (
    (0xFFF0FFE0, 0xE8D0F000, "branch"),  # by a table
    (0xFE500000, 0xE8100000, "loads"), (0xFE500000, 0xE8000000, "stores"),
    (0xFE500000, 0xE8500000, "loads"), (0xFE500000, 0xE8400000, "stores"),  # two words
    (0xFFD000F0, 0xFB9000F0, "divide"),
    (0xFE100000, 0xF8100000, "load"), (0xFF100000, 0xF8000000, "store"),
    (0xFF300E00, 0xED100A00, "load"), (0xFF300E00, 0xED000A00, "store"),  # of a float
    (0xFE100E00, 0xEC100A00, "loads"), (0xFE100E00, 0xEC000A00, "stores"),
    (0xF8008000, 0xF0008000, "branch"),
)  # fmt: skip
_PAIR = 0xFE400000, 0xE8400000  # loads and stores of two words
_FLOATS = 0xFE000E00, 0xEC000A00


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """One instruction.

    Attributes:
        num_bytes: 2 or 4.
        registers: how many are loaded or stored, 0 for other kinds.
    """

    num_bytes: int
    kind: Kind
    registers: int


def decode(code: bytes) -> tuple[Instruction, ...]:
    """All instructions of a piece of code that begins and ends with one."""
    found, at = [], 0
    while at + 2 <= len(code):
        (first,) = struct.unpack_from("<H", code, at)
        if first >> 11 >= 0b11101 and at + 4 <= len(code):
            found.append(_long(first << 16 | struct.unpack_from("<H", code, at + 2)[0]))
        else:
            found.append(_short(first))
        at += found[-1].num_bytes
    return tuple(found)


def _short(word: int) -> Instruction:
    kind: Kind = next((kind for mask, value, kind in _SHORT if word & mask == value), "other")
    count = {"load": 1, "store": 1}.get(kind, 0)
    if kind in ("loads", "stores"):
        count = (word & 0xFF).bit_count() + (word >> 8 & 1 if word & 0xF000 == 0xB000 else 0)
    return Instruction(num_bytes=2, kind=kind, registers=count)


def _long(word: int) -> Instruction:
    kind: Kind = next((kind for mask, value, kind in _LONG if word & mask == value), "other")
    count = {"load": 1, "store": 1}.get(kind, 0)
    if kind in ("loads", "stores"):
        if word & _FLOATS[0] == _FLOATS[1]:
            count = word & 0xFF
        else:
            count = 2 if word & _PAIR[0] == _PAIR[1] else (word & 0xFFFF).bit_count()
    return Instruction(num_bytes=4, kind=kind, registers=count)
