"""The constants that an operator reads, as they are stored in what ships.

    dtype             weights           vectors (biases, scale and shift of normalizations)   scales
    float32, float16  4, 2 bytes each   4, 2 bytes each                                       none
    int8, int4        1, 1/2 byte each  4 bytes each (int32 at input scale x weight scale)    4 bytes per output channel

Weights below 8 bits are packed without gaps within one tensor. A layer that carries its own precision (`bits`, left by
the quantizer) is stored at that precision wherever integers are asked for; one whose weights alone have few bits says
itself how many bytes they take (`stored_bytes`), at float types too. Constants that are integers anyway (index tables)
keep their own size.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from ..types import BYTES_PER_ELEMENT
from .tracing import Call

INTEGERS = ("int8", "int4")
VECTOR_BYTES = SCALE_BYTES = 4  # int32 bias, float32 scale or Q31 multiplier


@dataclass(frozen=True, kw_only=True)
class Constant:
    """What one operator reads of one tensor of weights. `key` is equal where the memory is shared."""

    key: str
    weights: int = 0
    vectors: int = 0
    channels: int = 0  # how many scales the weights need
    bits: int | None = None
    file_bytes: int | None = None  # of weights that have few bits in the file and compute in float
    element_bytes: int | None = None  # of a constant that is no floating-point tensor


@dataclass(frozen=True, kw_only=True)
class Stored:
    """Bytes of constants, by what they are for."""

    weights: int = 0
    vectors: int = 0
    scales: int = 0

    @property
    def total(self) -> int:
        return self.weights + self.vectors + self.scales


def stored(constants: Iterable[Constant], dtype: str) -> Stored:
    """The bytes of `constants` at `dtype`, shared ones once."""
    unique = {each.key: each for each in constants}.values()
    parts = [_stored(each, dtype) for each in unique]
    return Stored(
        weights=sum(part.weights for part in parts),
        vectors=sum(part.vectors for part in parts),
        scales=sum(part.scales for part in parts),
    )


def _stored(constant: Constant, dtype: str) -> Stored:
    if constant.element_bytes is not None:
        return Stored(weights=constant.weights * constant.element_bytes)
    if dtype not in INTEGERS:
        size = int(BYTES_PER_ELEMENT[dtype])
        weights = constant.weights * size if constant.file_bytes is None else constant.file_bytes
        return Stored(weights=weights, vectors=constant.vectors * size)
    bits = constant.bits if constant.bits is not None else BYTES_PER_ELEMENT[dtype] * 8
    return Stored(
        weights=math.ceil(constant.weights * bits / 8),
        vectors=constant.vectors * VECTOR_BYTES,
        scales=constant.channels * SCALE_BYTES,
    )


def constants_of_layer(call: Call, *, folds_norm: bool) -> tuple[Constant, ...]:
    """The constants of a layer; `folds_norm`: a batch normalization was folded in, which needs a bias."""
    layer, path = call.layer, call.weights_key
    if isinstance(layer, (_ConvNd, nn.Linear)):
        outputs = layer.out_channels if isinstance(layer, _ConvNd) else layer.out_features
        has_bias = layer.bias is not None or folds_norm
        bits = getattr(layer, "bits", None)
        constant = Constant(
            key=path, weights=layer.weight.numel(), vectors=outputs if has_bias else 0, channels=outputs, bits=bits,
            file_bytes=getattr(layer, "stored_bytes", None),
        )  # fmt: skip
        return (constant,)
    if isinstance(layer, _BatchNorm):
        return (Constant(key=path, vectors=2 * layer.num_features),)  # precomputed scale and shift
    values = sum(each.numel() for each in layer.parameters()) if layer is not None else 0
    return (Constant(key=path, vectors=values),) if values else ()


def constant_of_tensor(key: str, tensor: torch.Tensor) -> Constant:
    """A constant that an operator takes as an argument: a matrix has a scale per entry of its first axis."""
    elements = tensor.untyped_storage().nbytes() // tensor.element_size()
    if not tensor.is_floating_point():
        return Constant(key=key, weights=elements, element_bytes=tensor.element_size())
    if tensor.squeeze().dim() < 2:
        return Constant(key=key, vectors=elements)
    return Constant(key=key, weights=elements, channels=tensor.shape[0])
