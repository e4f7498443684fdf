"""Layers and pooling as calls: weights in the order in which the kernels read them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import UnsupportedError
from ...program.sums import sum_multipliers, sum_scale
from ...reference.integer import Window, largest_sums
from .layout import places
from .multipliers import Constant, end_of, folded_bias, grid_of, multiplier, per_channel
from .scene import Call, Scene

DOUBLED = 2**30  # twice a smaller sum fits into 32 bits


def conv(scene: Scene) -> tuple[Call, ...]:
    """Pointwise, depthwise or any other convolution."""
    weight_OIKK = scene.operation.arrays["weight_OIKK"]
    window, groups = scene.operation.settings["window"], scene.operation.settings["groups"]
    channels, out_channels = scene.x.shape[0], scene.y.shape[0]
    if groups == 1 and window == Window(kernel=(1, 1), ceil=window.ceil):
        rows = scene.x.shape[1] * scene.x.shape[2]
        return (_product(scene, weight_OIKK.reshape(out_channels, channels), rows=rows, kernel="pointwise"),)
    alone = groups == channels == out_channels
    arrays, high_word = layer_arrays(scene, weight_OIKK)
    order = weight_OIKK[:, 0].transpose(1, 2, 0) if alone else weight_OIKK.transpose(0, 2, 3, 1)
    sizes: dict[str, Any] = {"window": window_sizes(scene), "channels": channels}
    if not alone:
        sizes |= {"out_channels": out_channels, "groups": groups}
    sizes |= {"zero_point": scene.grid.zero_point, "high_word": high_word, "out": end_of(scene.out)}
    return (
        Call(
            kernel="depthwise" if alone else "conv", sizes=sizes, inputs=(scene.x.name,),
            constants=(Constant(role="weight", values=_codes(order)), *arrays),
        ),
    )  # fmt: skip


def linear(scene: Scene) -> tuple[Call, ...]:
    """A linear layer over the last axis; columns in the order in which its input lies."""
    weight_OI = scene.operation.arrays["weight_OI"]
    if len(scene.x.shape) > 2:
        raise UnsupportedError(
            f"The linear layer {scene.y.name} reads a tensor of shape {scene.x.shape}, expected one or two axes: "
            "flatten it first."
        )
    if len(scene.x.shape) == 1:
        weight_OI = weight_OI[:, places(scene.lying[scene.x.name])]
    rows = scene.x.num_values // weight_OI.shape[1]
    if scene.y.grid is not None:
        return (_product(scene, weight_OI, rows=rows, kernel="linear"),)
    bias = folded_bias(scene.operation.arrays["bias_O"], weight_OI, scene.grid)
    scale = sum_scale(scene.grid, scene.operation.arrays["weight_scale_O"]).astype(np.float32)
    scale = np.broadcast_to(scale, bias.shape)
    constants = (
        Constant(role="weight", values=_codes(weight_OI)), Constant(role="bias", values=bias),
        Constant(role="scale", values=scale),
    )  # fmt: skip
    sizes = {"rows": rows, "inputs": weight_OI.shape[1], "outputs": len(weight_OI)}
    return (Call(kernel="linear_float", sizes=sizes, inputs=(scene.x.name,), constants=constants),)


def _product(scene: Scene, weight_OI: np.ndarray, *, rows: int, kernel: str) -> Call:
    arrays, high_word = layer_arrays(scene, weight_OI)
    sizes = {
        "rows": rows, "inputs": weight_OI.shape[1], "outputs": len(weight_OI), "high_word": high_word,
        "out": end_of(scene.out),
    }  # fmt: skip
    constants = (Constant(role="weight", values=_codes(weight_OI)), *arrays)
    return Call(kernel=kernel, sizes=sizes, inputs=(scene.x.name,), constants=constants)


def layer_arrays(scene: Scene, weight: np.ndarray) -> tuple[tuple[Constant, ...], int]:
    """Bias, mantissas and shifts of a layer, and whether all of its sums can do with 32 bits behind the product."""
    arrays = scene.operation.arrays
    bias = folded_bias(arrays["bias_O"], weight, scene.grid)
    reals = sum_multipliers(scene.operation, x=scene.grid, out=scene.out, rounding=scene.program.rounding)
    multipliers, high_word = per_channel(np.broadcast_to(reals, bias.shape))
    if scene.program.rounding == "tflm":  # its form of 32 bits doubles the sums
        most_O = largest_sums(weight, arrays["bias_O"].astype(np.int64), scene.grid)
        high_word &= int(most_O.max() < DOUBLED)
    return (Constant(role="bias", values=bias), *multipliers), high_word


def _codes(weight: np.ndarray) -> np.ndarray:
    """Weights as int8; they have 8 bits at most, in any file that a quantizer of ours made."""
    if weight.min(initial=0) < -128 or weight.max(initial=0) > 127:
        raise UnsupportedError(f"Weights reach {abs(weight).max()}, expected 8 bits: quantize them to 8 bits or less.")
    return np.ascontiguousarray(weight, dtype=np.int8)


def window_sizes(scene: Scene) -> dict[str, int]:
    """A window over the first input as the kernels' `ew_window`."""
    window: Window = scene.operation.settings["window"]
    (_, rows, columns), (_, out_rows, out_columns) = scene.x.shape, scene.y.shape
    return {
        "rows": rows, "columns": columns, "out_rows": out_rows, "out_columns": out_columns,
        "kernel_rows": window.kernel[0], "kernel_columns": window.kernel[1],
        "row_stride": window.stride[0], "column_stride": window.stride[1],
        "top": window.padding[0][0], "left": window.padding[1][0],
        "row_dilation": window.dilation[0], "column_dilation": window.dilation[1],
    }  # fmt: skip


def max_pool(scene: Scene) -> tuple[Call, ...]:
    """The largest code of each window."""
    grid_of(scene.x)
    sizes = {"window": window_sizes(scene), "channels": scene.x.shape[0]}
    return (Call(kernel="max_pool", sizes=sizes, inputs=(scene.x.name,)),)


def average_pool(scene: Scene) -> tuple[Call, ...]:
    """The mean of each window: one multiplier for each number of places that a window can count."""
    window: Window = scene.operation.settings["window"]
    counted = window.padding if scene.operation.settings["include_padding"] else ((0, 0), (0, 0))
    counts = sorted({row * column for row in _counts(scene, 0, counted) for column in _counts(scene, 1, counted)})
    uniform = len(counts) == 1
    table = counts if uniform else range(1, window.kernel[0] * window.kernel[1] + 1)
    arrays, high_word = per_channel(np.array([scene.grid.scale / (scene.out.scale * float(each)) for each in table]))
    (above, below), (before, behind) = counted
    sizes = {
        "window": window_sizes(scene), "channels": scene.x.shape[0], "zero_point": scene.grid.zero_point,
        "above": above, "below": below, "before": before, "behind": behind, "uniform": int(uniform),
        "high_word": high_word, "out": end_of(scene.out),
    }  # fmt: skip
    return (Call(kernel="average_pool", sizes=sizes, inputs=(scene.x.name,), constants=arrays),)


def _counts(scene: Scene, axis: int, counted: tuple[tuple[int, int], tuple[int, int]]) -> set[int]:
    """How many places the windows can count along rows or columns."""
    window: Window = scene.operation.settings["window"]
    low, high = -counted[axis][0], scene.x.shape[1 + axis] + counted[axis][1]
    found = set()
    for place in range(scene.y.shape[1 + axis]):
        start = place * window.stride[axis] - window.padding[axis][0]
        taps = range(start, start + window.reach(axis), window.dilation[axis])
        found.add(sum(low <= tap < high for tap in taps))
    return found


def global_average(scene: Scene) -> tuple[Call, ...]:
    """The mean of each channel."""
    channels, rows, columns = scene.x.shape
    pixels = rows * columns
    sizes = {
        "pixels": pixels, "channels": channels, "zero_point": scene.grid.zero_point,
        **multiplier(scene.grid.scale / (scene.out.scale * pixels)), "out": end_of(grid_of(scene.y)),
    }  # fmt: skip
    return (Call(kernel="global_average", sizes=sizes, inputs=(scene.x.name,)),)
