"""How large firmware is: totals from the size of its sections, shares from the linker's map."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ...errors import ExportError

IN_FLASH = frozenset({".vectors", ".text", ".data"})
IN_RAM = frozenset({".data", ".bss"})
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


def measure_sizes(elf: Path, map_file: Path, *, harness: str) -> Sizes:
    """Sizes of `elf`; objects whose path begins with `harness` count as the harness's.

    Raises:
        ExportError: the file is no ELF file.
    """
    done = subprocess.run(["arm-none-eabi-size", "-A", "-d", str(elf)], capture_output=True, text=True)
    if done.returncode:
        raise ExportError(f"The sizes of {elf} cannot be read: {done.stderr.strip()[:200]}")
    sections = {name: int(size) for name, size in re.findall(r"^(\.\S+)\s+(\d+)", done.stdout, re.M)}
    shares = object_sizes(map_file)
    own = [size for name, size in shares.items() if name.startswith(harness)]
    return Sizes(
        text_bytes=sections.get(".vectors", 0) + sections.get(".text", 0),
        data_bytes=sections.get(".data", 0),
        bss_bytes=sections.get(".bss", 0),
        harness_flash_bytes=sum(size[name] for size in own for name in IN_FLASH),
        harness_ram_bytes=sum(size[name] for size in own for name in IN_RAM),
    )


def object_sizes(map_file: Path) -> dict[str, Counter[str]]:
    """Object file -> output section -> bytes, of what the linker kept; without the gaps of alignment."""
    text = map_file.read_text(encoding="utf-8")
    kept = text[text.index("Linker script and memory map") :]
    found: dict[str, Counter[str]] = {}
    for section, size, name in _PLACED.findall(kept):
        if section in _SECTION_OF_INPUT:
            found.setdefault(name, Counter())[_SECTION_OF_INPUT[section]] += int(size, 16)
    return found
