"""Layers: integer weights, and a bias in units of the sums."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...reference.integer import Window
from ..sums import sum_scale
from .call import Call
from .values import Coded, Known, Layer, Pending, Shape
from .windows import is_map, window_of

SAME_UNIT = 1e-6  # of the scale of a stored bias: a product of two float32 is off by 2^-24
SYMMETRIC = "quantize weights symmetrically (int8 with zero point 0, or uint8 with zero point 128)"
NEUTRAL = 64  # the weight of a channel that is scaled by its weight's scale: a power of two, so nothing is rounded
WEIGHT_NAMES = {"conv": "weight_OIKK", "linear": "weight_OI"}


def conv(call: Call) -> Pending:
    x, (weight, scale_O) = call.values(), _weights(call, 1, axis=0)
    if weight.ndim != 4 or not is_map(x.shape):
        raise call.refused(f"is a convolution over {weight.ndim - 2} axes", remedy="write it over rows and columns")
    window = window_of(call, x.shape, kernel=weight.shape[2:])
    groups = int(call.attr("group", 1))
    sizes = (window.count(axis, size) for axis, size in enumerate(x.shape[1:]))
    layer = Layer(
        kind="conv", source=x.tensor, weight=weight, weight_scale_O=scale_O,
        settings={"window": window, "groups": groups}, bias_O=_bias(call, 2, sum_scale(x.grid, scale_O)),
    )  # fmt: skip
    return of_layer(call, layer, (len(weight), *sizes))


def gemm(call: Call) -> Pending:
    if call.attr("transA", 0) or call.attr("alpha", 1.0) != 1.0 or call.attr("beta", 1.0) != 1.0:
        raise call.refused("transposes or scales what it multiplies", remedy="fold alpha and beta into the weights")
    return _linear(call, *_weights(call, 1, axis=0 if call.attr("transB", 0) else 1), bias_at=2)


def matmul(call: Call) -> Pending:
    if not isinstance(call.given(1), Known):
        raise call.refused("multiplies two activations", remedy="attention has no integer operation: replace it")
    return _linear(call, *_weights(call, 1, axis=1), bias_at=2)  # the standard's operator has no third input


def _linear(call: Call, weight_OI: np.ndarray, scale_O: np.ndarray, *, bias_at: int) -> Pending:
    x = call.values()
    layer = Layer(
        kind="linear", source=x.tensor, weight=weight_OI, weight_scale_O=scale_O, settings={},
        bias_O=_bias(call, bias_at, sum_scale(x.grid, scale_O)),
    )  # fmt: skip
    return of_layer(call, layer, (*x.shape[:-1], len(weight_OI)))


def of_layer(call: Call, layer: Layer, shape: Shape) -> Pending:
    """What a layer computes."""
    arrays = {WEIGHT_NAMES[layer.kind]: layer.weight, "bias_O": layer.bias_O, "weight_scale_O": layer.weight_scale_O}
    return call.pending(
        layer.kind, [layer.source], shape, settings=layer.settings, arrays=arrays, of=layer,
        may_be_float=layer.kind == "linear",
    )  # fmt: skip


# -- what is stored ---------------------------------------------------------------------------------------------------
def _weights(call: Call, place: int, *, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Integer weights, outputs first, and their scale per output."""
    value = call.given(place)
    if not isinstance(value, Known) or value.stored is None:
        raise call.refused("has weights that are no integers", remedy="quantize them (DequantizeLinear of int8)")
    stored = value.stored
    codes = stored.codes - stored.zero
    if codes.ndim < 2 or not codes.size or codes.min() < -128 or codes.max() > 127:
        raise call.refused("has weights with a zero point that leaves 8 bits", remedy=SYMMETRIC)
    scale = np.moveaxis(stored.scale, axis, 0).reshape(codes.shape[axis], -1)
    if (scale != scale[:, :1]).any():
        raise call.refused("has weights with a scale per input", remedy="quantize weights per output channel")
    ordered = np.moveaxis(codes, axis, 0)
    return np.ascontiguousarray(ordered).astype(np.int8), np.ascontiguousarray(scale[:, 0])


def _bias(call: Call, place: int, unit_O: np.ndarray) -> np.ndarray:
    value = call.given(place)
    if value is None:
        return np.zeros(len(unit_O), np.int32)
    if not isinstance(value, Known) or value.values.size not in (1, len(unit_O)):
        raise call.refused("has a bias that is no constant per output", remedy="fold it into the weights' layer")
    return in_units(call, value, unit_O)


def in_units(call: Call, value: Known, unit_O: np.ndarray) -> np.ndarray:
    """A constant per output in units of the sums: its own codes where they are that already, else rounded."""
    stored, shape = value.stored, unit_O.shape
    if stored is not None and np.allclose(np.broadcast_to(stored.scale.ravel(), shape), unit_O, rtol=SAME_UNIT, atol=0):
        codes = np.broadcast_to((stored.codes - stored.zero).ravel(), shape).astype(np.float64)
    else:
        codes = np.floor(np.broadcast_to(value.values.ravel().astype(np.float64), shape) / unit_O + 0.5)
        call.reading.rounded.append(call.name)
    if not (np.abs(codes) < 2**31).all():
        raise call.refused("has a bias that does not fit into 32 bits of its sums", remedy=(
            "give its weights a larger scale, or quantize with a range that is not empty"
        ))  # fmt: skip
    return codes.astype(np.int32)


# -- per channel ------------------------------------------------------------------------------------------------------
def with_offset(call: Call, layer: Layer, shape: Shape, offset: Known) -> Pending:
    """A layer with a constant per output added to it in float."""
    assert layer.source.grid is not None, "a layer reads codes"
    unit_O = sum_scale(layer.source.grid, layer.weight_scale_O)
    bias = layer.bias_O.astype(np.int64) + in_units(call, offset, unit_O)
    if (np.abs(bias) >= 2**31).any():
        raise call.refused("makes a bias that does not fit into 32 bits", remedy="fold it into the weights' layer")
    return of_layer(call, replace(layer, bias_O=bias.astype(np.int32)), shape)


def per_channel(call: Call, x: Coded, factor_C: np.ndarray, offset_C: np.ndarray) -> Pending:
    """factor * x + offset for each channel: a depthwise convolution of one place, whose scales are the factors."""
    source, shape = x.tensor, x.shape
    scale_C = np.where(factor_C != 0, np.abs(factor_C), 1.0) / NEUTRAL
    unit_C = sum_scale(x.grid, scale_C)
    bias = np.floor(offset_C / unit_C + 0.5)
    if not (np.abs(bias) < 2**31).all() or not np.isfinite(unit_C).all():
        raise call.refused("has constants that do not fit into 32 bits of its sums", remedy="fold them into a layer")
    weight = (NEUTRAL * np.sign(factor_C)).astype(np.int8)
    settings = {"window": Window(kernel=(1, 1)), "groups": shape[0]}
    arrays = {
        "weight_OIKK": weight.reshape(-1, 1, 1, 1), "bias_O": bias.astype(np.int32), "weight_scale_O": scale_C,
    }  # fmt: skip
    return call.pending("conv", [source], shape, settings=settings, arrays=arrays)
