"""Operations on each code, or on two, as calls."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import UnsupportedError
from ...reference.integer import fixed_point
from ...reference.integer.softmax import ONE
from .layout import sizes_in_memory
from .multipliers import Constant, end_of, grid_of, multiplier, regrid
from .scene import Call, Scene


def add(scene: Scene) -> tuple[Call, ...]:
    """A sum or difference: both factors in one fixed point, as the reference takes them."""
    grids = [grid_of(each) for each in scene.inputs]
    ratios = [grid.scale / scene.out.scale for grid in grids]
    _, shift = fixed_point(max(ratios))
    first, second = (round(ratio * 2.0 ** (31 + shift)) for ratio in ratios)
    sizes = {
        "pair": pair_sizes(scene), "a_zero_point": grids[0].zero_point, "b_zero_point": grids[1].zero_point,
        "a_factor": first, "b_factor": scene.operation.settings["sign"] * second, "shift": shift,
        "out": end_of(scene.out),
    }  # fmt: skip
    return (Call(kernel="add", sizes=sizes, inputs=scene.operation.inputs),)


def mul(scene: Scene) -> tuple[Call, ...]:
    """A product."""
    a, b = (grid_of(each) for each in scene.inputs)
    sizes = {
        "pair": pair_sizes(scene), "a_zero_point": a.zero_point, "b_zero_point": b.zero_point,
        **multiplier(a.scale * b.scale / scene.out.scale), "out": end_of(scene.out),
    }  # fmt: skip
    return (Call(kernel="mul", sizes=sizes, inputs=scene.operation.inputs),)


def pair_sizes(scene: Scene) -> dict[str, int]:
    """Counts and steps of two tensors along three axes; neighbouring axes that both take in step are one."""
    shape = scene.y.shape
    steps = [_steps(each.shape, shape) for each in scene.inputs]
    axes: list[tuple[int, int, int]] = []  # count, step of a, step of b
    for count, a, b in zip(sizes_in_memory(shape), *steps, strict=True):
        last = axes[-1] if axes else None
        if count == 1:
            continue
        if last and (last[1], last[2]) == (a * count, b * count):
            axes[-1] = (last[0] * count, a, b)
        else:
            axes.append((count, a, b))
    if len(axes) > 3:
        raise UnsupportedError(f"{scene.y.name} repeats its inputs along too many axes: reshape them to three.")
    axes = [(1, 0, 0)] * (3 - len(axes)) + axes
    names = ("outer", "middle", "inner")
    counts = {name: axis[0] for name, axis in zip(names, axes, strict=True)}
    for place, tensor in enumerate("ab", start=1):
        counts |= {f"{tensor}_{name}": axis[place] for name, axis in zip(names, axes, strict=True)}
    return counts


def _steps(shape: tuple[int, ...], out: tuple[int, ...]) -> list[int]:
    """The step of each axis of the output in an input's memory; 0 where the input is repeated."""
    sizes = sizes_in_memory((1,) * (len(out) - len(shape)) + tuple(shape))
    steps: list[int] = []
    step = 1
    for size in reversed(sizes):
        steps.insert(0, 0 if size == 1 else step)
        step *= size
    return steps


def rescale(scene: Scene) -> tuple[Call, ...]:
    """The same values on another grid."""
    sizes = {"count": scene.y.num_values, "grid": regrid(scene.grid, scene.out)}
    return (Call(kernel="rescale", sizes=sizes, inputs=(scene.x.name,)),)


def look_up(scene: Scene) -> tuple[Call, ...]:
    """A table."""
    grid_of(scene.y)
    table = Constant(role="table", values=scene.operation.arrays["table"].astype(np.int8))
    sizes = {"count": scene.y.num_values, "low": scene.grid.low}
    return (Call(kernel="look_up", sizes=sizes, inputs=(scene.x.name,), constants=(table,)),)


def leaky_relu(scene: Scene) -> tuple[Call, ...]:
    """One multiplier for each side of 0."""
    ratio = scene.grid.scale / scene.out.scale
    below = multiplier(scene.operation.settings["slope"] * ratio)
    sizes = {
        "count": scene.y.num_values, "zero_point": scene.grid.zero_point, **multiplier(ratio),
        **{f"below_{name}": value for name, value in below.items()}, "out": end_of(scene.out),
    }  # fmt: skip
    return (Call(kernel="leaky_relu", sizes=sizes, inputs=(scene.x.name,)),)


def softmax(scene: Scene) -> tuple[Call, ...]:
    """A table of exponentials, as the reference makes it."""
    grid, out = scene.grid, scene.out
    differences = np.arange(grid.high - grid.low + 1)
    entries = np.floor(ONE * np.exp(-grid.scale * differences) + 0.5).astype(np.int32)
    outer, count, inner = scene.around(scene.operation.settings["axis"])
    sizes: dict[str, Any] = {"outer": outer, "count": count, "inner": inner, **multiplier(1.0 / (out.scale * ONE))}
    sizes["out"] = end_of(out)
    table = Constant(role="table", values=entries)
    return (Call(kernel="softmax", sizes=sizes, inputs=(scene.x.name,), constants=(table,)),)


def dequantize(scene: Scene) -> tuple[Call, ...]:
    """Numbers for codes; one product of 64 bits, as `Grid.values` takes it."""
    scale = Constant(role="scale", values=np.array([scene.grid.scale], dtype=np.float64))
    sizes = {"count": scene.x.num_values, "zero_point": scene.grid.zero_point}
    return (Call(kernel="dequantize", sizes=sizes, inputs=(scene.x.name,), constants=(scale,)),)
