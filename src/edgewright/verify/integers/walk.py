"""Walking through a simulation with codes instead of values: what each node makes of what flows in."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from torch import fx, nn

from ...model import layer_of
from ...model.functions import CLAMPS, clamp_bounds
from ...model.quantized import QuantizeActivation
from ...reference import integer
from ...reference.integer import Grid
from .codes import Codes, all_codes, grid_of
from .layers import LAYERS, PRODUCTS, Sums, layer_sums, product_sums
from .operators import arguments, form_of, move_of


def kind(net: fx.GraphModule, node: fx.Node) -> str:
    """What to call the operator of a node: the layer's type, or the function's name."""
    layer = layer_of(net, node)
    if layer is not None:
        return type(layer).__name__.removeprefix("Quant")
    return str(getattr(node.target, "__name__", node.target)).partition(".")[0]


def quantizer_of(net: fx.GraphModule, node: fx.Node) -> tuple[fx.Node, Grid] | None:
    """The quantizer that alone reads what a node makes, perhaps behind a clamp, and the part of its grid that is left;
    None where values leave as they are."""
    grid_ends: tuple[float | None, float | None] = (None, None)
    users = list(node.users)
    if len(users) == 1 and users[0].target in CLAMPS:
        grid_ends, users = clamp_bounds(users[0]), list(users[0].users)
    layer = layer_of(net, users[0]) if len(users) == 1 else None
    if not isinstance(layer, QuantizeActivation):
        return None
    return users[0], grid_of(layer).clamped(*grid_ends)


def is_defined(net: fx.GraphModule, node: fx.Node) -> bool:
    """Whether the reference defines an operator that rounds."""
    return is_sums(net, node) or form_of(node) is not None


def is_sums(net: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node adds up products of codes: a layer with integer weights, or a product of two activations."""
    return type(layer_of(net, node)) in LAYERS or node.target in PRODUCTS


def is_identity(net: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node calls a layer that changes nothing in eval mode."""
    return isinstance(layer_of(net, node), (nn.Dropout, nn.Dropout2d, nn.Identity))


def handed_on(net: fx.GraphModule, node: fx.Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Codes behind an operator that only moves them; None when it is no such operator or reads none."""
    if node.target is operator.getitem:
        return args[0][args[1]] if all_codes(args[0]) is not None else None
    found = all_codes((args, kwargs))
    if found is None:
        return None
    if is_identity(net, node):
        return args[0]
    move = move_of(node, rank=found[0].array.ndim)
    return None if move is None else move(arguments(node, args, kwargs))


def sums_of(net: fx.GraphModule, node: fx.Node, args: tuple[Any, ...]) -> Sums:
    """What a layer or a matrix product adds up."""
    layer = layer_of(net, node)
    return layer_sums(layer, args[0]) if layer is not None else product_sums(args[0], args[1])


def computed(
    net: fx.GraphModule, node: fx.Node, args: tuple[Any, ...], kwargs: dict[str, Any], out: Grid
) -> np.ndarray:
    """Codes of `out` that an operator with a form makes of the codes in its arguments.

    Raises:
        OverflowError: a sum does not fit into 32 bits.
    """
    if is_sums(net, node):
        return sums_of(net, node, args).codes(out)
    form = form_of(node)
    assert form is not None
    return form(arguments(node, args, kwargs), out)


def quantized(layer: nn.Module | None, value: Any) -> Codes:
    """Codes of float values, or codes brought to the grid of a quantizer."""
    assert isinstance(layer, QuantizeActivation)
    out = grid_of(layer)
    if isinstance(value, Codes):
        return Codes(array=integer.change_grid(value.array, value.grid, out), grid=out)
    return Codes(array=layer.codes(value).numpy().astype(np.int64), grid=out)
