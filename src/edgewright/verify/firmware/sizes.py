"""How large firmware is: totals from the size of its sections, shares from the linker's map."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .elf import read_sections

IN_FLASH = frozenset({".vectors", ".text", ".data"})
IN_RAM = frozenset({".data", ".bss"})
UNWINDING = ".ARM.ex"  # tables that the linker drops
_PLACED = re.compile(r"^ (\.\w+)\S*\s+0x[0-9a-f]+\s+0x([0-9a-f]+)\s+(\S+)$", re.M)
_SECTION_OF_INPUT = {".vectors": ".vectors", ".text": ".text", ".rodata": ".text", ".data": ".data", ".bss": ".bss"}


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Bytes of one firmware, without its stack.

    Attributes:
        text_bytes: code, constants and the vector table.
        data_bytes: variables with a first value, which lie in flash and in RAM.
        bss_bytes: variables that begin as zero; the arena is one of them.
        harness_flash_bytes: of the flash, what the start-up code and the harness take.
        harness_ram_bytes: of the RAM, the same.
    """

    text_bytes: int
    data_bytes: int
    bss_bytes: int
    harness_flash_bytes: int
    harness_ram_bytes: int

    @property
    def flash_bytes(self) -> int:
        """All that the firmware takes of flash."""
        return self.text_bytes + self.data_bytes

    @property
    def static_ram_bytes(self) -> int:
        """All that it takes of RAM, less its stack."""
        return self.data_bytes + self.bss_bytes


def measure_sizes(elf: Path, *, objects: Sequence[Path], map_file: Path | None) -> Sizes:
    """Sizes of `elf`.

    Args:
        objects: the harness's object files, of the folder that is their name in the linker's map.
        map_file: the linker's map, which tells what it kept of the harness; None: all of it counts.

    Raises:
        ExportError: a file is no ELF file.
    """
    sections = {each.name: each.num_bytes for each in read_sections(elf)}
    if map_file is None:
        own = [_share(path) for path in objects]
    else:
        names = {f"{path.parent.name}/{path.name}" for path in objects}
        own = [size for name, size in object_sizes(map_file).items() if name in names]
    return Sizes(
        text_bytes=sections.get(".vectors", 0) + sections.get(".text", 0),
        data_bytes=sections.get(".data", 0),
        bss_bytes=sections.get(".bss", 0),
        harness_flash_bytes=sum(size[name] for size in own for name in IN_FLASH),
        harness_ram_bytes=sum(size[name] for size in own for name in IN_RAM),
    )


def _share(path: Path) -> Counter[str]:
    """Output section -> bytes, of one object file as a whole."""
    found: Counter[str] = Counter()
    for section in read_sections(path):
        if section.in_memory:
            kind = (".bss" if section.is_zero else ".data") if section.is_writable else ".text"
            found[kind] += section.num_bytes if not section.name.startswith(UNWINDING) else 0
    return found


def object_sizes(map_file: Path) -> dict[str, Counter[str]]:
    """Object file -> output section -> bytes, of what the linker kept; without the gaps of alignment."""
    text = map_file.read_text(encoding="utf-8")
    kept = text[text.index("Linker script and memory map") :]
    found: dict[str, Counter[str]] = {}
    for section, size, name in _PLACED.findall(kept):
        if section in _SECTION_OF_INPUT:
            found.setdefault(name, Counter())[_SECTION_OF_INPUT[section]] += int(size, 16)
    return found
