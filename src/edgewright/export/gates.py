"""Gates as the operators that OpenVINO and XNNPACK have: whole again, in float between the integers of layers.

    simulation         layer, codes, gate, codes, product with what the gate has read, codes
    `join_gates`       layer, codes, hard-swish or SiLU, codes
    `open_layers`      layer, hard-swish, SiLU or the gate alone, codes

ONNX Runtime runs the first form fastest, for it has integer kernels of the parts and none of the whole. XNNPACK's
convolutions want codes behind them; OpenVINO's compute the gate before they write, when no codes stand between the two.
What is left out is rounding: the layers' integers stay what they are, and the results move towards the float model's.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import fx

from ..model import layer_of, rewrite
from ..model.quantized import IntegerWeights, QuantizeActivation

aten = torch.ops.aten
WHOLE = {aten.hardsigmoid.default: aten.hardswish.default, aten.sigmoid.default: aten.silu.default}
GATES = {*WHOLE, *WHOLE.values()}
HARD_SWISH_ZERO = -3.0  # hard-swish is 0 up to here, so a clamp at it or below changes nothing


def join_gates(net: fx.GraphModule) -> fx.GraphModule:
    """A copy of a quantized model whose products of a tensor and its own gate are one operator."""

    def edit(changed: fx.GraphModule) -> None:
        for node in list(changed.graph.nodes):
            _join(changed, node)

    return rewrite(net, edit).eval()


def open_layers(net: fx.GraphModule) -> fx.GraphModule:
    """A copy of a quantized model without the quantizers between a layer and nothing but gates."""

    def edit(changed: fx.GraphModule) -> None:
        for node in list(changed.graph.nodes):
            _open(changed, node)

    return rewrite(net, edit).eval()


def clip_hard_sigmoids(net: fx.GraphModule) -> fx.GraphModule:
    """A copy whose hard-sigmoids are min(max(x + 3, 0), 6) / 6.

    ExecuTorch's own form of one has conversions of type in it, and those cut what XNNPACK is given in pieces.
    """

    def edit(changed: fx.GraphModule) -> None:
        found = [node for node in changed.graph.nodes if node.target is aten.hardsigmoid.default]
        if found:
            changed.register_buffer("gate_three", torch.tensor([3.0]))
            changed.register_buffer("gate_six", torch.tensor([6.0]))
        for node in found:
            _clip(changed, node)

    return rewrite(net, edit).eval()


def float_gates(net: fx.GraphModule) -> dict[str, int]:
    """The gates of a model that is written with this module, by operator: they compute in float between integers."""
    names = [str(node.target.__name__).partition(".")[0] for node in net.graph.nodes if node.target in GATES]
    return dict(sorted(Counter(names).items()))


def _join(net: fx.GraphModule, node: fx.Node) -> None:
    if node.target is not aten.mul.Tensor or len(node.args) != 2:
        return
    for source, codes in (node.args, node.args[::-1]):
        gate = _gate_of(net, source, codes)
        if gate is None:
            continue
        node.target, node.args = WHOLE[gate.target], (source,)  # type: ignore[index]
        net.graph.eliminate_dead_code()
        if _changes_no_hard_swish(source) and node.target is aten.hardswish.default:  # behind a layer without codes
            node.args = source.args[:1]  # type: ignore[union-attr]
        return


def _clip(net: fx.GraphModule, node: fx.Node) -> None:
    """Constants are tensors: XNNPACK takes no operator with a number."""
    with net.graph.inserting_before(node):
        shifted = net.graph.call_function(aten.add.Tensor, (node.args[0], net.graph.get_attr("gate_three")))
        clipped = net.graph.call_function(aten.hardtanh.default, (shifted, 0.0, 6.0))
        node.target, node.args, node.kwargs = aten.div.Tensor, (clipped, net.graph.get_attr("gate_six")), {}


def _gate_of(net: fx.GraphModule, source: Any, codes: Any) -> fx.Node | None:
    """The gate of `source` that `codes` rounds, or that it is itself, where nothing else reads either."""
    if not isinstance(codes, fx.Node):
        return None
    gate = codes.args[0] if isinstance(layer_of(net, codes), QuantizeActivation) else codes
    if not isinstance(gate, fx.Node) or gate.target not in WHOLE or gate.args[0] is not source:
        return None
    return gate if len(codes.users) == len(gate.users) == 1 else None


def _open(net: fx.GraphModule, node: fx.Node) -> None:
    if not isinstance(layer_of(net, node), QuantizeActivation) or not _read_by_gates_alone(net, node):
        return
    source: Any = node.args[0]
    clamp = source if _changes_no_hard_swish(source) and _all_hard_swish(node) else None
    source = source if clamp is None else clamp.args[0]
    if len(source.users) > 1 or not isinstance(layer_of(net, source), IntegerWeights):
        return
    node.replace_all_uses_with(source)
    net.graph.erase_node(node)
    if clamp is not None:
        net.graph.erase_node(clamp)


def _read_by_gates_alone(net: fx.GraphModule, node: fx.Node) -> bool:
    """Whether every reader is a gate with a quantizer behind it."""
    behind = [reader for gate in node.users for reader in gate.users]
    gates = all(gate.target in GATES for gate in node.users)
    return gates and bool(behind) and all(isinstance(layer_of(net, each), QuantizeActivation) for each in behind)


def _changes_no_hard_swish(node: Any) -> bool:
    is_clamp = isinstance(node, fx.Node) and node.target is aten.clamp_min.default and len(node.users) == 1
    return is_clamp and node.args[1] <= HARD_SWISH_ZERO


def _all_hard_swish(node: fx.Node) -> bool:
    return all(gate.target is aten.hardswish.default for gate in node.users)
