"""What this machine's processor can do with integers."""

from __future__ import annotations

import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
# Instructions that multiply bytes and add into 32 bits at once. Older x86 adds pairs into 16 bits, which can saturate.
WIDE_DOT_PRODUCTS = ("avx512_vnni", "avx_vnni", "avxvnni", "amx_int8", "asimddp", "i8mm")


def saturation_warning(cpuinfo: Path = CPUINFO) -> str:
    """One sentence when uint8 x int8 sums can saturate in this processor's fast kernels; empty when they cannot.

    Where the processor does not say what it can do, nothing is claimed.
    """
    if not cpuinfo.is_file() or platform.machine().lower() not in ("x86_64", "amd64"):
        return ""
    flags = _flags(cpuinfo.read_text())
    if not flags or flags & set(WIDE_DOT_PRODUCTS):
        return ""
    return (
        "This processor has no VNNI instructions: sums of two uint8 x int8 products saturate at 16 bits in ONNX "
        "Runtime's kernels, so large weights can lose accuracy here that they keep on newer processors."
    )


def _flags(text: str) -> set[str]:
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            return set(value.split())
    return set()
