"""Kernels for the vectors of a Cortex-M55: calls of kernels/helium in the place of portable ones.

Layers take tables of their own. Weights have as many rows of zeros behind them as make whole fours of outputs, and the
numbers of four outputs lie together (`fours`), so that one register of the core walks through them: with bias, mantissa
and shift apart, GCC 12 keeps pointers on the stack in the inner loops.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ...program import Operation, Program
from .dsp import apart
from .memory.distances import pixel_by_pixel, run_lead_bytes
from .memory.program import Distances, window_axes
from .multipliers import Constant
from .scene import Call, Scene

LANES = 4
WINDOW, STRIP_PITCH = 4, 64  # of kernels/helium/depthwise.h
CUT = 15  # of kernels/helium/add.h
DEPTHWISE_BYTES = 2048  # of scratch: 28 pixels of 16 channels
STRIP_BYTES = 1024  # of scratch: 8 pixels of a 3x3 kernel over 32 channels; longer strips copy less, by 1 % at most


def pointwise(scene: Scene, call: Call) -> Call:
    """A product with a matrix at two pixels at once."""
    sizes = {"rows": call.sizes["rows"], "each": _rows(call)}
    constants = _layer_constants(call, call.constants[0].values)
    in_place = call.sizes["inputs"] == call.sizes["outputs"]
    return Call(
        kernel="helium/pointwise_in_place" if in_place else "helium/pointwise", sizes=sizes, inputs=call.inputs,
        constants=constants, scratch_bytes=2 * call.sizes["inputs"] if in_place else 0,
        distances=partial(pixel_pairs, reads_first=in_place),
    )  # fmt: skip


def linear(scene: Scene, call: Call) -> Call:
    """The same for rows of features."""
    sizes = {"rows": call.sizes["rows"], "each": _rows(call)}
    constants = _layer_constants(call, call.constants[0].values)
    return Call(kernel="helium/linear", sizes=sizes, inputs=call.inputs, constants=constants)


def linear_float(scene: Scene, call: Call) -> Call:
    """The same with floats as outputs: rows of zeros and biases of 0 make whole fours."""
    missing = -call.sizes["outputs"] % LANES
    whole: dict[str, Any] = {"weight": ((0, missing), (0, 0)), "bias": (0, missing), "scale": (0, 0)}
    constants = tuple(replace(each, values=np.pad(each.values, whole[each.role])) for each in call.constants)
    return replace(call, kernel="helium/linear_float", constants=constants)


def conv(scene: Scene, call: Call) -> Call | None:
    """Strips, for one group and columns without dilation."""
    window = call.sizes["window"]
    if call.sizes["groups"] != 1 or (window["column_dilation"] != 1 and window["kernel_columns"] != 1):
        return None
    weight_OKKI = call.constants[0].values
    taps_OI = weight_OKKI.transpose(0, 2, 1, 3).reshape(len(weight_OKKI), -1)
    pitch = window["kernel_rows"] * call.sizes["channels"]
    block = _block(window, pitch)
    column, channel = np.divmod(np.arange(16), call.sizes["channels"])
    places = column * pitch + channel
    few = call.sizes["channels"] <= 8 and places.max() < 256
    sizes = {
        "window": window, "channels": call.sizes["channels"], "block": block, "zero_point": call.sizes["zero_point"],
        "few": int(few), "places": tuple(places if few else 0 * places),
        "each": {"inputs": taps_OI.shape[1], "outputs": len(taps_OI), "small": _small(call), "out": call.sizes["out"]},
    }  # fmt: skip
    return Call(
        kernel="helium/conv", sizes=sizes, inputs=call.inputs, constants=_layer_constants(call, taps_OI),
        scratch_bytes=strip_columns(window, block) * pitch, distances=partial(strips, block=block, reads_first=True),
    )  # fmt: skip


def depthwise(scene: Scene, call: Call) -> Call | None:
    """Windows of up to 4 x 4 without dilation: one product of registers for each output.

    Where the map keeps its shape and a strip holds a whole row, the output can lie in the place of the input.
    """
    window, channels = call.sizes["window"], call.sizes["channels"]
    kernel = (window["kernel_rows"], window["kernel_columns"])
    if max(kernel) > WINDOW or max(window["row_dilation"], window["column_dilation"]) != 1:
        return None
    given = {each.role: each.values for each in call.constants}
    taps = np.zeros((channels, WINDOW, WINDOW), dtype=np.uint32)
    taps[:, : kernel[1], WINDOW - kernel[0] :] = given["weight"].transpose(2, 1, 0).astype(np.uint8)
    rest = (_bytes_in_words(taps), given["bias"][:, None], given["mantissa"][:, None], -given["shift"][:, None])
    table = np.concatenate([np.zeros((channels, 1), dtype=np.int32), *(each.astype(np.int32) for each in rest)], axis=1)
    block = _depthwise_block(window)
    stays = scene.x.shape == scene.y.shape and window["out_columns"] <= block and _reads_ahead(window)
    sizes = {
        "window": window, "channels": channels, "block": block, "zero_point": call.sizes["zero_point"],
        "small": _small(call), "stays": int(stays), "out": call.sizes["out"],
    }  # fmt: skip
    pixels = -(-block // LANES) * LANES
    return Call(
        kernel="helium/depthwise", sizes=sizes, inputs=call.inputs,
        constants=(Constant(role="channels", values=table),), in_place=stays,
        scratch_bytes=((pixels - 1) * window["column_stride"] + WINDOW) * STRIP_PITCH,
        distances=apart if stays else partial(strips, block=block, reads_first=False),
    )  # fmt: skip


def _reads_ahead(window: Any) -> bool:
    """Whether the windows of an output row begin no further above it than their rows reach, and likewise beside it."""
    return bool(window["top"] < window["kernel_rows"] and window["left"] < window["kernel_columns"])


def _depthwise_block(window: Any) -> int:
    """Output pixels of a strip, in blocks of about one size."""
    most = (DEPTHWISE_BYTES // STRIP_PITCH - WINDOW) // window["column_stride"] + 1
    most = max(LANES, most // LANES * LANES)
    num_blocks = -(-window["out_columns"] // most)
    return int(min(most, -(-window["out_columns"] // num_blocks // LANES) * LANES))


def _bytes_in_words(values: np.ndarray) -> np.ndarray:
    """The last axis, of four bytes, as words."""
    shifted = values.astype(np.uint32) << (8 * np.arange(4, dtype=np.uint32))
    return shifted.sum(-1, dtype=np.uint32).astype(np.int32)


def add(scene: Scene, call: Call) -> Call | None:
    """In 32 bits where the rounding comes after bit 15, and the constant part leaves room for the rest."""
    given = call.sizes
    bits = 31 + given["shift"]
    rest = (given["out"]["zero_point"] << bits) - sum(
        given[f"{side}_factor"] * given[f"{side}_zero_point"] for side in "ab"
    )
    if not CUT < bits < CUT + 31 or abs(rest >> CUT) >= 2**30:
        return None
    sizes = {"pair": given["pair"]}
    for side, value in (("a", given["a_factor"]), ("b", given["b_factor"]), ("rest", rest)):
        sizes |= {f"{side}_high": value >> CUT, f"{side}_low": value & (2**CUT - 1)}
    sizes |= {"bits": bits - CUT, "out": given["out"]}
    return Call(kernel="helium/add", sizes=sizes, inputs=call.inputs)


def add_tflm(scene: Scene, call: Call) -> Call | None:
    """Four sums at once, with the roundings of TensorFlow Lite Micro."""
    if call.sizes["shift"] < 2:
        return None
    sizes = {name: -value if name.endswith("shift") else value for name, value in call.sizes.items()}
    return Call(kernel="helium/add_tflm", sizes=sizes, inputs=call.inputs)


def same(scene: Scene, call: Call) -> Call:
    """The same sizes and constants for a kernel that goes on in vectors."""
    return replace(call, kernel=f"helium/{call.kernel}")


def to_the_left(scene: Scene, call: Call) -> Call:
    """The same, but for the one shift, which vectors take to the left."""
    return replace(same(scene, call), sizes=dict(call.sizes) | {"shift": -call.sizes["shift"]})


def _block(window: Any, pitch: int) -> int:
    """Output pixels of a strip: an even number, as many as `STRIP_BYTES` hold, in blocks of about one size."""
    most = ((STRIP_BYTES // pitch - window["kernel_columns"]) // window["column_stride"] + 1) // 2 * 2
    num_blocks = -(-window["out_columns"] // max(2, most))
    pixels = -(-window["out_columns"] // num_blocks)
    return int(pixels + pixels % 2)


def strip_columns(window: Any, block: int) -> int:
    """Columns of the map that a strip of `block` output pixels holds."""
    return int((min(block, window["out_columns"]) - 1) * window["column_stride"] + window["kernel_columns"])


def pixel_pairs(
    program: Program, operation: Operation, name: str, *, reads_first: bool, at_once: int = 2
) -> Distances:  # fmt: skip
    """Of a kernel that makes two pixels, or more, at once, whatever their rows."""
    channels, height, width = program.tensors[name].shape
    channels_out = program.tensors[operation.output].shape[0]
    pixels = pixel_by_pixel(num_pixels=height * width, channels_in=channels, channels_out=channels_out)
    whole = replace(
        pixels, rows_in=1, rows_out=1, row_bytes_in=pixels.bytes_in, row_bytes_out=pixels.bytes_out
    )  # fmt: skip
    return run_lead_bytes(whole, pixels, at_once=at_once, reads_first=reads_first), None


def strips(program: Program, operation: Operation, name: str, *, block: int, reads_first: bool) -> Distances:
    """Of a kernel that copies strips: all that a block of pixels reads, or that of 16 channels at a time."""
    rows, columns = window_axes(program, operation, name)
    return run_lead_bytes(rows, columns, at_once=block, reads_first=reads_first), None


def _rows(call: Call) -> dict[str, Any]:
    return {
        "inputs": call.sizes["inputs"], "outputs": call.sizes["outputs"], "small": _small(call),
        "out": call.sizes["out"],
    }  # fmt: skip


def _small(call: Call) -> int:
    """Whether all multipliers are below 1/2: then the product's floor comes before all of the rounding."""
    (shift,) = (each.values for each in call.constants if each.role == "shift")
    return int(shift.min() >= 1)


def _layer_constants(call: Call, weight_OI: np.ndarray) -> tuple[Constant, ...]:
    """Weights in whole fours of outputs, and of each four its biases, mantissas and shifts (to the left) as words."""
    given = {each.role: each.values for each in call.constants}
    missing = -len(weight_OI) % LANES
    weight = np.pad(weight_OI, ((0, missing), (0, 0)))
    bias, mantissa, shift = (np.pad(given[role], (0, missing)) for role in ("bias", "mantissa", "shift"))
    packed = _bytes_in_words((-shift).astype(np.uint8).reshape(-1, LANES))
    fours = np.concatenate([bias.reshape(-1, LANES), mantissa.reshape(-1, LANES), packed[:, None]], axis=1)
    return (Constant(role="weight", values=weight), Constant(role="fours", values=fours.astype(np.int32)))


KERNELS: dict[str, Callable[[Scene, Call], Call | None]] = {
    "conv": conv, "depthwise": depthwise, "pointwise": pointwise, "linear": linear, "linear_float": linear_float,
    "add": add, "add_tflm": add_tflm, "mul": to_the_left, "global_average": to_the_left, "average_pool": same,
    "max_pool": same, "look_up": same,
}  # fmt: skip
"""Kernel of a portable call -> the call that takes its place, or None where it stays."""
