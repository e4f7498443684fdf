"""Which form of the integer reference each operator of a simulation is. A new operator is one line.

FORMS     operators that round: `form(arguments by name, grid of the output) -> codes`
MOVES     operators that hand codes on: `move(arguments by name) -> codes on the grid of the first argument`
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import fx

from ...model.functions import CLAMPS, SPLITS, clamp_bounds, zero_padding
from ...model.functions import MOVES as RESHAPES
from ...program.lowering.meaning import (
    FUNCTIONS,
    SHUFFLES,
    Arguments,
    function_of,
    has_plain_settings,
    pool_window,
    resizing,
)
from ...reference import integer
from ...reference.integer import Grid
from .codes import Codes

aten = torch.ops.aten


def form_of(node: fx.Node) -> Callable[[Arguments, Grid], np.ndarray] | None:
    """How the reference computes an operator whose tensors are all codes; None where it defines none."""
    if not has_plain_settings(node):
        return None
    if node.target in CLAMPS:
        return partial(_clamp, bounds=clamp_bounds(node))
    for targets, form in ((PAIRWISE, _pairwise), (TABLES, _by_table)):
        if node.target in targets:
            return partial(form, node)
    return FORMS.get(node.target)


def move_of(node: fx.Node, *, rank: int | None) -> Callable[[Arguments], Any] | None:
    """How codes are handed on by an operator that computes nothing; None for any other."""
    if node.target is operator.getitem or node.op != "call_function":
        return None
    widths = zero_padding(node, rank=rank)
    if widths is not None:
        return partial(_pad, widths=list(zip(*widths, strict=True)))
    if node.target in SPLITS or node.target in RESHAPES | SHUFFLES:
        return partial(_as_torch, node.target)
    return MOVES.get(node.target)


# -- forms ------------------------------------------------------------------------------------------------------------
def _pairwise(node: fx.Node, given: Arguments, out: Grid) -> np.ndarray:
    """Two tensors of codes; with a number as the second it is a function of one tensor, by table."""
    a, b = given["self"], given["other"]
    if not isinstance(b, Codes):
        return _by_table(node, given, out)
    compute, more = PAIRWISE[node.target]
    return compute(a.array, b.array, grids=(a.grid, b.grid), out=out, **more)


def _by_table(node: fx.Node, given: Arguments, out: Grid) -> np.ndarray:
    x, function = given["self"], function_of(node, given)
    assert function is not None
    return integer.look_up(x.array, integer.table(function, grid=x.grid, out=out), low=x.grid.low)


def _leaky_relu(given: Arguments, out: Grid) -> np.ndarray:
    x = given["self"]
    return integer.leaky_relu(x.array, float(given["negative_slope"]), grid=x.grid, out=out)


def _clamp(given: Arguments, out: Grid, *, bounds: tuple[float | None, float | None]) -> np.ndarray:
    return integer.change_grid(given["self"].array, given["self"].grid, out.clamped(*bounds))


def _concatenate(given: Arguments, out: Grid) -> np.ndarray:
    parts = given["tensors"]
    grids = [part.grid for part in parts]
    return integer.concatenate([part.array for part in parts], grids=grids, out=out, axis=given["dim"])


def _mean(given: Arguments, out: Grid) -> np.ndarray:
    x = given["self"]
    axes = tuple(range(x.array.ndim)) if given["dim"] is None else tuple(given["dim"])
    return integer.average(x.array, grid=x.grid, out=out, axes=axes, keepdims=given["keepdim"])


def _global_average(given: Arguments, out: Grid) -> np.ndarray:
    return integer.average(given["self"].array, grid=given["self"].grid, out=out, axes=(2, 3))


def _average_pool(given: Arguments, out: Grid) -> np.ndarray:
    x = given["self"]
    return integer.average_pool2d(
        x.array, pool_window(given), grid=x.grid, out=out, count_include_pad=given["count_include_pad"],
        divisor=given["divisor_override"],
    )  # fmt: skip


def _softmax(given: Arguments, out: Grid) -> np.ndarray:
    return integer.softmax(given["self"].array, grid=given["self"].grid, out=out, axis=given["dim"])


def _bilinear(given: Arguments, out: Grid) -> np.ndarray:
    x, (size, steps) = given["input"], _resizing(given)
    return integer.bilinear2d(x.array, size, grid=x.grid, out=out, align=given["align_corners"], steps=steps)


FORMS: dict[Any, Callable[[Arguments, Grid], np.ndarray]] = {
    aten.cat.default: _concatenate,
    aten.mean.dim: _mean,
    aten.adaptive_avg_pool2d.default: _global_average,
    aten.avg_pool2d.default: _average_pool,
    aten.softmax.int: _softmax,
    aten._softmax.default: _softmax,
    aten.upsample_bilinear2d.vec: _bilinear,
    aten.leaky_relu.default: _leaky_relu,
}
PAIRWISE: dict[Any, tuple[Any, dict[str, int]]] = {
    aten.add.Tensor: (integer.add, {}),
    aten.sub.Tensor: (integer.add, {"sign": -1}),
    aten.mul.Tensor: (integer.mul, {}),
    aten.div.Tensor: (None, {}),  # by a number only
}
TABLES = {*FUNCTIONS, aten.gelu.default}


# -- moves ------------------------------------------------------------------------------------------------------------
def _as_torch(target: Any, given: Arguments) -> Any:
    """A move of elements is the same function on codes as on values."""
    grid: list[Grid] = []

    def open_up(value: Any) -> Any:
        if isinstance(value, Codes):
            grid.append(value.grid)
            return torch.from_numpy(value.array)
        return value

    def close(value: Any) -> Any:
        return Codes(array=value.contiguous().numpy(), grid=grid[0])

    opened: Any = fx.node.map_aggregate(given, open_up)
    moved = target(**opened)
    moved = list(moved) if isinstance(moved, (tuple, list)) else moved
    return fx.node.map_aggregate(moved, close)


def _pad(given: Arguments, *, widths: list[tuple[int, int]]) -> Codes:
    x = given["self"]
    return Codes(array=integer.pad(x.array, widths, zero_point=x.grid.zero_point), grid=x.grid)


def _max_pool(given: Arguments) -> Codes:
    x = given["self"]
    return Codes(array=integer.max_pool2d(x.array, pool_window(given)), grid=x.grid)


def _nearest(given: Arguments) -> Codes:
    x, (size, steps) = given["input"], _resizing(given)
    return Codes(array=integer.nearest2d(x.array, size, steps=steps), grid=x.grid)


MOVES: dict[Any, Callable[[Arguments], Codes]] = {
    aten.max_pool2d.default: _max_pool,
    aten.upsample_nearest2d.vec: _nearest,
}


# -- sizes ------------------------------------------------------------------------------------------------------------
def _resizing(given: Arguments) -> tuple[tuple[int, int], tuple[float, float] | None]:
    height, width = given["input"].array.shape[2:]
    return resizing(given, (height, width))
