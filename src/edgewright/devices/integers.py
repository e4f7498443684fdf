"""How many bits of a weight a processor's integer kernels can use without sums that saturate.

Without instructions that multiply bytes and add into 32 bits, x86 kernels add two products of uint8 and int8 into 16
bits (`vpmaddubsw`): 2 * 255 * 127 = 64,770 does not fit there, 2 * 255 * 63 = 32,130 does.
"""

from __future__ import annotations

import platform
from pathlib import Path

from ..types import Device
from .machine import CPUINFO, cpu_flags, has_fast_integers

FULL_BITS, SAFE_BITS = 8, 7
X86 = ("x86_64", "amd64")


def saturates(cpuinfo: Path = CPUINFO, *, architecture: str | None = None) -> bool:
    """Whether sums of two uint8 x int8 products saturate in this processor's kernels.

    Where the processor does not say what it can do, nothing is claimed.

    Args:
        architecture: of the processor that `cpuinfo` describes; None for this machine's.
    """
    is_x86 = (architecture or platform.machine()).lower() in X86
    return is_x86 and bool(cpu_flags(cpuinfo)) and not has_fast_integers(cpuinfo)


def safe_weight_bits(cpuinfo: Path = CPUINFO, *, architecture: str | None = None) -> int:
    """The most bits of a symmetric weight whose products this processor adds exactly: 7 where 8 can saturate."""
    return SAFE_BITS if saturates(cpuinfo, architecture=architecture) else FULL_BITS


def weight_bits_for(device: Device, bits: int, *, cpuinfo: Path = CPUINFO) -> tuple[int, str]:
    """The bits to quantize weights to when `bits` are asked for, and a sentence when they are fewer.

    Only this machine is asked what it can do: a device elsewhere gets what was asked for.
    """
    safe = safe_weight_bits(cpuinfo)
    if not device.is_here or bits <= safe:
        return bits, ""
    return safe, (
        f"Weights have {safe} bits, not {bits}: this processor has no VNNI instructions, and sums of two products of "
        f"{bits}-bit weights saturate at 16 bits in its kernels."
    )
