"""The operators of a file whose activations are quantized on every call, one for one as ONNX has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from onnxscript import opset18 as onnx_op

from ..model.dynamic import HIGH, LOW, dynamic_grid


@torch.library.custom_op(
    "edgewright::dynamic_quantize", mutates_args=(), schema="(Tensor x) -> (Tensor, Tensor, Tensor)"
)
def dynamic_quantize(x):  # type: ignore[no-untyped-def]
    """ONNX DynamicQuantizeLinear: uint8 codes, scale and zero point of the tensor at hand."""
    scale, zero_point = dynamic_grid(x)
    codes = x.div(scale).round_().add_(zero_point).clamp_(LOW, HIGH).to(torch.uint8)
    return codes, scale, zero_point.to(torch.uint8)


@dynamic_quantize.register_fake
def _dynamic_quantize_shape(x):  # type: ignore[no-untyped-def]
    return torch.empty_like(x, dtype=torch.uint8), x.new_empty(()), x.new_empty((), dtype=torch.uint8)


@torch.library.custom_op(
    "edgewright::matmul_integer",
    mutates_args=(),
    schema="(Tensor codes, Tensor weight, Tensor zero_point, Tensor weight_zero_point) -> Tensor",
)
def matmul_integer(codes, weight, zero_point, weight_zero_point):  # type: ignore[no-untyped-def]
    """ONNX MatMulInteger: the sums of products in 32 bits."""
    left = codes.to(torch.int32) - zero_point.to(torch.int32)
    return torch.matmul(left, weight.to(torch.int32) - weight_zero_point.to(torch.int32))


@matmul_integer.register_fake
def _matmul_integer_shape(codes, weight, zero_point, weight_zero_point):  # type: ignore[no-untyped-def]
    return codes.new_empty((*codes.shape[:-1], weight.shape[1]), dtype=torch.int32)


CONVOLVE = (
    "(Tensor codes, Tensor weight, Tensor zero_point, Tensor weight_zero_point, int[] stride, int[] padding, "
    "int[] dilation) -> Tensor"
)


@torch.library.custom_op("edgewright::conv_integer", mutates_args=(), schema=CONVOLVE)
def conv_integer(codes, weight, zero_point, weight_zero_point, stride, padding, dilation):  # type: ignore[no-untyped-def]
    """ONNX ConvInteger: the sums in 32 bits; what is padded stands for 0."""
    left = codes.double() - zero_point.double()  # float64 holds every 32-bit sum exactly
    right = weight.double() - weight_zero_point.double()
    return torch.nn.functional.conv2d(left, right, None, stride, padding, dilation).to(torch.int32)


@conv_integer.register_fake
def _conv_integer_shape(codes, weight, zero_point, weight_zero_point, stride, padding, dilation):  # type: ignore[no-untyped-def]
    shape = torch.nn.functional.conv2d(codes.float(), weight.float(), None, stride, padding, dilation)
    return torch.empty_like(shape, dtype=torch.int32)


def _dynamic_quantize_onnx(x: Any) -> Any:
    return onnx_op.DynamicQuantizeLinear(x)


def _matmul_integer_onnx(codes: Any, weight: Any, zero_point: Any, weight_zero_point: Any) -> Any:
    return onnx_op.MatMulInteger(codes, weight, zero_point, weight_zero_point)


def _conv_integer_onnx(
    codes: Any,
    weight: Any,
    zero_point: Any,
    weight_zero_point: Any,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> Any:
    return onnx_op.ConvInteger(
        codes, weight, zero_point, weight_zero_point, strides=list(stride), pads=[*padding, *padding],
        dilations=list(dilation),
    )  # fmt: skip


DYNAMIC_TRANSLATIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.ops.edgewright.dynamic_quantize.default: _dynamic_quantize_onnx,
    torch.ops.edgewright.matmul_integer.default: _matmul_integer_onnx,
    torch.ops.edgewright.conv_integer.default: _conv_integer_onnx,
}
