"""Carry out a plan: build the simulation from the ranges of its tensors."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import fx, nn

from ...model import layer_of, rewrite
from ...model.layers import settings_of
from ...model.quantized import QUANTIZED, IntegerWeights, QuantizeActivation, affine_spec
from ...types import QuantSpec
from .placement import Plan
from .precision import Precision
from .ranges.weights import weight_scales

aten = torch.ops.aten
DEFAULT = Precision()
AUTO = "auto"


def simulate(
    net: fx.GraphModule,
    plan: Plan,
    ranges: Mapping[str, tuple[float, float]],
    *,
    precision: Precision = DEFAULT,
    weight_method: str = AUTO,
) -> fx.GraphModule:
    """The simulation of `net` (folded, eval) in integers of `precision`, activations in `ranges`.

    Args:
        weight_method: how the scales of weights are found, see `weight_scales`; "auto" clips nothing from 6 bits on,
            and below takes the least error of filters that do not shrink.
    """
    specs = {
        name: affine_spec(*plan.fixed.get(name, ranges[name]), bits=precision.of_point(name)) for name in plan.points
    }

    def edit(changed: fx.GraphModule) -> None:
        nodes = {node.name: node for node in changed.graph.nodes}
        for name, point in plan.layers.items():
            scale, bits = specs[point].scale[0], precision.of_layer(name)
            method = weight_method_for(bits, weight_method)
            layer = layer_of(net, nodes[name])
            assert layer is not None
            _quantize_layer(changed, nodes[name], layer, input_scale=scale, bits=bits, method=method)
        for name in plan.points:
            _insert_quantizer(changed, nodes[name], specs[name])

    return rewrite(net, edit).eval()


def weight_method_for(bits: int, asked: str = AUTO) -> str:
    """The method that "auto" stands for at a number of bits: the fewer codes, the more the largest weight costs."""
    return asked if asked != AUTO else "minmax" if bits >= 6 else "gain"


def _insert_quantizer(net: fx.GraphModule, node: fx.Node, spec: QuantSpec) -> None:
    path = f"quantizers.{node.name}"
    net.add_submodule(path, QuantizeActivation.of(spec))
    with net.graph.inserting_after(node):
        quantized = net.graph.create_node("call_module", path, (node,), name=f"{node.name}_codes")
    readers = {user for user in node.users if user is not quantized and user.target is not aten.sym_size.int}
    node.replace_all_uses_with(quantized, delete_user_cb=readers.__contains__)  # a size is no value


def _quantize_layer(
    net: fx.GraphModule, node: fx.Node, layer: nn.Module, *, input_scale: float, bits: int, method: str
) -> None:
    """Replace the layer that a node calls by its integer form; a layer that is called twice gets one form per call.

    Args:
        layer: the float layer, of the model that is simulated.
    """
    if isinstance(layer_of(net, node), IntegerWeights):  # another call has replaced it: this one has its own grids
        node.target = _own_path(net, str(node.target))
    with torch.random.fork_rng(devices=[]):  # a new layer draws weights, which are replaced at once
        integer = QUANTIZED[type(layer)](**settings_of(layer), bits=bits)
    integer.load_state_dict(layer.state_dict(), strict=False)
    integer.set_grid(  # type: ignore[operator]
        weight_scale=weight_scales(layer, bits=bits, method=method), input_scale=torch.tensor(input_scale)
    )
    net.add_submodule(str(node.target), integer)


def _own_path(net: fx.GraphModule, path: str) -> str:
    taken = {name for name, _ in net.named_modules()}
    number = 2
    while f"{path}_call{number}" in taken:
        number += 1
    return f"{path}_call{number}"
