"""The operators of a file: PyTorch functions that ONNX has under another name, one for one.

`TRANSLATIONS` says how each is written.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import onnx_ir as ir
import torch
from onnxscript import opset18 as onnx_op
from onnxscript.function_libs.torch_lib.ops.nn import aten_scaled_dot_product_attention


@torch.library.custom_op(
    "edgewright::quantize", mutates_args=(), schema="(Tensor x, Tensor scale, Tensor zero_point) -> Tensor"
)
def quantize(x, scale, zero_point):  # type: ignore[no-untyped-def]
    """ONNX QuantizeLinear: the codes of `x`, in the type of `zero_point`."""
    bounds = torch.iinfo(zero_point.dtype)
    return x.div(scale).round_().add_(zero_point).clamp_(bounds.min, bounds.max).to(zero_point.dtype)


@quantize.register_fake
def _quantize_shape(x, scale, zero_point):  # type: ignore[no-untyped-def]
    return torch.empty_like(x, dtype=zero_point.dtype)


@torch.library.custom_op(
    "edgewright::dequantize",
    mutates_args=(),
    schema="(Tensor codes, Tensor scale, Tensor? zero_point=None, int? axis=None) -> Tensor",
)
def dequantize(codes, scale, zero_point=None, axis=None):  # type: ignore[no-untyped-def]
    """ONNX DequantizeLinear: the float32 values that `codes` stand for."""
    shape = [1] * codes.dim()
    if axis is not None:
        shape[axis] = -1
    values = codes.to(torch.float32)
    if zero_point is not None:
        values = values - zero_point.reshape(shape if zero_point.dim() else ()).to(torch.float32)
    return values * scale.reshape(shape if scale.dim() else ())


@dequantize.register_fake
def _dequantize_shape(codes, scale, zero_point=None, axis=None):  # type: ignore[no-untyped-def]
    return torch.empty_like(codes, dtype=torch.float32)


@torch.library.custom_op("edgewright::global_average", mutates_args=(), schema="(Tensor x_BCHW) -> Tensor")
def global_average(x_BCHW):  # type: ignore[no-untyped-def]
    """ONNX GlobalAveragePool: (B, C, H, W) -> (B, C, 1, 1). It has an integer kernel, ReduceMean has none."""
    return x_BCHW.mean(dim=(2, 3), keepdim=True)


@global_average.register_fake
def _global_average_shape(x_BCHW):  # type: ignore[no-untyped-def]
    return x_BCHW.new_empty((*x_BCHW.shape[:2], 1, 1))


@torch.library.custom_op("edgewright::flatten", mutates_args=(), schema="(Tensor x) -> Tensor")
def flatten(x):  # type: ignore[no-untyped-def]
    """ONNX Flatten: (B, ...) -> (B, N), without arithmetic on sizes."""
    return x.flatten(1).clone()


@flatten.register_fake
def _flatten_shape(x):  # type: ignore[no-untyped-def]
    return x.new_empty((x.shape[0], x[0].numel()))


@torch.library.custom_op(
    "edgewright::pad", mutates_args=(), schema="(Tensor codes, int[] begins, int[] ends, Tensor value) -> Tensor"
)
def pad(codes, begins, ends, value):  # type: ignore[no-untyped-def]
    """ONNX Pad of integers: `begins` and `ends` count what is added on each axis."""
    widths = [width for pair in zip(reversed(begins), reversed(ends), strict=True) for width in pair]
    return torch.nn.functional.pad(codes.to(torch.int32), widths, value=int(value)).to(codes.dtype)


@pad.register_fake
def _pad_shape(codes, begins, ends, value):  # type: ignore[no-untyped-def]
    return codes.new_empty([size + b + e for size, b, e in zip(codes.shape, begins, ends, strict=True)])


@torch.library.custom_op(
    "edgewright::clip_codes", mutates_args=(), schema="(Tensor codes, int low, int high) -> Tensor"
)
def clip_codes(codes, low, high):  # type: ignore[no-untyped-def]
    """ONNX Clip of integers."""
    return codes.clamp(low, high)


@clip_codes.register_fake
def _clip_codes_shape(codes, low, high):  # type: ignore[no-untyped-def]
    return torch.empty_like(codes)


def _quantize_onnx(x: Any, scale: Any, zero_point: Any) -> Any:
    return onnx_op.QuantizeLinear(x, scale, zero_point)


def _dequantize_onnx(codes: Any, scale: Any, zero_point: Any = None, axis: int | None = None) -> Any:
    if axis is None:
        return onnx_op.DequantizeLinear(codes, scale, zero_point)
    return onnx_op.DequantizeLinear(codes, scale, zero_point, axis=axis)


def _global_average_onnx(x_BCHW: Any) -> Any:
    return onnx_op.GlobalAveragePool(x_BCHW)


def _flatten_onnx(x: Any) -> Any:
    return onnx_op.Flatten(x, axis=1)


def _pad_onnx(codes: Any, begins: Sequence[int], ends: Sequence[int], value: Any) -> Any:
    return onnx_op.Pad(codes, onnx_op.Constant(value_ints=[*begins, *ends]), value)  # type: ignore[arg-type]


def _clip_codes_onnx(codes: Any, low: int, high: int) -> Any:
    bounds = [onnx_op.CastLike(onnx_op.Constant(value_int=bound), codes) for bound in (low, high)]  # type: ignore[type-var]
    return onnx_op.Clip(codes, *bounds)


def _gelu_onnx(x: Any, approximate: str = "none") -> Any:
    """x * (1 + erf(x / sqrt 2)) / 2 in the order of operations that ONNX Runtime joins to one kernel."""
    if approximate != "none":
        cubic = onnx_op.Mul(onnx_op.Mul(onnx_op.Mul(x, x), x), _number(0.044715))
        inner = onnx_op.Mul(onnx_op.Add(x, cubic), _number(math.sqrt(2 / math.pi)))
        return onnx_op.Mul(onnx_op.Mul(x, onnx_op.Add(onnx_op.Tanh(inner), _number(1.0))), _number(0.5))
    inner = onnx_op.Erf(onnx_op.Div(x, _number(math.sqrt(2))))
    return onnx_op.Mul(onnx_op.Mul(x, onnx_op.Add(inner, _number(1.0))), _number(0.5))


def _attention_onnx(
    query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: float = 0.0, is_causal: bool = False,
    scale: float | None = None, enable_gqa: bool = False,
) -> Any:  # fmt: skip
    """softmax(q k^T + mask) v for any number of leading axes; the exporter's own takes two (it asserts 4 axes)."""
    rank = len(query.shape)
    choosing = attn_mask is not None and attn_mask.dtype == ir.DataType.BOOL
    if rank == 4 or choosing or is_causal or enable_gqa:
        return aten_scaled_dot_product_attention(query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa)
    scaled = onnx_op.Mul(query, _number(1 / math.sqrt(query.shape[-1]) if scale is None else scale))
    turned = onnx_op.Transpose(key, perm=[*range(rank - 2), rank - 1, rank - 2])
    weights = onnx_op.MatMul(scaled, turned)
    weights = weights if attn_mask is None else onnx_op.Add(weights, attn_mask)
    return onnx_op.MatMul(onnx_op.Softmax(weights, axis=-1), value)


def _number(value: float) -> Any:
    return onnx_op.Constant(value_float=value)


OPSET = 18  # from 21 on ONNX Runtime 1.31 mixes up signed and unsigned activations when it fuses
TRANSLATIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.ops.edgewright.quantize.default: _quantize_onnx,
    torch.ops.edgewright.dequantize.default: _dequantize_onnx,
    torch.ops.edgewright.global_average.default: _global_average_onnx,
    torch.ops.edgewright.flatten.default: _flatten_onnx,
    torch.ops.edgewright.pad.default: _pad_onnx,
    torch.ops.edgewright.clip_codes.default: _clip_codes_onnx,
    torch.ops.aten.gelu.default: _gelu_onnx,
    torch.ops.aten.scaled_dot_product_attention.default: _attention_onnx,
}
