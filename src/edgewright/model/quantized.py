"""Integers, simulated: the layers and the operator of a quantized model.

A quantized model is a captured graph in which `QuantizeActivation` layers stand where a runtime keeps integers, and
convolutions and linear layers are replaced by `QuantConv2d`, `QuantLinear` and so on, which keep their float weights
(so that training can go on) and compute with the values that the stored integers stand for. All arithmetic is float32;
the model in eval mode *is* the simulation.

    value = scale * (code - zero_point),  code = clamp(round_half_even(value / scale) + zero_point, low, high)

Weights are symmetric per output channel, codes in [-(2**(b-1) - 1), 2**(b-1) - 1]; activations affine, signed;
a bias is rounded to an int32 multiple of input scale times weight scale. (Jacob et al. 2018; Krishnamoorthi 2018)
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import fx, nn

from ..errors import ConfigError, ModelError
from ..types import QuantSpec

BIAS_LIMIT = 2**31 - 128  # the largest float32 below 2**31


@torch.library.custom_op(
    "edgewright::fake_quantize",
    mutates_args=(),
    schema="(Tensor x, Tensor scale, Tensor zero_point, int low, int high, int? axis=None) -> Tensor",
)
def fake_quantize(x, scale, zero_point, low, high, axis=None):  # type: ignore[no-untyped-def]
    """Round `x` to the grid of `scale` and `zero_point` (per tensor, or along `axis`) and clip it to [low, high]."""
    scale, zero_point = _along(scale, x, axis), _along(zero_point, x, axis)
    return x.div(scale).round_().add_(zero_point).clamp_(low, high).sub_(zero_point).mul_(scale)


@fake_quantize.register_fake
def _fake_quantize_shape(x, scale, zero_point, low, high, axis=None):  # type: ignore[no-untyped-def]
    return torch.empty_like(x)


def _remember(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    x, scale, zero_point, ctx.low, ctx.high, ctx.axis = inputs
    ctx.save_for_backward(x, scale, zero_point)


def _straight_through(ctx: Any, grad: torch.Tensor) -> tuple[Any, ...]:
    """Gradient 1 where the value was inside the clip range, 0 outside (Bengio 2013, with the clip mask)."""
    x, scale, zero_point = ctx.saved_tensors
    scale, zero_point = _along(scale, x, ctx.axis), _along(zero_point, x, ctx.axis)
    inside = (x >= (ctx.low - 0.5 - zero_point) * scale) & (x <= (ctx.high + 0.5 - zero_point) * scale)
    return grad * inside, None, None, None, None, None


torch.library.register_autograd("edgewright::fake_quantize", _straight_through, setup_context=_remember)


def _along(values: torch.Tensor, x: torch.Tensor, axis: int | None) -> torch.Tensor:
    """Shape one value per channel so that it lines up with `axis` of `x`."""
    if axis is None:
        return values
    shape = [1] * x.dim()
    shape[axis] = -1
    return values.reshape(shape)


def affine_spec(low: float, high: float, *, bits: int = 8, signed: bool = True) -> QuantSpec:
    """The grid that covers [low, high], widened to hold 0; 0 itself is always on it.

    A range of width 0 (a tensor that is always 0) gets scale 1. Source: Jacob et al. 2018, section 2.1.

    Raises:
        ModelError: a bound is NaN or infinite.
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ModelError(
            f"A tensor with values from {low} to {high} cannot be quantized: the model makes NaN or infinity."
        )
    low, high = min(low, 0.0), max(high, 0.0)
    grid = QuantSpec(scale=(1.0,), zero_point=(0,), bits=bits, signed=signed)
    scale = _float32((high - low) / (grid.high - grid.low)) or 1.0
    zero_point = min(max(round(grid.low - low / scale), grid.low), grid.high)
    return QuantSpec(scale=(scale,), zero_point=(zero_point,), bits=bits, signed=signed)


def symmetric_spec(largest: float | list[float], *, bits: int = 8, axis: int | None = None) -> QuantSpec:
    """The grid with zero point 0 that reaches plus and minus `largest`, one value per channel along `axis`.

    A channel of zeros gets scale 1: its codes are 0 at any scale.
    """
    values = largest if isinstance(largest, list) else [largest]
    top = 2 ** (bits - 1) - 1
    scales = tuple(_float32(value / top) or 1.0 for value in values)
    return QuantSpec(scale=scales, zero_point=(0,) * len(scales), axis=axis, bits=bits, symmetric=True)


def _float32(value: float) -> float:
    return torch.tensor(value, dtype=torch.float32).item()


class Reduced:
    """Marks a layer that rounds. `scheme` says when activations are: "static", "dynamic" or "weight-only" (never)."""

    scheme: str


class QuantizeActivation(Reduced, nn.Module):
    """Rounds a tensor of activations to its affine grid. `codes` gives the integers."""

    scheme = "static"
    scale: torch.Tensor
    zero_point: torch.Tensor

    def __init__(self, bits: int = 8, signed: bool = True) -> None:
        super().__init__()
        self.bits, self.signed = bits, signed
        grid = QuantSpec(scale=(1.0,), zero_point=(0,), bits=bits, signed=signed)
        self.low, self.high = grid.low, grid.high
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("zero_point", torch.zeros((), dtype=torch.int32))

    @classmethod
    def of(cls, spec: QuantSpec) -> QuantizeActivation:
        """The layer for a per-tensor spec."""
        layer = cls(bits=spec.bits, signed=spec.signed)
        layer.scale.fill_(spec.scale[0])
        layer.zero_point.fill_(spec.zero_point[0])
        return layer

    @property
    def spec(self) -> QuantSpec:
        return QuantSpec(
            scale=(self.scale.item(),), zero_point=(int(self.zero_point),), bits=self.bits, signed=self.signed
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ops.edgewright.fake_quantize(x, self.scale, self.zero_point, self.low, self.high)

    def codes(self, x: torch.Tensor) -> torch.Tensor:
        """The integers that stand for `x`, int32."""
        return (x.div(self.scale).round_().add_(self.zero_point)).clamp_(self.low, self.high).to(torch.int32)

    def extra_repr(self) -> str:
        return f"scale={self.scale.item():.6g}, zero_point={int(self.zero_point)}, bits={self.bits}"


class StoredWeights(Reduced):
    """What every layer has that keeps float weights and computes with fewer bits of each.

    `bits` of one stored weight; `weight_axis` is the axis of the weight that holds the output channels.
    """

    weight_axis = 0
    bits: int
    weight: torch.Tensor
    bias: torch.Tensor | None

    def rounded_weight(self) -> torch.Tensor:
        """The weights that the stored ones stand for, float32."""
        raise NotImplementedError


class IntegerWeights(StoredWeights):
    """What the quantized layers have in common: float weights with the grid that they are rounded to.

    Buffers: `weight_scale` one value per output channel (along `weight_axis`), `input_scale` the scale of the
    activations that flow in, which decides the grid of the bias.
    """

    scheme = "static"
    weight_scale: torch.Tensor
    input_scale: torch.Tensor

    def _add_grid(self, bits: int) -> None:
        if not 2 <= bits <= 8:
            raise ConfigError(f"Weights are quantized to 2 to 8 bits, got {bits}.")
        self.bits = bits
        channels = self.weight.shape[self.weight_axis]
        self.register_buffer("weight_scale", torch.ones(channels))  # type: ignore[attr-defined]
        self.register_buffer("input_scale", torch.ones(()))  # type: ignore[attr-defined]

    @property
    def top(self) -> int:
        """The largest weight code."""
        return 2 ** (self.bits - 1) - 1

    def set_grid(self, *, weight_scale: torch.Tensor, input_scale: torch.Tensor) -> None:
        """Take over the scales."""
        with torch.no_grad():
            self.weight_scale.copy_(weight_scale)
            self.input_scale.copy_(input_scale)

    @property
    def weight_spec(self) -> QuantSpec:
        scales = tuple(self.weight_scale.tolist())
        return QuantSpec(
            scale=scales, zero_point=(0,) * len(scales), axis=self.weight_axis, bits=self.bits, symmetric=True
        )

    def rounded_weight(self) -> torch.Tensor:
        """The weights on their grid, float32."""
        zero = torch.zeros((), dtype=torch.int32, device=self.weight.device)
        return torch.ops.edgewright.fake_quantize(
            self.weight, self.weight_scale, zero, -self.top, self.top, self.weight_axis
        )

    def weight_codes(self) -> torch.Tensor:
        """The integers to store, int8, in the layout of `weight`."""
        scale = _along(self.weight_scale, self.weight, self.weight_axis)
        return self.weight.detach().div(scale).round_().clamp_(-self.top, self.top).to(torch.int8)

    @property
    def bias_scale(self) -> torch.Tensor:
        """Input scale times weight scale, one value per entry of the bias."""
        scale = self.input_scale * self.weight_scale
        missing = 1 if self.bias is None else self.bias.shape[0] // scale.shape[0]
        return scale.repeat(missing)  # transposed convolutions in groups share a weight scale between groups

    def rounded_bias(self) -> torch.Tensor | None:
        """The bias on its int32 grid, float32."""
        if self.bias is None:
            return None
        zero = torch.zeros((), dtype=torch.int32, device=self.weight.device)
        return torch.ops.edgewright.fake_quantize(self.bias, self.bias_scale, zero, -BIAS_LIMIT, BIAS_LIMIT, 0)

    def bias_codes(self) -> torch.Tensor | None:
        """The integers to store, int32."""
        if self.bias is None:
            return None
        return self.bias.detach().div(self.bias_scale).round_().clamp_(-BIAS_LIMIT, BIAS_LIMIT).to(torch.int32)


class QuantConv2d(IntegerWeights, nn.Conv2d):
    """A 2-D convolution with integer weights."""

    def __init__(self, *args: Any, bits: int = 8, **kwargs: Any) -> None:
        nn.Conv2d.__init__(self, *args, **kwargs)
        self._add_grid(bits)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        return self._conv_forward(x_BCHW, self.rounded_weight(), self.rounded_bias())


class QuantLinear(IntegerWeights, nn.Linear):  # type: ignore[misc]
    """A linear layer with integer weights."""

    def __init__(self, *args: Any, bits: int = 8, **kwargs: Any) -> None:
        nn.Linear.__init__(self, *args, **kwargs)
        self._add_grid(bits)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(x, self.rounded_weight(), self.rounded_bias())


class QuantConvTranspose2d(IntegerWeights, nn.ConvTranspose2d):
    """A transposed 2-D convolution with integer weights; its output channels are axis 1 of the weight."""

    weight_axis = 1

    def __init__(self, *args: Any, bits: int = 8, **kwargs: Any) -> None:
        nn.ConvTranspose2d.__init__(self, *args, **kwargs)
        self._add_grid(bits)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return nn.functional.conv_transpose2d(
            x_BCHW, self.rounded_weight(), self.rounded_bias(), self.stride, self.padding, self.output_padding,  # type: ignore[arg-type]
            self.groups, self.dilation,
        )  # fmt: skip


QUANTIZED: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv2d: QuantConv2d,
    nn.ConvTranspose2d: QuantConvTranspose2d,
    nn.Linear: QuantLinear,
}


def minmax_scales(layer: nn.Module, *, bits: int = 8, per_tensor: bool = False) -> torch.Tensor:
    """Min-max scales of a layer's weights, one per output channel; a channel of zeros gets 1.

    Args:
        per_tensor: the same scale for every channel, that of the largest weight of all.
    """
    axis = getattr(QUANTIZED.get(type(layer), layer), "weight_axis", 0)
    weight: torch.Tensor = layer.weight.detach()  # type: ignore[union-attr, operator]
    largest = weight.abs().transpose(0, axis).flatten(1).amax(1)
    if per_tensor:
        largest = largest.amax().expand_as(largest)
    return torch.tensor(symmetric_spec(largest.tolist(), bits=bits, axis=axis).scale)


def is_quantized(net: nn.Module) -> bool:
    """Whether a model simulates integers."""
    return any(isinstance(layer, QuantizeActivation) for layer in net.modules())


def scheme_of(net: nn.Module) -> str | None:
    """How a model rounds: "static", "dynamic" or "weight-only"; None for a plain float model.

    A model with layers of two kinds is called by the one that does more: dynamic models store some layers only.
    """
    found = {layer.scheme for layer in net.modules() if isinstance(layer, Reduced)}
    return next((scheme for scheme in ("static", "dynamic", "weight-only") if scheme in found), None)


def quantizers(net: fx.GraphModule) -> dict[str, QuantizeActivation]:
    """The activation quantizers of a model, by the name of the node that calls each."""
    calls = ((node.name, net.get_submodule(str(node.target))) for node in net.graph.nodes if node.op == "call_module")
    return {name: layer for name, layer in calls if isinstance(layer, QuantizeActivation)}


def quant_specs(net: fx.GraphModule) -> dict[str, QuantSpec]:
    """The spec of each quantized tensor: activations by node name, weights as `path.weight`."""
    specs = {name: layer.spec for name, layer in quantizers(net).items()}
    for path, layer in net.named_modules():
        if isinstance(layer, IntegerWeights):
            specs[f"{path}.weight"] = layer.weight_spec
    return specs
