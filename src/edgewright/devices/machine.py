"""The machine at hand: what its processor is called, and what it can do with integers.

Nothing heavy is imported here: `doctor` asks it where the runtimes may be missing.
"""

from __future__ import annotations

import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
# Instructions that multiply bytes and add into 32 bits at once. Older x86 adds pairs into 16 bits, which can saturate.
WIDE_DOT_PRODUCTS = ("avx512_vnni", "avx_vnni", "avxvnni", "amx_int8", "asimddp", "i8mm")


def cpu_flags(cpuinfo: Path = CPUINFO) -> frozenset[str]:
    """What the processor says it can do; empty where it does not say."""
    return frozenset(_first(cpuinfo, "flags", "Features").split())


def cpu_name(cpuinfo: Path = CPUINFO) -> str:
    """What the processor is called; its architecture where it has no name."""
    return _first(cpuinfo, "model name") or (not cpuinfo.is_file() and platform.processor()) or platform.machine()


def has_fast_integers(cpuinfo: Path = CPUINFO) -> bool:
    """Whether the processor says that it multiplies bytes and adds into 32 bits in one instruction."""
    return not cpu_flags(cpuinfo).isdisjoint(WIDE_DOT_PRODUCTS)


def _first(cpuinfo: Path, *keys: str) -> str:
    """The first value of any of `keys`, '' where there is none."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return ""
    pairs = (line.partition(":") for line in lines)
    return next((value.strip() for key, _, value in pairs if key.strip() in keys), "")
