"""Rules of the ONNX standard that are plain arithmetic: where windows and resizings read.

Source: the operators Conv, MaxPool and Resize of the ONNX specification (Resize: versions 10, 11, 13, 18 and 19).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

HALF_PIXEL = ("half_pixel", "pytorch_half_pixel")


def same_padding(length: int, window: tuple[int, int, int], *, upper: bool) -> tuple[int, int]:
    """Padding before and behind one axis, so that it has length / stride places, rounded up.

    Args:
        window: kernel, stride and dilation.
        upper: an odd rest goes behind, else before.
    """
    kernel, stride, dilation = window
    total = max((-(-length // stride) - 1) * stride + (kernel - 1) * dilation + 1 - length, 0)
    less, more = total // 2, total - total // 2
    return (less, more) if upper else (more, less)


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One axis to resize. `scale` is output by input, as the file gives it."""

    axis: int
    before: int
    after: int
    scale: float

    def place(self, index: int, mode: str) -> float:
        """Where output number `index` lies on the input axis."""
        at, scale = np.float32(index), np.float32(self.scale)  # the runtime's precision decides where it rounds
        if mode == "asymmetric":
            return float(at / scale)
        if mode == "align_corners":
            return float(at * np.float32(self.before - 1) / np.float32(self.after - 1)) if self.after > 1 else 0.0
        if mode == "pytorch_half_pixel" and self.after == 1:
            return 0.0
        middle = float((at + np.float32(0.5)) / scale - np.float32(0.5))
        if mode == "half_pixel_symmetric":
            return self.before / 2 * (1 - self.after / (self.scale * self.before)) + middle
        return middle

    def nearest(self, mode: str, rounding: str) -> list[int]:
        """The input that each output takes, by a mode of coordinates and one of rounding."""
        places = (ROUNDINGS[rounding](self.place(index, mode)) for index in range(self.after))
        return [min(max(place, 0), self.before - 1) for place in places]


ROUNDINGS = {
    "floor": math.floor,
    "ceil": math.ceil,
    "round_prefer_floor": lambda place: math.ceil(place - 0.5),
    "round_prefer_ceil": lambda place: math.floor(place + 0.5),
}
