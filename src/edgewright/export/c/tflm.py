"""Operations whose kernel, or whose constants, are others in the rounding of TensorFlow Lite Micro."""

from __future__ import annotations

import numpy as np

from ...reference.integer import tflm
from .elementwise import pair_sizes
from .layers import window_sizes
from .multipliers import Constant, end_of, grid_of, multiplier
from .scene import Call, Scene


def add(scene: Scene) -> tuple[Call, ...]:
    """A sum or difference with three multipliers."""
    a, b = (grid_of(each) for each in scene.inputs)
    first, second, whole = tflm.add_multipliers((a, b), scene.out)
    sizes = {
        "pair": pair_sizes(scene), "a_zero_point": a.zero_point, "b_zero_point": b.zero_point,
        "a_mantissa": first[0], "a_shift": first[1], "b_mantissa": second[0], "b_shift": second[1],
        "sign": scene.operation.settings["sign"], "mantissa": whole[0], "shift": whole[1], "out": end_of(scene.out),
    }  # fmt: skip
    return (Call(kernel="add_tflm", sizes=sizes, inputs=scene.operation.inputs),)


def average_pool(scene: Scene) -> tuple[Call, ...]:
    """The mean of each window, by a division."""
    grid_of(scene.x)
    sizes = {"window": window_sizes(scene), "channels": scene.x.shape[0], "out": end_of(scene.out)}
    return (Call(kernel="average_pool_tflm", sizes=sizes, inputs=(scene.x.name,)),)


def global_average(scene: Scene) -> tuple[Call, ...]:
    """The mean of each channel: the count is in the multiplier, rounded down."""
    channels, rows, columns = scene.x.shape
    mantissa, shift = tflm.average_multiplier(scene.grid, scene.out, count=rows * columns)
    sizes = {
        "pixels": rows * columns, "channels": channels, "zero_point": scene.grid.zero_point,
        "mantissa": mantissa, "shift": shift, "out": end_of(scene.out),
    }  # fmt: skip
    return (Call(kernel="global_average", sizes=sizes, inputs=(scene.x.name,)),)


def leaky_relu(scene: Scene) -> tuple[Call, ...]:
    """One multiplier for each side of 0."""
    reals = tflm.leaky_multipliers(scene.operation.settings["slope"], grid=scene.grid, out=scene.out)
    above, below = (multiplier(each) for each in reals)
    sizes = {
        "count": scene.y.num_values, "zero_point": scene.grid.zero_point, **above,
        **{f"below_{name}": value for name, value in below.items()}, "out": end_of(scene.out),
    }  # fmt: skip
    return (Call(kernel="leaky_relu", sizes=sizes, inputs=(scene.x.name,)),)


def softmax(scene: Scene) -> tuple[Call, ...]:
    """A table of exponentials, as the reference makes them."""
    outer, count, inner = scene.around(scene.operation.settings["axis"])
    table = Constant(role="table", values=tflm.exponentials(scene.grid).astype(np.int32))
    sizes = {"outer": outer, "count": count, "inner": inner, "out": end_of(scene.out)}
    return (Call(kernel="softmax_tflm", sizes=sizes, inputs=(scene.x.name,), constants=(table,)),)
