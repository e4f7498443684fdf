"""The machine at hand: processor, cores, clock, memory, system, and the versions of what is installed on it.

Nothing heavy is imported here: `doctor` asks it where the runtimes may be missing.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from .. import __version__

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
        return present_clock_hz(cpuinfo)


def present_clock_hz(cpuinfo: Path = CPUINFO) -> float | None:
    """The clock of the first core at this moment; None where the system does not state it as a number."""
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


def usable_cores() -> int:
    """Cores that this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1


def system_name() -> str:
    """The system and the number of its release; what a vendor appends names the host and says nothing of speed."""
    number = re.match(r"\d+(\.\d+)?", platform.release())
    return f"{platform.system()} {number[0]}" if number else platform.system()


def package_versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions of edgewright, Python and those of `packages` that are installed, in this order."""
    found = {"edgewright": __version__, "python": platform.python_version()}
    return found | {name: version for name in packages if (version := package_version(name)) is not None}


def package_version(name: str) -> str | None:
    """The version of an installed package, which is not imported for it; None where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _first(cpuinfo: Path, *keys: str) -> str:
    """The first value of any of `keys`, '' where there is none."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return ""
    pairs = (line.partition(":") for line in lines)
    return next((value.strip() for key, _, value in pairs if key.strip() in keys), "")
