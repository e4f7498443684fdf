"""What the nodes of a simulation mean to integers: grids, settings by name, functions of one number.

Shared by the lowering and by the judge that runs a simulation in integers, so that both read a graph alike.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import fx, nn

from ...errors import UnsupportedError
from ...model import layer_of
from ...model.functions import CLAMPS, clamp_bounds, is_global_average
from ...model.quantized import QuantizeActivation
from ...reference.integer import Grid, Window, functions

aten = torch.ops.aten
Arguments = dict[str, Any]
Function = Callable[[np.ndarray], np.ndarray]

SHUFFLES = {aten.pixel_shuffle.default, aten.pixel_unshuffle.default, aten.channel_shuffle.default}
FUNCTIONS: dict[Any, Function] = {
    aten.sigmoid.default: functions.sigmoid,
    aten.hardsigmoid.default: functions.hard_sigmoid,
    aten.silu.default: functions.silu,
    aten.hardswish.default: functions.hard_swish,
    aten.mish.default: functions.mish,
    aten.tanh.default: np.tanh,
}
WITH_NUMBER: dict[Any, Callable[[np.ndarray, float], np.ndarray]] = {
    aten.add.Tensor: np.add,
    aten.sub.Tensor: np.subtract,
    aten.mul.Tensor: np.multiply,
    aten.div.Tensor: np.divide,
}


# -- grids ------------------------------------------------------------------------------------------------------------
def grid_of(layer: QuantizeActivation) -> Grid:
    """The grid of a quantizer."""
    spec = layer.spec
    return Grid(scale=spec.scale[0], zero_point=spec.zero_point[0], low=spec.low, high=spec.high)


def quantizer_of(net: fx.GraphModule, node: fx.Node) -> tuple[fx.Node, Grid] | None:
    """The quantizer that alone reads what a node makes, perhaps behind a clamp, and the part of its grid that is left;
    None where values leave as they are."""
    grid_ends: tuple[float | None, float | None] = (None, None)
    users = _readers(node)
    if len(users) == 1 and users[0].target in CLAMPS:
        grid_ends, users = clamp_bounds(users[0]), _readers(users[0])
    layer = layer_of(net, users[0]) if len(users) == 1 else None
    if not isinstance(layer, QuantizeActivation):
        return None
    return users[0], grid_of(layer).clamped(*grid_ends)


def _readers(node: fx.Node) -> list[fx.Node]:
    """Who reads the values of a node: a size is no value."""
    return [user for user in node.users if user.target is not aten.sym_size.int]


# -- operators --------------------------------------------------------------------------------------------------------
def operator_name(net: fx.GraphModule, node: fx.Node) -> str:
    """What to call the operator of a node: the layer's type, or the function's name."""
    layer = layer_of(net, node)
    if layer is not None:
        return type(layer).__name__.removeprefix("Quant")
    return str(getattr(node.target, "__name__", node.target)).partition(".")[0]


def refused(net: fx.GraphModule, node: fx.Node, why: str, *, remedy: str) -> UnsupportedError:
    """The error for an operator that has no place in a program."""
    return UnsupportedError(f"The operator {operator_name(net, node)} at {node.name} {why}: {remedy}.")


def is_identity(net: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node calls a layer that changes nothing in eval mode."""
    return isinstance(layer_of(net, node), (nn.Dropout, nn.Dropout2d, nn.Identity))


def has_plain_settings(node: fx.Node) -> bool:
    """Whether the settings of a function leave it the one that the reference defines under its name."""
    if node.target is aten.mean.dim and node.kwargs.get("dtype") is not None:
        return False
    if node.target is aten.adaptive_avg_pool2d.default and not is_global_average(node, rank=4):
        return False
    divides_tensors = node.target is aten.div.Tensor and isinstance(node.args[1], fx.Node)
    return bool(node.kwargs.get("alpha", 1) == 1) and not divides_tensors


def function_of(node: fx.Node, given: Arguments) -> Function | None:
    """The function of one number that an operator is with these arguments; None for any other."""
    if node.target is aten.gelu.default:
        return functions.gelu if given["approximate"] == "none" else functions.gelu_tanh
    if node.target in WITH_NUMBER and isinstance(given["other"], (int, float)):
        return partial(_with_number, WITH_NUMBER[node.target], float(given["other"]))
    return FUNCTIONS.get(node.target)


def _with_number(function: Callable[[np.ndarray, float], np.ndarray], number: float, x: np.ndarray) -> np.ndarray:
    return function(x, number)


# -- settings ---------------------------------------------------------------------------------------------------------
def arguments(node: fx.Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
    """Arguments of an ATen call by name, defaults filled in."""
    values = {}
    for position, parameter in enumerate(node.target._schema.arguments):  # type: ignore[union-attr]
        given = args[position] if position < len(args) else kwargs.get(parameter.name, parameter.default_value)
        values[parameter.name] = given
    return values


def layer_window(layer: Any) -> Window:
    """The window of a convolution; what "same" adds in all is split, the larger half behind."""
    kernel, dilation = tuple(layer.kernel_size), tuple(layer.dilation)
    if layer.padding == "same":
        whole = [step * (size - 1) for step, size in zip(dilation, kernel, strict=True)]
        padding = [(total // 2, total - total // 2) for total in whole]
    else:
        padding = [(0, 0)] * 2 if layer.padding == "valid" else [(size, size) for size in layer.padding]
    return Window(kernel=kernel, stride=tuple(layer.stride), padding=(padding[0], padding[1]), dilation=dilation)


def pool_window(given: Arguments) -> Window:
    """The window of a pooling, whose settings may be written with one number for both axes."""
    pairs = {name: pair(given[name]) for name in ("kernel_size", "padding")}
    above, left = pairs["padding"]
    return Window(
        kernel=pairs["kernel_size"], stride=pair(given["stride"]) if given["stride"] else pairs["kernel_size"],
        padding=((above, above), (left, left)), dilation=pair(given.get("dilation", 1)), ceil=given["ceil_mode"],
    )  # fmt: skip


def pair(value: Any) -> tuple[int, int]:
    """One number for both axes, or one for each."""
    values = [value] if isinstance(value, int) else list(value)
    return values[0], values[-1]


def resizing(given: Arguments, size: tuple[int, int]) -> tuple[tuple[int, int], tuple[float, float] | None]:
    """Size of the output for an input of `size`, and input steps per output step where a factor is given instead."""
    if given["output_size"] is not None:
        return pair(given["output_size"]), None
    rows, columns = (float(factor) for factor in given["scale_factors"])
    return (int(size[0] * rows), int(size[1] * columns)), (1.0 / rows, 1.0 / columns)
