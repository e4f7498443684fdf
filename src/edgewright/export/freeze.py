"""The simulation with its integers really stored: the form that is written to a file.

    simulation: float weights, rounded on every call        ->  frozen: int8 weights and int32 biases, dequantized
    simulation: QuantizeActivation (affine int8)            ->  frozen: quantize to uint8, dequantize

The uint8 codes are the int8 codes plus 128 (the fast kernels of ONNX Runtime want unsigned activations). Both forms
compute the same float32 values. A clamp whose whole effect lies in the range of the quantizer behind it is left out.
"""

from __future__ import annotations

import copy
import operator
from typing import Any

import torch
from torch import fx, nn

from ..model import layer_of, rewrite, tensor_specs
from ..model.functions import (
    CLAMPS,
    COPIES,
    RESHAPES,
    SPLITS,
    clamp_bounds,
    is_global_average,
    lowest_padding,
    zero_padding,
)
from ..model.quantized import (
    IntegerWeights,
    QuantConv2d,
    QuantConvTranspose2d,
    QuantizeActivation,
    QuantLinear,
    Reduced,
)
from .constants import has_range, store_numbers
from .frozen import FrozenActivation, FrozenConv2d, FrozenConvTranspose2d, FrozenLinear, FrozenPad
from .schemes import frozen_scheme

aten = torch.ops.aten
MOVING = RESHAPES | {aten.max_pool2d.default, aten.upsample_nearest2d.vec}  # on codes as on values; copies vanish
MAX_INPUT_GROWTH = 0.02  # of the weights


def freeze(net: fx.GraphModule) -> fx.GraphModule:
    """The form of a captured model that is written to a file; it computes the same values."""
    ranks = {name: len(spec.shape) for name, spec in tensor_specs(net).items()}

    def edit(changed: fx.GraphModule) -> None:
        for step in (
            drop_dropout,
            drop_absorbed_clamp,
            _pass_codes_on,
            _fill_input,
            store_numbers,
            _freeze_layer,
            _settle_attention,
            _simplify,
        ):
            for node in list(changed.graph.nodes):
                step(changed, node, ranks)

    return rewrite(net, edit).eval()


def _settle_attention(net: fx.GraphModule, node: fx.Node, ranks: dict[str, int]) -> None:
    """Attention in the usual order of memory: with a learned bias, kernels differ in it, and what the exporter traced
    as a view of the one is none of the other."""
    if node.target is aten.scaled_dot_product_attention.default:
        with net.graph.inserting_after(node):
            settled = net.graph.call_function(aten.clone.default, (node,), {"memory_format": torch.contiguous_format})
        node.replace_all_uses_with(settled, delete_user_cb=lambda user: user is not settled)


def _freeze_layer(net: fx.GraphModule, node: fx.Node, ranks: dict[str, int]) -> None:
    layer = layer_of(net, node)
    frozen: nn.Module | None = None
    if isinstance(layer, QuantizeActivation):
        frozen = FrozenActivation(layer)
    elif isinstance(layer, QuantConv2d):
        frozen = FrozenConv2d(layer)
    elif isinstance(layer, QuantConvTranspose2d):
        frozen = FrozenConvTranspose2d(layer)
    elif isinstance(layer, QuantLinear):
        frozen = FrozenLinear(layer, rank=ranks[node.args[0].name])  # type: ignore[union-attr, index]
    elif isinstance(layer, Reduced):
        frozen = frozen_scheme(layer, rank=ranks[node.args[0].name])  # type: ignore[union-attr, index]
    if frozen is not None:
        net.set_submodule(str(node.target), frozen)


def drop_dropout(net: fx.GraphModule, node: fx.Node, ranks: dict[str, int]) -> None:
    """Dropout does nothing in a file."""
    if isinstance(layer_of(net, node), nn.Dropout):
        node.replace_all_uses_with(node.args[0])  # type: ignore[arg-type]
        net.graph.erase_node(node)


def drop_absorbed_clamp(net: fx.GraphModule, node: fx.Node, ranks: dict[str, int]) -> None:
    """Leave out a clamp that only a quantizer reads whose own range is no wider."""
    layer = layer_of(net, node)
    clamp = node.args[0] if isinstance(layer, QuantizeActivation) else None
    if not isinstance(clamp, fx.Node) or clamp.target not in CLAMPS or len(clamp.users) > 1:
        return
    assert isinstance(layer, QuantizeActivation)
    if has_range(layer, *clamp_bounds(clamp)):
        clamp.replace_all_uses_with(clamp.args[0])  # type: ignore[arg-type]
        net.graph.erase_node(clamp)


def _pass_codes_on(net: fx.GraphModule, node: fx.Node, ranks: dict[str, int]) -> None:
    """Quantize again behind operators that only move values: the codes stay the same, and the runtime sees that such
    an operator can move integers."""
    layer = layer_of(net, node)
    if isinstance(layer, QuantizeActivation) and layer.bits <= 8:  # no kernel moves wider ones
        _pass_on(net, node, layer, ranks)


def _pass_on(net: fx.GraphModule, node: fx.Node, layer: QuantizeActivation, ranks: dict[str, int]) -> None:
    for user in [each for reader in node.users for each in _parts(reader)]:
        if user.target in COPIES:  # vanish in the file, but a view in this graph may need the copy
            _pass_on(net, user, layer, ranks)
            continue
        rank = ranks.get(user.name)
        zeros, lowest = zero_padding(user, rank=rank), lowest_padding(user, rank=rank)
        if zeros is not None:
            again = _pad_codes(net, user, FrozenPad(layer, *zeros))
        elif lowest is not None:
            again = _pad_codes(net, user, FrozenPad(layer, *lowest, lowest=True))
        elif (user.target in MOVING or user.target is operator.getitem) and user.users:
            again = _insert(net, user, layer, source=user)
        else:
            continue
        ranks[again.name] = ranks[user.name]
        _pass_on(net, again, layer, ranks)


def _pad_codes(net: fx.GraphModule, pad: fx.Node, frozen: FrozenPad) -> fx.Node:
    """Replace a padding: quantize what it reads, pad the codes."""
    before = pad.args[0]
    assert isinstance(before, fx.Node)
    quantized = isinstance(layer_of(net, before), QuantizeActivation)
    if quantized and len(before.users) == 1:  # keeps the tensor's name
        net.set_submodule(str(before.target), frozen)
        pad.replace_all_uses_with(before)
        padded = before
    else:
        padded = _insert(net, pad, frozen, source=before.args[0] if quantized else before)
    net.graph.erase_node(pad)
    return padded


def _parts(reader: fx.Node) -> list[fx.Node]:
    """The parts that a split makes, or the reader itself."""
    return list(reader.users) if reader.target in SPLITS else [reader]


def _insert(net: fx.GraphModule, node: fx.Node, layer: nn.Module, *, source: Any) -> fx.Node:
    """Let the readers of `node` read `layer(source)` instead."""
    path = f"quantizers.{node.name}"
    net.add_submodule(path, layer)
    with net.graph.inserting_after(node):
        called = net.graph.create_node("call_module", path, (source,), name=f"{node.name}_codes")
    node.replace_all_uses_with(called, delete_user_cb=lambda reader: reader is not called)
    return called


def _fill_input(net: fx.GraphModule, node: fx.Node, ranks: dict[str, int]) -> None:
    """Give the images channels of zeros, 4 in all, where the first convolution then runs on the runtime's fast path.

    ONNX Runtime's direct convolutions read 4 input channels at a time and make 16 or more; with 3 it copies the image
    byte by byte first. Measured: resnet8 0.91 and resnet20 0.96 of the time. The zeros meet weights of zero.
    """
    layer, readers = layer_of(net, node), list(node.users)
    if not isinstance(layer, QuantizeActivation) or node.args[0].op != "placeholder" or len(readers) != 1:  # type: ignore[union-attr]
        return
    stem = layer_of(net, readers[0])
    if not isinstance(stem, QuantConv2d) or stem.groups != 1 or stem.out_channels < 16 or layer.bits > 8:
        return
    missing = -stem.in_channels % 4
    weights = [each.weight.numel() for each in net.modules() if isinstance(each, IntegerWeights)]
    if not 0 < missing * stem.weight[:, 0].numel() <= MAX_INPUT_GROWTH * sum(weights):
        return
    wider = copy.deepcopy(stem)
    wider.in_channels += missing
    wider.weight = nn.Parameter(nn.functional.pad(stem.weight.detach(), (0, 0, 0, 0, 0, missing)))
    net.set_submodule(str(readers[0].target), wider)
    net.set_submodule(str(node.target), FrozenPad(layer, [0, 0, 0, 0], [0, missing, 0, 0]))


def _simplify(net: fx.GraphModule, node: fx.Node, ranks: dict[str, int]) -> None:
    """Use the operator that runtimes know best for global averages and for flattening to (B, N)."""
    if node.op != "call_function" or not node.args or not isinstance(node.args[0], fx.Node):
        return
    source = node.args[0]
    if is_global_average(node, rank=ranks.get(source.name)):
        with net.graph.inserting_before(node):
            average = net.graph.call_function(torch.ops.edgewright.global_average.default, (source,))
            if ranks[node.name] == 2:
                average = net.graph.call_function(torch.ops.edgewright.flatten.default, (average,))
        node.replace_all_uses_with(average)
    elif node.target in (aten.flatten.using_ints, aten.view.default, aten.reshape.default) and _flattens(node, ranks):
        with net.graph.inserting_before(node):
            flat = net.graph.call_function(torch.ops.edgewright.flatten.default, (source,))
        node.replace_all_uses_with(flat)


def _flattens(node: fx.Node, ranks: dict[str, int]) -> bool:
    """Whether a reshape keeps the batch axis and joins all others."""
    if ranks.get(node.name) != 2:
        return False
    if node.target is aten.flatten.using_ints:
        return list(node.args[1:]) == [1]
    batch = node.args[1][0]  # type: ignore[index]
    return isinstance(batch, fx.Node) and batch.target is aten.sym_size.int and bool(batch.args[1] == 0)


STEPS = (
    drop_dropout, drop_absorbed_clamp, _pass_codes_on, _fill_input, store_numbers, _freeze_layer, _simplify,
)  # fmt: skip
