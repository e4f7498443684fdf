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

from ...model.functions import CLAMPS, SPLITS, clamp_bounds, is_global_average, zero_padding
from ...model.functions import MOVES as RESHAPES
from ...reference import integer
from ...reference.integer import Grid, Window, functions
from .codes import Codes

aten = torch.ops.aten
Arguments = dict[str, Any]


def arguments(node: fx.Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
    """Arguments of an ATen call by name, defaults filled in."""
    values = {}
    for position, parameter in enumerate(node.target._schema.arguments):  # type: ignore[union-attr]
        given = args[position] if position < len(args) else kwargs.get(parameter.name, parameter.default_value)
        values[parameter.name] = given
    return values


def form_of(node: fx.Node) -> Callable[[Arguments, Grid], np.ndarray] | None:
    """How the reference computes an operator whose tensors are all codes; None where it defines none."""
    if node.target is aten.mean.dim and node.kwargs.get("dtype") is not None:
        return None
    if node.target is aten.adaptive_avg_pool2d.default and not is_global_average(node, rank=4):
        return None
    if node.kwargs.get("alpha", 1) != 1 or (node.target is aten.div.Tensor and isinstance(node.args[1], fx.Node)):
        return None
    if node.target in CLAMPS:
        return partial(_clamp, bounds=clamp_bounds(node))
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
def _pairwise(compute: Any, on_number: Callable[[Any, float], Any], **more: Any) -> Any:
    """Two tensors of codes; with a number as the second it is a function of one tensor, by table."""

    def form(given: Arguments, out: Grid) -> np.ndarray:
        a, b = given["self"], given["other"]
        if not isinstance(b, Codes):
            return _by_table(lambda x: on_number(x, float(b)), a, out)
        return compute(a.array, b.array, grids=(a.grid, b.grid), out=out, **more)

    return form


def _by_table(function: Callable[[np.ndarray], np.ndarray], x: Codes, out: Grid) -> np.ndarray:
    return integer.look_up(x.array, integer.table(function, grid=x.grid, out=out), low=x.grid.low)


def _unary(function: Callable[[np.ndarray], np.ndarray]) -> Callable[[Arguments, Grid], np.ndarray]:
    return lambda given, out: _by_table(function, given["self"], out)


def _gelu(given: Arguments, out: Grid) -> np.ndarray:
    function = functions.gelu if given["approximate"] == "none" else functions.gelu_tanh
    return _by_table(function, given["self"], out)


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
        x.array, _window(given), grid=x.grid, out=out, count_include_pad=given["count_include_pad"],
        divisor=given["divisor_override"],
    )  # fmt: skip


def _softmax(given: Arguments, out: Grid) -> np.ndarray:
    return integer.softmax(given["self"].array, grid=given["self"].grid, out=out, axis=given["dim"])


def _bilinear(given: Arguments, out: Grid) -> np.ndarray:
    x, (size, steps) = given["input"], _resizing(given)
    return integer.bilinear2d(x.array, size, grid=x.grid, out=out, align=given["align_corners"], steps=steps)


FORMS: dict[Any, Callable[[Arguments, Grid], np.ndarray]] = {
    aten.add.Tensor: _pairwise(integer.add, np.add),
    aten.sub.Tensor: _pairwise(integer.add, np.subtract, sign=-1),
    aten.mul.Tensor: _pairwise(integer.mul, np.multiply),
    aten.div.Tensor: _pairwise(None, np.divide),
    aten.cat.default: _concatenate,
    aten.mean.dim: _mean,
    aten.adaptive_avg_pool2d.default: _global_average,
    aten.avg_pool2d.default: _average_pool,
    aten.softmax.int: _softmax,
    aten._softmax.default: _softmax,
    aten.upsample_bilinear2d.vec: _bilinear,
    aten.leaky_relu.default: _leaky_relu,
    aten.sigmoid.default: _unary(functions.sigmoid),
    aten.hardsigmoid.default: _unary(functions.hard_sigmoid),
    aten.silu.default: _unary(functions.silu),
    aten.hardswish.default: _unary(functions.hard_swish),
    aten.mish.default: _unary(functions.mish),
    aten.tanh.default: _unary(np.tanh),
    aten.gelu.default: _gelu,
}


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
    return Codes(array=integer.max_pool2d(x.array, _window(given)), grid=x.grid)


def _nearest(given: Arguments) -> Codes:
    x, (size, steps) = given["input"], _resizing(given)
    return Codes(array=integer.nearest2d(x.array, size, steps=steps), grid=x.grid)


SHUFFLES = {aten.pixel_shuffle.default, aten.pixel_unshuffle.default, aten.channel_shuffle.default}
MOVES: dict[Any, Callable[[Arguments], Codes]] = {
    aten.max_pool2d.default: _max_pool,
    aten.upsample_nearest2d.vec: _nearest,
}


# -- settings ---------------------------------------------------------------------------------------------------------
def _window(given: Arguments) -> Window:
    """The window of a pooling, whose settings may be written with one number for both axes."""
    pairs = {name: _pair(given[name]) for name in ("kernel_size", "padding")}
    above, left = pairs["padding"]
    return Window(
        kernel=pairs["kernel_size"], stride=_pair(given["stride"]) if given["stride"] else pairs["kernel_size"],
        padding=((above, above), (left, left)), dilation=_pair(given.get("dilation", 1)), ceil=given["ceil_mode"],
    )  # fmt: skip


def _pair(value: Any) -> tuple[int, int]:
    values = [value] if isinstance(value, int) else list(value)
    return values[0], values[-1]


def _resizing(given: Arguments) -> tuple[tuple[int, int], tuple[float, float] | None]:
    """Size of the output, and input steps per output step where a factor is given instead of a size."""
    if given["output_size"] is not None:
        return _pair(given["output_size"]), None
    rows, columns = (float(factor) for factor in given["scale_factors"])
    height, width = given["input"].array.shape[2:]
    return (int(height * rows), int(width * columns)), (1.0 / rows, 1.0 / columns)
