"""Walking through a simulation with codes instead of values: what each node makes of what flows in."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from torch import fx, nn

from ...model import layer_of
from ...model.quantized import QuantizeActivation
from ...program.lowering.meaning import arguments, grid_of, is_identity
from ...reference import integer
from ...reference.integer import Grid
from .codes import Codes, all_codes
from .layers import LAYERS, PRODUCTS, Sums, layer_sums, product_sums
from .operators import form_of, move_of


def is_defined(net: fx.GraphModule, node: fx.Node) -> bool:
    """Whether the reference defines an operator that rounds."""
    return is_sums(net, node) or form_of(node) is not None


def is_sums(net: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node adds up products of codes: a layer with integer weights, or a product of two activations."""
    return type(layer_of(net, node)) in LAYERS or node.target in PRODUCTS


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
