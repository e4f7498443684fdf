"""Kernels for cores with products of 16-bit pairs (Cortex-M4, M7, M33): which calls they take, and what they need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ...program import Operation, Program
from .memory.distances import block_lead_bytes, channel_row_lead_bytes
from .memory.program import Distances, window_axes
from .scene import Call, Scene

PIXELS = 3  # columns that kernels/dsp/products.h multiplies at once: read whole before their outputs are written
TURNS = 10  # words of weights per channel in kernels/dsp/depthwise.h
FUSED_SHIFTS = range(2, 23)  # those for which kernels/dsp/requantize.h is exact in both roundings


def pointwise(scene: Scene, call: Call) -> Call | None:
    """Three pixels with two output channels at a time."""
    inputs, outputs = call.sizes["inputs"], call.sizes["outputs"]
    if inputs < 4 or outputs < 2:
        return None
    sizes = {"rows": call.sizes["rows"], "inputs": inputs, "outputs": outputs, "end": end_of_layer(call)}
    return replace(
        call, kernel="dsp/pointwise", sizes=sizes, scratch_bytes=columns_bytes(inputs), distances=by_pixels
    )  # fmt: skip


def conv(scene: Scene, call: Call) -> Call | None:
    """Three windows of one group with two output channels at a time."""
    window, channels = call.sizes["window"], call.sizes["channels"]
    count = window["kernel_rows"] * window["kernel_columns"] * channels
    if call.sizes["groups"] > 1 or count < 4 or call.sizes["out_channels"] < 2:
        return None
    sizes = {
        "window": window, "channels": channels, "out_channels": call.sizes["out_channels"],
        "zero_point": call.sizes["zero_point"], "end": end_of_layer(call),
    }  # fmt: skip
    codes_bytes = -(-count // 4) * 4 if channels % 4 else 0
    return replace(
        call, kernel="dsp/conv", sizes=sizes, scratch_bytes=columns_bytes(count) + codes_bytes, distances=by_pixels
    )  # fmt: skip


def depthwise(scene: Scene, call: Call) -> Call | None:
    """Four channels at a time, in the place of the input where the map keeps its shape."""
    window, channels = call.sizes["window"], call.sizes["channels"]
    taps = tuple(window[name] for name in ("kernel_rows", "kernel_columns", "row_dilation", "column_dilation"))
    if taps != (3, 3, 1, 1) or window["column_stride"] > 2 or channels % 4:
        return None
    in_place = scene.x.shape == scene.y.shape and window["top"] < 3  # no row is read behind the one that is written
    sizes = {
        "window": window, "channels": channels, "zero_point": call.sizes["zero_point"],
        "band": window["out_rows"] if in_place else 1, "end": end_of_layer(call),
    }  # fmt: skip
    pairs = (window["out_columns"] + 1) // 2 + 1 if window["column_stride"] == 1 else window["out_columns"] + 1
    return replace(
        call, kernel="dsp/depthwise", sizes=sizes, scratch_bytes=4 * 4 * (3 * pairs + TURNS), in_place=in_place,
        distances=apart if in_place else by_rows,
    )  # fmt: skip


def columns_bytes(count: int) -> int:
    """Scratch of three columns of `count` codes: 16 bits each, in whole words."""
    return PIXELS * 8 * -(-count // 4)


def end_of_layer(call: Call) -> Mapping[str, Any]:
    """How a layer's sums become codes, as the kernels' `ew_end`."""
    (shifts,) = (each.values for each in call.constants if each.role == "shift")
    high_word = call.sizes["high_word"]
    fused = high_word and int(shifts.min()) in FUSED_SHIFTS and int(shifts.max()) in FUSED_SHIFTS
    return {"high_word": high_word, "fused": int(fused), "out": call.sizes["out"]}


def apart(program: Program, operation: Operation, name: str) -> None:
    """Of a kernel that makes some channels of the whole map before the next ones."""


def by_rows(program: Program, operation: Operation, name: str) -> Distances:
    """Of a kernel that makes four channels of a row of the output before the next four."""
    rows, columns = window_axes(program, operation, name)
    return channel_row_lead_bytes(rows, columns, at_once=4), None


def by_pixels(program: Program, operation: Operation, name: str) -> Distances:
    """Of a kernel that reads the windows of three pixels, then writes the pixels."""
    rows, columns = window_axes(program, operation, name)
    return block_lead_bytes(rows, columns, at_once=PIXELS), None


KERNELS: dict[str, Callable[[Scene, Call], Call | None]] = {
    "conv": conv,
    "depthwise": depthwise,
    "pointwise": pointwise,
}
