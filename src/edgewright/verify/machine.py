"""What a reader of the scores must know about this machine's processor."""

from __future__ import annotations

from pathlib import Path

from ..devices.integers import saturates
from ..devices.machine import CPUINFO


def saturation_warning(cpuinfo: Path = CPUINFO) -> str:
    """One sentence when uint8 x int8 sums can saturate in this processor's fast kernels; empty when they cannot.

    Where the processor does not say what it can do, nothing is claimed.
    """
    if not saturates(cpuinfo):
        return ""
    return (
        "This processor has no VNNI instructions: sums of two uint8 x int8 products saturate at 16 bits in ONNX "
        "Runtime's kernels, so large weights can lose accuracy here that they keep on newer processors. Weights of 7 "
        "bits cannot."
    )
