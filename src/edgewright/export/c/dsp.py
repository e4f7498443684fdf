"""Kernels for cores with products of 16-bit pairs (Cortex-M4, M7, M33): which calls they take, and what they need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from ...program import Operation, Program
from .memory.distances import block_lead_bytes, channel_band_lead_bytes
from .memory.program import Distances, window_axes
from .scene import Call, Scene

PIXELS = 3  # columns that kernels/dsp/products.h multiplies at once: read whole before their outputs are written
WIDEST_SHIFT = 20  # up to which kernels/dsp/add.h keeps its sum in 64 bits, and the code in 32
BAND_ROWS, BAND_BYTES = 8, 2048  # of a depthwise layer: more rows at once save few instructions
LEAD_BYTES = 1024  # that an output of such a layer may lie ahead of an input of another shape
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


def linear(scene: Scene, call: Call) -> Call | None:
    """Four outputs at a time, of codes or of numbers."""
    sizes = {name: call.sizes[name] for name in ("rows", "inputs", "outputs")}
    if sizes["inputs"] < 4 or sizes["outputs"] < 4:
        return None
    end = {} if call.kernel == "linear_float" else {"end": end_of_layer(call)}
    return replace(call, kernel=f"dsp/{call.kernel}", sizes=sizes | end)


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
    stays = scene.x.shape == scene.y.shape and window["top"] < 3  # no row is read behind the one that is written
    row_bytes = 4 * 4 * pairs_in_row(window)
    band = band_rows(window, row_bytes, stays=stays, out_bytes=window["out_columns"] * channels)
    sizes = {
        "window": window, "channels": channels, "zero_point": call.sizes["zero_point"], "band": band,
        "stays": int(stays), "end": end_of_layer(call),
    }  # fmt: skip
    return replace(
        call, kernel="dsp/depthwise", sizes=sizes, scratch_bytes=((band - 1) * window["row_stride"] + 3) * row_bytes,
        in_place=stays, distances=apart if stays else partial(by_bands, band),
    )  # fmt: skip


def add(scene: Scene, call: Call) -> Call | None:
    """Of two tensors that are walked in step."""
    sizes = _in_step(call)
    if sizes is None or abs(sizes["shift"]) > WIDEST_SHIFT:
        return None
    return replace(call, kernel="dsp/add", sizes=sizes)


def add_tflm(scene: Scene, call: Call) -> Call | None:
    """The same with the roundings of TensorFlow Lite Micro."""
    sizes = _in_step(call)
    if sizes is None or sizes["shift"] not in FUSED_SHIFTS:
        return None
    return replace(call, kernel="dsp/add_tflm", sizes=sizes)


def _in_step(call: Call) -> dict[str, Any] | None:
    """The sizes of a call on two tensors with a count alone; None where one of them is repeated."""
    sizes = dict(call.sizes)
    pair = sizes.pop("pair")
    in_step = (pair["outer"], pair["middle"], pair["a_inner"], pair["b_inner"]) == (1, 1, 1, 1)
    return {"count": pair["inner"], **sizes} if in_step else None


def pairs_in_row(window: Mapping[str, int]) -> int:
    """Pairs of columns that a row of outputs reads."""
    return (window["out_columns"] + 1) // 2 + 1 if window["column_stride"] == 1 else window["out_columns"] + 1


def band_rows(window: Mapping[str, int], row_bytes: int, *, stays: bool, out_bytes: int) -> int:
    """Rows of the output that are made of four channels at once: few enough for the scratch, and for the distance."""
    most = (BAND_BYTES // row_bytes - 3) // window["row_stride"] + 1
    if not stays:
        most = min(most, LEAD_BYTES // out_bytes)
    return max(1, min(most, BAND_ROWS, window["out_rows"]))


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


def by_bands(band: int, program: Program, operation: Operation, name: str) -> Distances:
    """Of a kernel that makes four channels of so many rows of the output before the next four."""
    rows, columns = window_axes(program, operation, name)
    return channel_band_lead_bytes(rows, columns, band=band, at_once=4), None


def by_pixels(program: Program, operation: Operation, name: str) -> Distances:
    """Of a kernel that reads the windows of three pixels, then writes the pixels."""
    rows, columns = window_axes(program, operation, name)
    return block_lead_bytes(rows, columns, at_once=PIXELS), None


KERNELS: dict[str, Callable[[Scene, Call], Call | None]] = {
    "add": add,
    "add_tflm": add_tflm,
    "conv": conv,
    "depthwise": depthwise,
    "linear": linear,
    "linear_float": linear,
    "pointwise": pointwise,
}
