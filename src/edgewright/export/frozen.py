"""Layers with their integers stored: int8 weights, int32 biases, uint8 activations, each behind a dequantize.

They compute the same float32 values as the layers of the simulation.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ..model.quantized import IntegerWeights, QuantConv2d, QuantConvTranspose2d, QuantizeActivation, QuantLinear
from . import operators  # noqa: F401  (defines torch.ops.edgewright.quantize and so on)

SHIFT = 128  # int8 code + SHIFT = uint8 code


def code_form(layer: QuantizeActivation) -> tuple[torch.dtype, int]:
    """The type of a tensor's codes in a file, and what is added to the simulation's codes: 16 bits stay signed."""
    if layer.bits > 8:
        return torch.int16, 0 if layer.signed else -(2**15)
    return torch.uint8, SHIFT if layer.signed else 0


class FrozenCodes(nn.Module):
    """Quantize to uint8, above 8 bits to int16. Codes of fewer bits are clipped behind it: the type is wider."""

    scale: torch.Tensor
    zero_point: torch.Tensor

    def __init__(self, layer: QuantizeActivation) -> None:
        super().__init__()
        spec = layer.spec
        dtype, shift = code_form(layer)
        self.register_buffer("scale", layer.scale.detach().clone())
        self.register_buffer("zero_point", torch.tensor(spec.zero_point[0] + shift, dtype=dtype))
        self.bounds = (spec.low + shift, spec.high + shift)
        self.whole = (torch.iinfo(dtype).min, torch.iinfo(dtype).max)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        codes = torch.ops.edgewright.quantize(x, self.scale, self.zero_point)
        return codes if self.bounds == self.whole else torch.ops.edgewright.clip_codes(codes, *self.bounds)


class FrozenValues(nn.Module):
    """The values that a tensor's codes stand for, times `factor`: the same codes with another scale."""

    def __init__(self, codes: FrozenCodes, factor: float = 1.0) -> None:
        super().__init__()
        self.register_buffer("scale", codes.scale * factor)
        self.register_buffer("zero_point", codes.zero_point.clone())

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        return torch.ops.edgewright.dequantize(codes, self.scale, self.zero_point)


class FrozenNumber(nn.Module):
    """A number as a quantized tensor: the largest distance from the zero point that codes have, times its scale."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.register_buffer("code", torch.tensor(255 if value > 0 else 0, dtype=torch.uint8))
        self.register_buffer("zero_point", torch.tensor(0 if value > 0 else 255, dtype=torch.uint8))
        self.register_buffer("scale", torch.tensor(abs(value) / 255))

    def forward(self) -> torch.Tensor:
        return torch.ops.edgewright.dequantize(self.code, self.scale, self.zero_point)


class FrozenActivation(FrozenCodes):
    """Quantize to uint8, then dequantize."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ops.edgewright.dequantize(super().forward(x), self.scale, self.zero_point)


class FrozenPad(FrozenCodes):
    """Quantize, pad the integers with the zero point (or their lowest), dequantize: ONNX Runtime 1.31 has no rule
    that does it itself."""

    def __init__(self, layer: QuantizeActivation, begins: list[int], ends: list[int], *, lowest: bool = False) -> None:
        super().__init__(layer)
        self.begins, self.ends = begins, ends
        code = torch.full_like(self.zero_point, self.bounds[0]) if lowest else self.zero_point.clone()
        self.register_buffer("padding", code)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        codes = super().forward(x)
        padded = torch.ops.edgewright.pad(codes, self.begins, self.ends, self.padding)
        return torch.ops.edgewright.dequantize(padded, self.scale, self.zero_point)


class FrozenLayer(nn.Module):
    """Stored int8 weights and int32 bias of a quantized layer. `settings` are what its function needs besides."""

    weight: torch.Tensor
    weight_scale: torch.Tensor
    bias: torch.Tensor | None
    bias_scale: torch.Tensor | None
    weight_zero_point: torch.Tensor | None

    def __init__(self, layer: IntegerWeights, weight_zero_point: torch.Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("weight_zero_point", weight_zero_point)
        self.axis = layer.weight_axis
        self.register_buffer("weight", layer.weight_codes())
        self.register_buffer("weight_scale", layer.weight_scale.detach().clone())
        codes = layer.bias_codes()
        self.register_buffer("bias", codes)
        self.register_buffer("bias_scale", None if codes is None else layer.bias_scale.detach().clone())

    def values(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Weight and bias, dequantized."""
        weight = torch.ops.edgewright.dequantize(self.weight, self.weight_scale, self.weight_zero_point, self.axis)
        if self.bias is None:
            return weight, None
        return weight, torch.ops.edgewright.dequantize(self.bias, self.bias_scale, None, 0)


class FrozenConv2d(FrozenLayer):
    """A 2-D convolution, (B, C, H, W) to (B, C, H, W)."""

    def __init__(self, layer: QuantConv2d) -> None:
        super().__init__(layer)
        self.stride, self.padding, self.dilation, self.groups = (
            layer.stride,
            layer.padding,
            layer.dilation,
            layer.groups,
        )

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        return nn.functional.conv2d(x_BCHW, *self.values(), self.stride, self.padding, self.dilation, self.groups)


class FrozenConvTranspose2d(FrozenLayer):
    """A transposed 2-D convolution, (B, C, H, W) to (B, C, H, W)."""

    def __init__(self, layer: QuantConvTranspose2d) -> None:
        super().__init__(layer)
        self.settings: tuple[Any, ...] = (
            layer.stride,
            layer.padding,
            layer.output_padding,
            layer.groups,
            layer.dilation,
        )

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        return nn.functional.conv_transpose2d(x_BCHW, *self.values(), *self.settings)


class FrozenLinear(FrozenLayer):
    """On (B, N) a Gemm. On more axes a MatMul, whose integer kernel wants the weight as (in, out)."""

    def __init__(self, layer: QuantLinear, *, rank: int) -> None:
        # ONNX Runtime 1.31 leaves a Gemm in float whose weight has no zero point written down
        super().__init__(layer, torch.zeros(layer.weight_scale.shape, dtype=torch.int8))
        self.rank = rank
        if rank != 2:
            self.weight = self.weight.T.contiguous()
            self.axis = 1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight, bias = self.values()
        if self.rank == 2:
            return nn.functional.linear(x, weight, bias)
        product = torch.matmul(x, weight)
        return product if bias is None else product + bias
