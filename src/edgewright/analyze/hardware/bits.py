"""How many bits each layer needs or has, and what they cost: bit operations, and MACs that meet a zero weight.

    effective MACs  = MACs x non-zero weights / weights      exact: every weight of a layer is used equally often
    bit operations  = MACs x weight bits x activation bits   (BOPs)

Bits come from the model where it is quantized: a layer's own `bits` for weights, those of the quantizer before it for
activations. Elsewhere they are those of the profile's type.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import torch
from torch import fx, nn

from ...errors import ConfigError
from ...model import is_captured
from ...model.quantized import IntegerWeights, QuantizeActivation, StoredWeights
from ...types import BYTES_PER_ELEMENT, ModelProfile, OpProfile
from .products import Product, products, stored_weight

Bits = Mapping[str, int] | int | None


def activation_bits(net: nn.Module) -> dict[str, int]:
    """Bits of the activations that each layer of a quantized model reads, by the layer's path.

    A layer that reads floats is not in it; one that is called with several precisions has the largest.
    """
    if not is_captured(net):
        return {}
    assert isinstance(net, fx.GraphModule)
    found: dict[str, int] = {}
    for node in net.graph.nodes:
        if node.op == "call_module" and isinstance(net.get_submodule(str(node.target)), IntegerWeights):
            bits = _bits_before(net, node)
            if bits is not None:
                found[str(node.target)] = max(bits, found.get(str(node.target), 0))
    return found


def _bits_before(net: fx.GraphModule, node: fx.Node) -> int | None:
    """Bits of the nearest quantizer before an integer layer: what stands between them only moves integers."""
    while node.all_input_nodes:
        node = node.all_input_nodes[0]
        layer = net.get_submodule(str(node.target)) if node.op == "call_module" else None
        if isinstance(layer, QuantizeActivation):
            return layer.bits
        if layer is not None and not isinstance(layer, nn.Dropout):
            return None
    return None


def weight_bits(net: nn.Module) -> dict[str, int]:
    """Bits of the weights of each layer of a quantized model, by the layer's path."""
    return {path: layer.bits for path, layer in net.named_modules() if isinstance(layer, StoredWeights)}


def bits_per_layer(given: Bits, known: Mapping[str, int], layers: list[str], *, otherwise: int) -> dict[str, int]:
    """Bits of each of `layers`: as given, else as the model has them, else `otherwise`.

    Raises:
        ConfigError: a layer that is not there, or bits that are no whole number of at least 1.
    """
    if given is None:
        return {layer: known.get(layer, otherwise) for layer in layers}
    if isinstance(given, int):
        given = dict.fromkeys(layers, given)
    for layer, bits in given.items():
        if layer not in layers:
            near = get_close_matches(layer, layers, n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(near)}?" if near else f"layers are {', '.join(layers[:5])}, ..."
            raise ConfigError(f"There is no layer '{layer}' to give bits to: {hint}")
        if not isinstance(bits, int) or bits < 1:
            raise ConfigError(f"Bits of a layer are a whole number of at least 1, got {bits!r} for '{layer}'.")
    return {layer: given.get(layer, known.get(layer, otherwise)) for layer in layers}


def bit_operations(
    net: nn.Module, profile: ModelProfile, *, weights: Bits = None, activations: Bits = None
) -> list[dict[str, Any]]:
    """MACs, effective MACs and bit operations of every operator that multiplies, in the order of execution.

    A product of two activations (attention) has no weights that could be zero: all its MACs count as effective, and
    both factors have the bits of the profile's type.

    Args:
        net: the model that was profiled. Weights of a quantized layer are zero where their integer is.
        profile: its rows, for its batch.
        weights: bits of the weights, one number or by layer; None takes the model's.
        activations: the same for the activations that a layer reads.

    Raises:
        ConfigError: bits for a layer that is not there, or less than 1.
        ModelError: the profile is of another model.
    """
    otherwise = int(8 * BYTES_PER_ELEMENT[profile.dtype])
    integers = profile.dtype in ("int8", "int4")
    of_name = {each.row.name: each for each in products(net, profile)}
    layers = list(dict.fromkeys(each.row.layer for each in of_name.values()))
    known = (weight_bits(net), activation_bits(net)) if integers else ({}, {})
    for_weights = bits_per_layer(weights, known[0], layers, otherwise=otherwise)
    for_inputs = bits_per_layer(activations, known[1], layers, otherwise=otherwise)
    rows = []
    for row in profile.rows:
        if not row.macs:
            continue
        effective = _effective_macs(of_name[row.name]) if row.name in of_name else row.macs
        first, second = (bits.get(row.layer, otherwise) for bits in (for_weights, for_inputs))
        rows.append(_bit_row(row, effective, first, second))
    return rows


def _bit_row(row: OpProfile, effective: int, weight_bits: int, activation_bits: int) -> dict[str, Any]:
    return {
        "name": row.name, "layer": row.layer, "op": row.op, "macs": row.macs, "effective_macs": effective,
        "share_of_nonzero_weights": effective / row.macs,
        "weight_bits": weight_bits, "activation_bits": activation_bits,
        "bit_operations": row.macs * weight_bits * activation_bits,
        "effective_bit_operations": effective * weight_bits * activation_bits,
    }  # fmt: skip


def _effective_macs(product: Product) -> int:
    return int(torch.count_nonzero(stored_weight(product.layer))) * product.positions


def total_bit_operations(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The sums of `bit_operations`, and how many times less than float32 they are."""
    sums = {
        name: sum(row[name] for row in rows)
        for name in ("macs", "effective_macs", "bit_operations", "effective_bit_operations")
    }
    share = sums["effective_macs"] / sums["macs"] if sums["macs"] else None
    less = 32 * 32 * sums["macs"] / sums["bit_operations"] if sums["bit_operations"] else None
    return {**sums, "share_of_effective_macs": share, "times_less_than_float32": less}
