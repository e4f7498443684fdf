"""Layers that round to a shorter floating-point format: fp16, bf16, and the 8-bit floats E4M3 and E5M2.

Weights, biases and activations are rounded where an integer model rounds them; the arithmetic between is float32, as
in hardware that adds into 32 bits. The 16-bit formats round values as they are; an 8-bit float has so little range that
a tensor is first divided by one scale, largest magnitude / largest number of the format, and saturates beyond it.
Biases stay float32 beside 8-bit weights. (Micikevicius et al. 2022, arXiv:2209.05433, section 4)
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ..errors import ConfigError
from ..formats import FLOAT_FORMATS
from .quantized import Reduced, StoredWeights

DTYPES: dict[str, torch.dtype] = {
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
    "fp8-e4m3": torch.float8_e4m3fn,
    "fp8-e5m2": torch.float8_e5m2,
}
SCALED = ("fp8-e4m3", "fp8-e5m2")


@torch.library.custom_op(
    "edgewright::round_float", mutates_args=(), schema="(Tensor x, Tensor scale, str format) -> Tensor"
)
def round_float(x, scale, format):  # type: ignore[no-untyped-def]
    """`x` rounded to `scale` times a number of `format`: 8-bit formats saturate, others overflow to infinity."""
    if format in SCALED:
        largest = FLOAT_FORMATS[format].largest
        return x.div(scale).clamp_(-largest, largest).to(DTYPES[format]).to(torch.float32).mul_(scale)
    return x.to(DTYPES[format]).to(torch.float32)


@round_float.register_fake
def _round_float_shape(x, scale, format):  # type: ignore[no-untyped-def]
    return torch.empty_like(x)


def _remember(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    x, scale, form = inputs
    ctx.save_for_backward(x.abs() <= scale * FLOAT_FORMATS[form].largest)


def _straight_through(ctx: Any, grad: torch.Tensor) -> tuple[Any, ...]:
    """Gradient 1 within the range of the format, 0 beyond (Bengio 2013, with the clip mask)."""
    return grad * ctx.saved_tensors[0], None, None


torch.library.register_autograd("edgewright::round_float", _straight_through, setup_context=_remember)


def float_scale(largest: torch.Tensor, format: str) -> torch.Tensor:
    """What a tensor with that largest magnitude is divided by: 1 for 16-bit formats, and for a tensor of zeros."""
    if format not in SCALED:
        return torch.ones(())
    scale = largest.detach().float() / FLOAT_FORMATS[format].largest
    return torch.where(scale > 0, scale, 1.0)


def _checked(format: str) -> str:
    if format not in DTYPES:
        raise ConfigError(f"A float format is one of {', '.join(DTYPES)}, got {format!r}.")
    return format


class RoundActivation(Reduced, nn.Module):
    """Rounds a tensor of activations to a float format, under a scale that calibration has set."""

    scheme = "static"
    scale: torch.Tensor

    def __init__(self, format: str = "fp16") -> None:
        super().__init__()
        self.format = _checked(format)
        self.register_buffer("scale", torch.ones(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ops.edgewright.round_float(x, self.scale, self.format)

    def extra_repr(self) -> str:
        return f"{self.format}, scale={self.scale.item():.6g}"


class FloatWeights(StoredWeights):
    """Weights rounded to a float format. Buffer: `weight_scale`, one for the whole tensor."""

    scheme = "weight-only"
    format: str
    weight_scale: torch.Tensor

    def _add_format(self, format: str) -> None:
        self.format = _checked(format)
        self.bits = FLOAT_FORMATS[format].bits
        self.register_buffer("weight_scale", torch.ones(()))  # type: ignore[attr-defined]

    @property
    def stored_bytes(self) -> int:
        """Bytes of the weights in a file."""
        return self.weight.numel() * self.bits // 8

    def fit_scale(self) -> None:
        """Set the scale by the largest weight."""
        with torch.no_grad():
            self.weight_scale.copy_(float_scale(self.weight.abs().amax(), self.format))

    def rounded_weight(self) -> torch.Tensor:
        return torch.ops.edgewright.round_float(self.weight, self.weight_scale, self.format)

    def rounded_bias(self) -> torch.Tensor | None:
        """The bias in the 16-bit format; beside 8-bit weights as it is."""
        if self.bias is None or self.format in SCALED:
            return self.bias
        return torch.ops.edgewright.round_float(self.bias, torch.ones_like(self.weight_scale), self.format)


class FloatConv2d(FloatWeights, nn.Conv2d):
    """A 2-D convolution with weights in a short float format."""

    def __init__(self, *args: Any, format: str = "fp16", **kwargs: Any) -> None:
        nn.Conv2d.__init__(self, *args, **kwargs)
        self._add_format(format)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        return self._conv_forward(x_BCHW, self.rounded_weight(), self.rounded_bias())


class FloatConvTranspose2d(FloatWeights, nn.ConvTranspose2d):
    """A transposed 2-D convolution with weights in a short float format."""

    weight_axis = 1

    def __init__(self, *args: Any, format: str = "fp16", **kwargs: Any) -> None:
        nn.ConvTranspose2d.__init__(self, *args, **kwargs)
        self._add_format(format)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return nn.functional.conv_transpose2d(
            x_BCHW, self.rounded_weight(), self.rounded_bias(), self.stride, self.padding, self.output_padding,  # type: ignore[arg-type]
            self.groups, self.dilation,
        )  # fmt: skip


class FloatLinear(FloatWeights, nn.Linear):  # type: ignore[misc]
    """A linear layer with weights in a short float format."""

    def __init__(self, *args: Any, format: str = "fp16", **kwargs: Any) -> None:
        nn.Linear.__init__(self, *args, **kwargs)
        self._add_format(format)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(x, self.rounded_weight(), self.rounded_bias())


FLOATS: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv2d: FloatConv2d,
    nn.ConvTranspose2d: FloatConvTranspose2d,
    nn.Linear: FloatLinear,
}
