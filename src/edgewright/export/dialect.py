"""The simulation in PyTorch's quantized dialect: its own integers and scales as `quantized_decomposed` operators.

    simulation: QuantizeActivation            ->  quantize_per_tensor (int8), dequantize_per_tensor
    simulation: float weights, rounded        ->  stored int8 weights, dequantize_per_channel
    simulation: bias on its int32 grid        ->  the same values in float; backends round to the grid that is known

Backends that read the dialect (XNNPACK among them) fuse the dequantized inputs, the operator and the quantizer behind
it to one operator on integers. A layer without a quantizer behind it has no such form: its rounded weights are stored
in float. Both forms compute the same float32 values.
"""

from __future__ import annotations

import importlib
import operator
from typing import Any

import torch
from torch import fx, nn

from ..errors import UnsupportedError
from ..model import layer_of, rewrite, tensor_specs
from ..model.functions import CLAMPS, COPIES, RESHAPES, SPLITS, is_global_average, zero_padding
from ..model.layers import settings_of
from ..model.quantized import IntegerWeights, QuantConv2d, QuantConvTranspose2d, QuantizeActivation, QuantLinear
from .freeze import drop_absorbed_clamp, drop_dropout

aten = torch.ops.aten
LOWEST, HIGHEST = -128, 127
MOVING = RESHAPES | COPIES | {aten.max_pool2d.default, aten.upsample_nearest2d.vec}


def in_dialect(net: fx.GraphModule) -> fx.GraphModule:
    """A quantized model as the same function in the quantized dialect.

    Raises:
        UnsupportedError: a tensor has another grid than int8, which the dialect's backends have no kernels for.
    """
    importlib.import_module("torch.ao.quantization.fx._decomposed")  # defines the dialect's operators
    ranks = {name: len(spec.shape) for name, spec in tensor_specs(net).items()}

    def edit(changed: fx.GraphModule) -> None:
        for step in (drop_dropout, drop_absorbed_clamp, _widen_mean, _pass_codes_on, _replace):
            for node in list(changed.graph.nodes):
                step(changed, node, ranks)

    return rewrite(net, edit).eval()


def _widen_mean(net: fx.GraphModule, node: fx.Node, ranks: dict[str, int]) -> None:
    """Average whole maps to (B, C, 1, 1): XNNPACK has a kernel on integers for that form alone."""
    source = node.args[0] if node.args else None
    if not isinstance(source, fx.Node) or not is_global_average(node, rank=ranks.get(source.name)):
        return
    with net.graph.inserting_before(node):
        average = net.graph.call_function(aten.mean.dim, (source, [-1, -2], True))
        ranks[average.name] = 4
        if ranks[node.name] == 2:
            average = net.graph.call_function(aten.flatten.using_ints, (average, 1))
            ranks[average.name] = 2
    node.replace_all_uses_with(average)
    net.graph.erase_node(node)


def _pass_codes_on(net: fx.GraphModule, node: fx.Node, ranks: dict[str, int]) -> None:
    """Quantize again behind operators that only move values: to a backend a piece of integers ends without it."""
    layer = layer_of(net, node)
    if isinstance(layer, QuantizeActivation):
        _pass_on(net, node, layer, ranks)


def _pass_on(net: fx.GraphModule, node: fx.Node, layer: QuantizeActivation, ranks: dict[str, int]) -> None:
    for user in [part for reader in list(node.users) for part in _parts(reader)]:
        pads = zero_padding(user, rank=ranks.get(user.name)) is not None
        moves = user.target in MOVING or user.target is operator.getitem
        if not (pads or moves) or not user.users or _is_quantized(net, user):
            continue
        path = f"quantizers.{user.name}"
        net.add_submodule(path, QuantizeActivation.of(layer.spec))
        with net.graph.inserting_after(user):
            again = net.graph.create_node("call_module", path, (user,), name=f"{user.name}_codes")
        _read_instead(user, again)
        ranks[again.name] = ranks.get(user.name, 0)
        _pass_on(net, again, layer, ranks)


def _read_instead(node: fx.Node, again: fx.Node) -> None:
    """Let all readers of `node` but `again` read `again`."""
    node.replace_all_uses_with(again, delete_user_cb=lambda reader: reader is not again)


def _parts(reader: fx.Node) -> list[fx.Node]:
    """The parts that a split makes, or the reader itself."""
    return list(reader.users) if reader.target in SPLITS else [reader]


def _is_quantized(net: fx.GraphModule, node: fx.Node) -> bool:
    return all(isinstance(layer_of(net, reader), QuantizeActivation) for reader in node.users)


def _replace(net: fx.GraphModule, node: fx.Node, ranks: dict[str, int]) -> None:
    layer = layer_of(net, node)
    if isinstance(layer, QuantizeActivation):
        _write_codes(net, node, layer)
    elif isinstance(layer, IntegerWeights):
        stored = LAYERS[type(layer)](layer) if _leaves_codes(net, node) else with_float_weights(layer)  # type: ignore[index]
        net.set_submodule(str(node.target), stored)


def _leaves_codes(net: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a quantizer stands behind a layer, or behind the clamp that follows it."""
    readers = list(node.users)
    if len(readers) == 1 and readers[0].target in CLAMPS:
        readers = list(readers[0].users)
    return len(readers) == 1 and isinstance(layer_of(net, readers[0]), (QuantizeActivation, DialectQuantize))


def float_layers(net: fx.GraphModule) -> tuple[str, ...]:
    """Paths of a simulation's layers that the dialect computes in float."""
    calls = [node for node in net.graph.nodes if isinstance(layer_of(net, node), IntegerWeights)]
    return tuple(str(node.target) for node in calls if not _leaves_codes(net, node))


def _write_codes(net: fx.GraphModule, node: fx.Node, layer: QuantizeActivation) -> None:
    """One quantizer, and a dequantizer for each reader: backends cut the graph in front of the dequantizers."""
    grid = _grid(layer, node.name)
    path = str(node.target)
    readers = list(node.users)
    net.set_submodule(path, DialectQuantize(grid))
    net.add_submodule(f"{path}_values", DialectDequantize(grid))
    for reader in readers:
        with net.graph.inserting_before(reader):
            values = net.graph.create_node("call_module", f"{path}_values", (node,), name=f"{node.name}_values")
        reader.replace_input_with(node, values)


Grid = tuple[float, int, int, int, torch.dtype]


def _grid(layer: QuantizeActivation, name: str) -> Grid:
    spec = layer.spec
    if (spec.low, spec.high) != (LOWEST, HIGHEST):
        raise UnsupportedError(
            f"The tensor {name} has codes from {spec.low} to {spec.high}, the quantized dialect's backends compute "
            f"with int8 ({LOWEST} to {HIGHEST}): quantize activations to 8 bits, or export --format onnx."
        )
    return (spec.scale[0], int(spec.zero_point[0]), LOWEST, HIGHEST, torch.int8)


class DialectQuantize(nn.Module):
    """Float to int8 codes."""

    def __init__(self, grid: Grid) -> None:
        super().__init__()
        self.grid = grid

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ops.quantized_decomposed.quantize_per_tensor.default(x, *self.grid)


class DialectDequantize(nn.Module):
    """Int8 codes to the float values that they stand for."""

    def __init__(self, grid: Grid) -> None:
        super().__init__()
        self.grid = grid

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        return torch.ops.quantized_decomposed.dequantize_per_tensor.default(codes, *self.grid)


class DialectLayer(nn.Module):
    """Stored int8 weights of a quantized layer, dequantized per output channel; the bias in float, on its grid."""

    weight: torch.Tensor
    weight_scale: torch.Tensor
    weight_zero_point: torch.Tensor
    bias: torch.Tensor | None

    def __init__(self, layer: IntegerWeights) -> None:
        super().__init__()
        bias = layer.rounded_bias()
        self.register_buffer("weight", layer.weight_codes())
        self.register_buffer("weight_scale", layer.weight_scale.detach().clone())
        self.register_buffer("weight_zero_point", torch.zeros_like(layer.weight_scale, dtype=torch.int64))
        self.register_buffer("bias", None if bias is None else bias.detach().clone())
        self.grid = (layer.weight_axis, -layer.top, layer.top, torch.int8)
        self.settings = _settings(layer)

    def values(self) -> torch.Tensor:
        """The weight, dequantized."""
        return torch.ops.quantized_decomposed.dequantize_per_channel.default(
            self.weight, self.weight_scale, self.weight_zero_point, *self.grid
        )


def _settings(layer: IntegerWeights) -> tuple[Any, ...]:
    """What the layer's function is called with besides input, weight and bias."""
    if isinstance(layer, QuantConvTranspose2d):
        return (layer.stride, layer.padding, layer.output_padding, layer.groups, layer.dilation)
    if isinstance(layer, QuantConv2d):
        return (layer.stride, layer.padding, layer.dilation, layer.groups)
    return ()


class DialectConv2d(DialectLayer):
    """A 2-D convolution, (B, C, H, W) to (B, C, H, W)."""

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        return nn.functional.conv2d(x_BCHW, self.values(), self.bias, *self.settings)


class DialectConvTranspose2d(DialectLayer):
    """A transposed 2-D convolution, (B, C, H, W) to (B, C, H, W)."""

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        return nn.functional.conv_transpose2d(x_BCHW, self.values(), self.bias, *self.settings)


class DialectLinear(DialectLayer):
    """A linear layer on the last axis."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(x, self.values(), self.bias)


def with_float_weights(layer: IntegerWeights) -> nn.Module:
    """The layer's plain form, with the values that its integers stand for."""
    settings = {key: value for key, value in settings_of(layer).items() if key != "bits"}  # type: ignore[arg-type]
    plain = PLAIN[type(layer)](**settings)  # type: ignore[index]
    values = {"weight": layer.rounded_weight().detach()}
    if (bias := layer.rounded_bias()) is not None:
        values["bias"] = bias.detach()
    plain.load_state_dict(values)
    return plain


LAYERS: dict[type[nn.Module], type[DialectLayer]] = {
    QuantConv2d: DialectConv2d,
    QuantConvTranspose2d: DialectConvTranspose2d,
    QuantLinear: DialectLinear,
}
PLAIN: dict[type[nn.Module], type[nn.Module]] = {
    QuantConv2d: nn.Conv2d,
    QuantConvTranspose2d: nn.ConvTranspose2d,
    QuantLinear: nn.Linear,
}
