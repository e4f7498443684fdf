"""Settings of a quantization that suit the processor at hand."""

from __future__ import annotations

from dataclasses import replace

from ..compress.quantize import Quantize
from ..devices.integers import weight_bits_for
from ..types import Device


def suited(stage: Quantize, device: Device) -> Quantize:
    """The stage with no more weight bits than this machine adds exactly, when it stands for the device."""
    if stage.scheme.mode != "static" or stage.mixed is not None:
        return stage
    bits, because = weight_bits_for(device, stage.bits)
    return replace(stage, bits=bits, because=because) if because else stage
