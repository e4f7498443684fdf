"""Operators with stored weights as layers: linear, normalizations, and what all layers share.

A function that `LAYERS` lists is the ONNX operator of its name there; source: the ONNX operator specification.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from ...types import QuantSpec
from ..layers import BATCH_NORM_BY_RANK
from ..quantized import QUANTIZED, IntegerWeights
from .elementwise import combine
from .names import cleaned, is_chosen, layer_path
from .op import Builder, Built, Op, aten
from .values import Size, Value

SAME_SCALE = 1e-5  # relative: a product of two float32 may be rounded once more


def weighted(
    op: Op, x: Value, kind: type[nn.Module], sizes: Sequence[Any], settings: dict[str, Any], *, places: Any = None
) -> Value:
    """`x` through a layer with a stored weight and perhaps a bias.

    Args:
        op: its second input is the weight and its third the bias, unless `places` gives the two.
        x: what flows in.
        kind: the layer in float.
        sizes: positional arguments of its constructor.
        settings: the other ones.
    """
    weight, bias = places or (op.need(1), op.get(2))
    if bias is not None and not bias.uniform:
        made = weighted(op, x, kind, sizes, settings, places=(weight, None))
        view = [1, -1] + [1] * (made.rank - 2)
        return op.call(aten.add.Tensor, made, op.call(aten.reshape.default, bias, view))
    path = layer_path(weight.origin, op.name, op.outputs[0])
    scale_in = x.grid.scale if x.grid else None
    weights = [each for each in (weight, bias) if each is not None]

    def make() -> nn.Module:
        return filled(kind, sizes, settings, weight, bias, x.grid)

    return op.emit.layer(path, weights, make, x, settings=(kind, *settings.items(), scale_in))


def filled(
    kind: Any, sizes: Any, settings: Any, weight: Value, bias: Value | None, grid_in: QuantSpec | None
) -> nn.Module:
    """The layer with its weights: a quantized one where that computes what the file says."""
    scale = _integer_scale(kind, weight, bias, grid_in)
    layer_kind: Any = kind if scale is None else QUANTIZED[kind]
    bits = {} if scale is None else {"bits": weight.grid.bits}  # type: ignore[union-attr]
    layer = layer_kind(*sizes, bias=bias is not None, **settings, **bits)
    with torch.no_grad():
        layer.weight.copy_(weight.seen[0])
        if bias is not None:
            layer.bias.copy_(bias.seen[0].reshape(-1))
    if scale is not None:
        layer.set_grid(weight_scale=scale, input_scale=torch.tensor(grid_in.scale[0]))  # type: ignore[union-attr]
    elif weight.grid is not None:
        layer.bits = weight.grid.bits  # float arithmetic on weights that are stored as integers
    return layer


def _integer_scale(
    kind: type[nn.Module], weight: Value, bias: Value | None, grid_in: QuantSpec | None
) -> torch.Tensor | None:
    """Weight scales per channel, if the project's quantized layer computes exactly what the file says; else None."""
    grid = weight.grid
    if kind not in QUANTIZED or grid is None or grid_in is None or grid_in.axis is not None or any(grid.zero_point):
        return None
    axis = QUANTIZED[kind].weight_axis  # type: ignore[attr-defined]
    if not 2 <= grid.bits <= 8 or grid.axis not in (None, axis):
        return None
    count = weight.seen[0].shape[axis]
    scale = torch.tensor(grid.scale).expand(count).clone() if len(grid.scale) == 1 else torch.tensor(grid.scale)
    spread = scale.reshape([-1 if place == axis else 1 for place in range(weight.rank)])
    codes = weight.seen[0].div(spread).round()
    fits = codes.abs().max() <= 2 ** (grid.bits - 1) - 1
    return scale if fits and _bias_fits(bias, scale * grid_in.scale[0]) else None


def _bias_fits(bias: Value | None, scale: torch.Tensor) -> bool:
    if bias is None:
        return True
    if bias.grid is None or any(bias.grid.zero_point):
        return False
    have = torch.tensor(bias.grid.scale)
    have = have.expand(scale.numel()) if have.numel() == 1 else have
    return have.shape == scale.shape and torch.allclose(have, scale, rtol=SAME_SCALE, atol=0)


# --- linear ---------------------------------------------------------------------------------------------------------


def linear(op: Op, x: Value, weight: Value, bias: Value | None) -> Value:
    """A linear layer with the weight as (out, in)."""
    outputs, inputs = weight.seen[0].shape
    return weighted(op, x, nn.Linear, (inputs, outputs), {}, places=(weight, bias))


def gemm(op: Op) -> Built:
    """alpha * A * B + beta * C; with B stored a linear layer."""
    x, weight, bias = op.x, op.need(1), op.get(2)
    alpha, beta = op.attr("alpha", 1.0), op.attr("beta", 1.0)
    if op.attr("transA", 0):
        x = op.call(aten.permute.default, x, [1, 0])
    if not weight.uniform or x.known:
        return _product_and_sum(op, x, weight, bias)
    turned = weight if op.attr("transB", 0) else turn(op, weight)
    if alpha != 1:
        turned = op.call(aten.mul.Tensor, turned, alpha)
    if bias is not None and beta != 1:
        bias = op.call(aten.mul.Tensor, bias, beta)
    outputs = turned.seen[0].shape[0]
    if bias is None or (bias.uniform and tuple(bias.seen[0].shape) in ((outputs,), (1, outputs))):
        return linear(op, x, turned, bias)
    return op.call(aten.add.Tensor, linear(op, x, turned, None), bias)


def _product_and_sum(op: Op, x: Value, weight: Value, bias: Value | None) -> Value:
    other = op.call(aten.permute.default, weight, [1, 0]) if op.attr("transB", 0) else weight
    made = op.call(aten.matmul.default, x, other)
    if op.attr("alpha", 1.0) != 1:
        made = op.call(aten.mul.Tensor, made, op.attr("alpha"))
    if bias is None:
        return made
    if op.attr("beta", 1.0) != 1:
        bias = op.call(aten.mul.Tensor, bias, op.attr("beta"))
    return op.call(aten.add.Tensor, made, bias)


def turn(op: Op, weight: Value) -> Value:
    """A stored matrix turned over, with its grid of integers."""
    turned = op.call(aten.permute.default, weight, [1, 0])
    if weight.grid is None:
        return turned
    axis = None if weight.grid.axis is None else 1 - weight.grid.axis
    grid = QuantSpec(**{**vars(weight.grid), "axis": axis})
    return turned.on(grid, codes=False)


def matmul(op: Op) -> Built:
    """With a stored matrix on the right a linear layer."""
    x, weight = op.x, op.need(1)
    if weight.uniform and weight.rank == 2 and not x.known and x.rank >= 2 and _looks_stored(weight):
        return linear(op, x, turn(op, weight), None)
    return op.call(aten.matmul.default, x, weight)


def _looks_stored(weight: Value) -> bool:
    return bool(weight.origin) or weight.trained or weight.grid is not None


def add(op: Op) -> Built:
    """A stored vector behind a linear layer without a bias is its bias."""
    left, right = op.x, op.need(1)
    for layered, bias in ((left, right), (right, left)):
        if _takes_bias(op, layered, bias):
            return _with_bias(op, layered, bias)
    return combine(op, left, right, aten.add.Tensor, aten.add.Tensor)


def _takes_bias(op: Op, layered: Value, bias: Value) -> bool:
    if layered.node is None or layered.node.op != "call_module" or not bias.uniform:
        return False
    layer = op.emit.net.get_submodule(str(layered.node.target))
    calls = [each for each in op.emit.net.graph.nodes if each.target == layered.node.target]
    if not isinstance(layer, nn.Linear) or layer.bias is not None or len(calls) > 1 or layered.node.users:
        return False
    shape = bias.seen[0].shape
    return shape.numel() == layer.out_features == (shape[-1] if shape else 0) and op.emit.readers.get(layered.node) == 1


def _with_bias(op: Op, layered: Value, bias: Value) -> Value:
    assert layered.node is not None
    old: Any = op.emit.net.get_submodule(str(layered.node.target))
    sizes = (old.in_features, old.out_features)
    if isinstance(old, IntegerWeights):
        scale = old.input_scale * old.weight_scale
        if not _bias_fits(bias, scale):
            return op.call(aten.add.Tensor, layered, bias)
        with torch.random.fork_rng(devices=[]):
            new: Any = QUANTIZED[nn.Linear](*sizes, bits=old.bits)  # type: ignore[call-arg]
        new.set_grid(weight_scale=old.weight_scale, input_scale=old.input_scale)
    else:
        with torch.random.fork_rng(devices=[]):
            new = nn.Linear(*sizes)
        if hasattr(old, "bits"):
            new.bits = old.bits
    with torch.no_grad():
        new.weight.copy_(old.weight)
        new.bias.copy_(bias.seen[0].reshape(-1))
    named = bias.origin.endswith(".bias") and is_chosen(bias.origin)
    op.emit.replace_layer(layered.node, new, path=cleaned(bias.origin.removesuffix(".bias")) if named else None)
    return layered


def einsum(op: Op) -> Built:
    return op.call(aten.einsum.default, op.text("equation", ""), [each for each in op.inputs if each is not None])


# --- normalizations -------------------------------------------------------------------------------------------------


def batch_norm(op: Op) -> Built:
    op.only(not op.attr("training_mode", 0), "it is in training mode: export the model in eval mode")
    scale, bias, mean, var = (op.need(place) for place in range(1, 5))
    eps, momentum = op.attr("epsilon", 1e-5), 1 - op.attr("momentum", 0.9)
    if not all(each.uniform for each in (scale, bias, mean, var)) or op.x.known:
        return op.call(aten.batch_norm.default, op.x, scale, bias, mean, var, False, momentum, eps, False)
    kind: Any = BATCH_NORM_BY_RANK[op.x.rank]

    def make() -> nn.Module:
        layer = kind(scale.seen[0].numel(), eps=eps, momentum=momentum)
        with torch.no_grad():
            for place, value in zip(
                (layer.weight, layer.bias, layer.running_mean, layer.running_var), (scale, bias, mean, var), strict=True
            ):
                place.copy_(value.seen[0])
        return layer

    path = layer_path(scale.origin, op.name, op.outputs[0])
    return op.emit.layer(path, (scale, bias, mean, var), make, op.x, settings=(kind, eps))


def layer_norm(op: Op) -> Built:
    op.only(not any(op.outputs[1:]), "its mean or deviation is asked for")
    axis, eps = op.attr("axis", -1) % op.x.rank, op.attr("epsilon", 1e-5)
    shape = [op.fixed(place) for place in range(axis, op.x.rank)]
    scale, bias = op.need(1), op.get(2)
    stored = all(each is None or (each.uniform and list(each.seen[0].shape) == shape) for each in (scale, bias))
    if not stored:
        normal = op.call(aten.layer_norm.default, op.x, shape, None, None, eps)
        scaled = op.call(aten.mul.Tensor, normal, scale)
        return scaled if bias is None else op.call(aten.add.Tensor, scaled, bias)

    def make() -> nn.Module:
        layer = nn.LayerNorm(shape, eps=eps, bias=bias is not None)
        with torch.no_grad():
            layer.weight.copy_(scale.seen[0])
            if bias is not None:
                layer.bias.copy_(bias.seen[0])
        return layer

    path = layer_path(scale.origin, op.name, op.outputs[0])
    weights = [each for each in (scale, bias) if each is not None]
    return op.emit.layer(path, weights, make, op.x, settings=(nn.LayerNorm, eps))


def instance_norm(op: Op) -> Built:
    eps = op.attr("epsilon", 1e-5)
    return op.call(aten.instance_norm.default, op.x, op.need(1), op.need(2), None, None, True, 0.1, eps, False)


def group_norm(op: Op) -> Built:
    """Scale and shift are one for each group up to operator set 20, one for each channel from 21."""
    groups, eps, channels = op.attr("num_groups"), op.attr("epsilon", 1e-5), op.fixed(1)
    scale, bias = (_per_channel(op, op.need(place), channels) for place in (1, 2))
    if not (scale.uniform and bias.uniform):
        return op.call(aten.group_norm.default, op.x, groups, scale, bias, eps)

    def make() -> nn.Module:
        layer = nn.GroupNorm(groups, channels, eps=eps)
        with torch.no_grad():
            layer.weight.copy_(scale.seen[0])
            layer.bias.copy_(bias.seen[0])
        return layer

    path = layer_path(op.need(1).origin, op.name, op.outputs[0])
    return op.emit.layer(path, (op.need(1), op.need(2)), make, op.x, settings=(nn.GroupNorm, groups, eps))


def _per_channel(op: Op, value: Value, channels: int) -> Value:
    count = op.dims(value)[0]
    if isinstance(count, Size) or count == channels:
        return value
    return op.call(aten.repeat_interleave.self_int, value, channels // count)


def rms_norm(op: Op) -> Built:
    axis = op.attr("axis", -1) % op.x.rank
    shape = [op.fixed(place) for place in range(axis, op.x.rank)]
    return op.call(aten.rms_norm.default, op.x, shape, op.get(1), op.attr("epsilon", 1e-5))


def lp_norm(op: Op) -> Built:
    axis = op.attr("axis", -1)
    length = op.call(aten.linalg_vector_norm.default, op.x, op.attr("p", 2), [axis], True)
    return op.call(aten.div.Tensor, op.x, length)


LAYERS: dict[str, Builder] = {
    "Gemm": gemm, "MatMul": matmul, "Add": add, "Einsum": einsum, "BatchNormalization": batch_norm,
    "LayerNormalization": layer_norm, "InstanceNormalization": instance_norm, "GroupNormalization": group_norm,
    "RMSNormalization": rms_norm, "LpNormalization": lp_norm,
}  # fmt: skip
