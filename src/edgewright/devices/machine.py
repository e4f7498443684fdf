"""The machine at hand: what its processor is called, and what it can do with integers.

Nothing heavy is imported here: `doctor` asks it where the runtimes may be missing.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
HIGHEST_CLOCK = Path("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq")  # in kHz
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


def clock_hz(cpuinfo: Path = CPUINFO, *, highest: Path = HIGHEST_CLOCK) -> float | None:
    """The highest clock that the system states, or else the present one; None where it states neither."""
    try:
        return 1e3 * float(highest.read_text())
    except (OSError, ValueError):
        pass
    try:
        return 1e6 * float(_first(cpuinfo, "cpu MHz"))
    except ValueError:
        return None


def ram_bytes() -> int | None:
    """Main memory; None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _first(cpuinfo: Path, *keys: str) -> str:
    """The first value of any of `keys`, '' where there is none."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return ""
    pairs = (line.partition(":") for line in lines)
    return next((value.strip() for key, _, value in pairs if key.strip() in keys), "")
