"""Where and under what conditions a measurement was made: a time without them says nothing."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..devices.machine import (
    CPUINFO,
    cpu_flags,
    cpu_name,
    package_versions,
    present_clock_hz,
    system_name,
    usable_cores,
)

GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
BUSY = 0.5  # load per core above which others certainly take part
PACKAGES = ("onnxruntime", "openvino", "executorch", "torch", "numpy")


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """This machine. What it does not tell (governor and clock inside most virtual machines) is None."""

    processor: str
    cores: int
    usable_cores: int  # that this process may run on
    governor: str | None
    clock_hz: float | None  # of the first core, when it was asked
    is_virtual: bool | None
    load_before: float | None  # processes that ran or waited to, mean of the last minute
    load_after: float | None
    system: str
    versions: Mapping[str, str]


def load_average() -> float | None:
    """Processes that ran or waited to, mean of the last minute; None where the system does not count them."""
    try:
        return round(os.getloadavg()[0], 2)
    except (OSError, AttributeError):
        return None


def conditions(load_before: float | None, *, cpuinfo: Path = CPUINFO, governor: Path = GOVERNOR) -> Conditions:
    """What this machine says about itself after a measurement that began at `load_before`."""
    flags = cpu_flags(cpuinfo)
    return Conditions(
        processor=cpu_name(cpuinfo),
        cores=os.cpu_count() or 1,
        usable_cores=usable_cores(),
        governor=_read(governor) or None,
        clock_hz=present_clock_hz(cpuinfo),
        is_virtual="hypervisor" in flags if flags else None,
        load_before=load_before,
        load_after=load_average(),
        system=f"{system_name()} {platform.machine()}",
        versions=package_versions(PACKAGES),
    )


def remarks(found: Conditions, threads: tuple[int, ...]) -> tuple[str, ...]:
    """What a reader of the times must know, one sentence each."""
    loads = [load for load in (found.load_before, found.load_after) if load is not None]
    said = []
    if max(threads) > found.usable_cores:
        said.append(f"{max(threads)} threads share {found.usable_cores} cores: they wait for each other.")
    if found.load_before is not None and found.load_before > BUSY * found.cores:
        said.append(
            f"Others were working here (load {loads[0]} on {found.cores} cores before the start): calls longer than a "
            "time slice of some milliseconds were interrupted, shorter ones hardly; compare the minima too."
        )
    if found.governor not in (None, "performance"):
        said.append(f"The clock's governor is '{found.governor}': short measurements may run at a low clock.")
    return tuple(said)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
