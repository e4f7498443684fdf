"""The form in a file of layers that are not static integers: dynamic ones, stored weights, short floats.

Stored weights are float32 here and become what is stored when the file is finished (`stored.store_weights`): the
exporter would compute them while it writes, and the file would hold them in full.
"""

from __future__ import annotations

import torch
from torch import nn

from ..errors import ExportError, UnsupportedError
from ..model.dynamic import DynamicConv2d, DynamicLinear
from ..model.floats import DTYPES, SCALED, FloatConv2d, FloatConvTranspose2d, FloatLinear, FloatWeights, RoundActivation
from ..model.quantized import StoredWeights
from ..model.weight_only import WeightOnlyConv2d, WeightOnlyConvTranspose2d, WeightOnlyLinear
from . import dynamic_operators  # noqa: F401  (defines torch.ops.edgewright.dynamic_quantize and so on)

UNSIGNED = 128  # int8 code + UNSIGNED = uint8 code


def frozen_scheme(layer: nn.Module | None, *, rank: int) -> nn.Module | None:
    """The form of a layer that is written to a file; None for a layer that is written as it is.

    Args:
        rank: axes of the layer's input.

    Raises:
        UnsupportedError: it computes with 8-bit floats, which no operator of the file format rounds to here.
    """
    form = getattr(layer, "format", None)
    if isinstance(layer, (FloatWeights, RoundActivation)) and form in SCALED:
        raise UnsupportedError(f"{form} is simulated only and no file holds it: export fp16, bf16 or integers.")
    if isinstance(layer, RoundActivation):
        return FrozenRound(DTYPES[layer.format])
    if isinstance(layer, DynamicLinear):
        return FrozenDynamicLinear(layer)
    if isinstance(layer, DynamicConv2d):
        return FrozenDynamicConv2d(layer)
    if isinstance(layer, (WeightOnlyLinear, FloatLinear)):
        return _linear(layer, rank=rank)
    if isinstance(layer, (WeightOnlyConv2d, FloatConv2d)):
        return _rounded(layer, nn.Conv2d)
    if isinstance(layer, (WeightOnlyConvTranspose2d, FloatConvTranspose2d)):
        return _rounded(layer, nn.ConvTranspose2d)
    return None


def _bias(layer: StoredWeights) -> torch.Tensor | None:
    bias = layer.rounded_bias() if isinstance(layer, FloatWeights) else layer.bias
    return None if bias is None else bias.detach().clone()


def _linear(layer: WeightOnlyLinear | FloatLinear, *, rank: int) -> nn.Module:
    if rank != 2:
        return FrozenTokens(layer.rounded_weight().detach().T.contiguous(), _bias(layer))
    plain = nn.Linear(layer.in_features, layer.out_features, bias=layer.bias is not None, device="meta")
    return _with_values(plain, layer)


def _rounded(layer: StoredWeights, kind: type[nn.Conv2d] | type[nn.ConvTranspose2d]) -> nn.Module:
    from ..model.layers import SETTINGS

    given = {key: getattr(layer, key) for key in SETTINGS[kind]}
    return _with_values(kind(**{**given, "bias": layer.bias is not None}, device="meta"), layer)


def _with_values(plain: nn.Module, layer: StoredWeights) -> nn.Module:
    """A plain layer with the values that the stored weights of `layer` stand for."""
    bias = _bias(layer)
    plain.weight = nn.Parameter(layer.rounded_weight().detach().contiguous(), requires_grad=False)
    if bias is not None:
        plain.bias = nn.Parameter(bias, requires_grad=False)
    return plain


class FrozenTokens(nn.Module):
    """A linear layer on more axes than two: a product with an (in, out) weight."""

    weight: torch.Tensor
    bias: torch.Tensor | None

    def __init__(self, weight_IO: torch.Tensor, bias_O: torch.Tensor | None) -> None:
        super().__init__()
        self.register_buffer("weight", weight_IO)
        self.register_buffer("bias", bias_O)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        product = torch.matmul(x, self.weight)
        return product if self.bias is None else product + self.bias


class FrozenRound(nn.Module):
    """To a 16-bit float and back."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.to(self.dtype).to(torch.float32)


class FrozenDynamic(nn.Module):
    """Stored weights, their scales and a float bias. The product is scaled in the order that ONNX Runtime fuses."""

    weight: torch.Tensor
    weight_zero_point: torch.Tensor
    weight_scale: torch.Tensor
    bias: torch.Tensor | None

    def __init__(self, layer: DynamicLinear | DynamicConv2d, weight: torch.Tensor, zero_point: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("weight_zero_point", zero_point)
        shape = (-1,) + (1,) * (2 if isinstance(layer, nn.Conv2d) else 0)
        self.register_buffer("weight_scale", layer.weight_scale.detach().reshape(shape).clone())
        self.register_buffer("bias", None if layer.bias is None else layer.bias.detach().reshape(shape).clone())

    def values(self, sums: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        """What the 32-bit sums stand for."""
        product = sums.to(torch.float32) * (scale * self.weight_scale)
        return product if self.bias is None else product + self.bias


class FrozenDynamicLinear(FrozenDynamic):
    """DynamicQuantizeLinear, MatMulInteger: ONNX Runtime makes one kernel of both and the scaling behind them."""

    def __init__(self, layer: DynamicLinear) -> None:
        super().__init__(layer, layer.weight_codes().T.contiguous(), torch.zeros((), dtype=torch.int8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        codes, scale, zero_point = torch.ops.edgewright.dynamic_quantize(x)
        sums = torch.ops.edgewright.matmul_integer(codes, self.weight, zero_point, self.weight_zero_point)
        return self.values(sums, scale)


class FrozenDynamicConv2d(FrozenDynamic):
    """DynamicQuantizeLinear, ConvInteger. ONNX Runtime 1.31 takes 4 to 6 times as long with int8 weights as with the
    same integers shifted to uint8 (3x3, 64 channels on 28x28: 2128 us against 496)."""

    def __init__(self, layer: DynamicConv2d) -> None:
        if isinstance(layer.padding, str) or layer.padding_mode != "zeros":
            raise ExportError(f"A dynamic convolution pads with a number of zeros, got padding {layer.padding!r}.")
        codes = (layer.weight_codes().to(torch.int16) + UNSIGNED).to(torch.uint8)
        super().__init__(layer, codes, torch.tensor(UNSIGNED, dtype=torch.uint8))
        self.settings = (list(layer.stride), list(layer.padding), list(layer.dilation))

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        codes, scale, zero_point = torch.ops.edgewright.dynamic_quantize(x_BCHW)
        sums = torch.ops.edgewright.conv_integer(codes, self.weight, zero_point, self.weight_zero_point, *self.settings)
        return self.values(sums, scale)
