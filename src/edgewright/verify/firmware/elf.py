"""ELF files of 32-bit cores: how large their sections are, and what lies where before the first instruction.

Source: Tool Interface Standard, Executable and Linking Format 1.2, 1995.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from ...errors import ExportError

HEAD = struct.Struct("<16sHHIIIIIHHHHHH")
SECTION = struct.Struct("<10I")
SEGMENT = struct.Struct("<8I")
MAGIC = b"\x7fELF\x01\x01"  # 32 bits, little-endian
LOADED = 1  # type of a segment
NOT_IN_FILE = 8  # type of a section that begins as zero
WRITABLE, IN_MEMORY = 1, 2  # flags of a section


@dataclass(frozen=True, kw_only=True)
class Section:
    """One section of a file.

    Attributes:
        is_zero: it takes no place in the file.
    """

    name: str
    num_bytes: int
    is_zero: bool
    is_writable: bool
    in_memory: bool


def read_sections(path: Path) -> tuple[Section, ...]:
    """All sections.

    Raises:
        ExportError: the file is no ELF file of a 32-bit core, or is damaged.
    """
    raw, head = _read(path)
    at, size, count, names = head[6], head[11], head[12], head[13]
    try:
        rows = [SECTION.unpack_from(raw, at + index * size) for index in range(count)]
        text = raw[rows[names][4] : rows[names][4] + rows[names][5]]
        return tuple(
            Section(
                name=text[row[0] : text.index(b"\0", row[0])].decode(), num_bytes=row[5], is_zero=row[1] == NOT_IN_FILE,
                is_writable=bool(row[2] & WRITABLE), in_memory=bool(row[2] & IN_MEMORY),
            )
            for row in rows
        )  # fmt: skip
    except (struct.error, IndexError, ValueError) as error:
        raise ExportError(f"{path} is damaged ({error}): build the firmware again.") from error


def read_segments(path: Path) -> tuple[tuple[int, bytes], ...]:
    """Address and content of all that is loaded; variables with a first value lie where they are kept, in flash.

    Raises:
        ExportError: as `read_sections`.
    """
    raw, head = _read(path)
    at, size, count = head[5], head[9], head[10]
    try:
        rows = [SEGMENT.unpack_from(raw, at + index * size) for index in range(count)]
    except struct.error as error:
        raise ExportError(f"{path} is damaged ({error}): build the firmware again.") from error
    loaded = [row for row in rows if row[0] == LOADED and row[4]]
    if any(row[1] + row[4] > len(raw) for row in loaded):
        raise ExportError(f"{path} is cut short: build the firmware again.")
    return tuple((row[3], raw[row[1] : row[1] + row[4]]) for row in loaded)


def _read(path: Path) -> tuple[bytes, tuple[int, ...]]:
    raw = path.read_bytes()
    if not raw.startswith(MAGIC) or len(raw) < HEAD.size:
        raise ExportError(f"{path} is no ELF file of a 32-bit core: build the firmware again.")
    return raw, HEAD.unpack_from(raw)
