"""Weights packed as bit planes (see `model.packed`), recognized by the operators that widen them.

    BitShift -> BitwiseAnd -> MatMulInteger with (1, 2, ..., -2^(b-1)) -> Cast to int8 [-> Reshape -> Slice] -> Reshape

All of them are computed while the file is read. What is left of the pattern is the number of bits, which says what the
layer's grid is: it is noted at the product and handed on by whatever only moves codes.

Source: the ONNX operator specification.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from ..packed import place_values
from .elementwise import cast
from .op import Builder, Built, Op, aten
from .parts import slice_
from .shapes import reshape
from .values import Value

COMPUTED = "it computes on bits of the image"


def bit_shift(op: Op) -> Built:
    op.only(op.x.known and op.need(1).known, COMPUTED)
    left = op.text("direction", "RIGHT") == "LEFT"
    shift = aten.bitwise_left_shift.Tensor if left else aten.bitwise_right_shift.Tensor
    return op.call(shift, op.x, op.need(1))


def bitwise_and(op: Op) -> Built:
    op.only(op.x.known and op.need(1).known, COMPUTED)
    return op.call(aten.bitwise_and.Tensor, op.x, op.need(1))


def integer_product(op: Op) -> Built:
    """A product of stored integers, in 32 bits; by the values of places it is a tensor of so many bits."""
    left, right = op.x, op.need(1)
    op.only(left.uniform and right.uniform, "it computes on integers directly: quantize to the QDQ form")
    op.only(all(op.get(place) is None for place in (2, 3)), "its stored integers have zero points")
    made = torch.matmul(left.seen[0].to(torch.int32), right.seen[0].to(torch.int32))
    return op.emit.constant(made, origin=left.origin, bits=_bits_of(left.seen[0], right.seen[0]))


def _bits_of(bits: torch.Tensor, values: torch.Tensor) -> int | None:
    """How many bits the product's integers have, where single bits meet the values of their places."""
    count = values.shape[0]
    binary = bits.numel() > 0 and int(bits.min()) >= 0 and int(bits.max()) <= 1
    if not binary or not 2 <= count <= 7 or values.shape[1:] != (1,) or values.dtype is not torch.int8:
        return None
    return count if torch.equal(values[:, 0], place_values(count)) else None


def keeping_bits(build: Builder) -> Builder:
    """The operator, whose result of stored integers has as many bits as they have."""

    def built(op: Op) -> Built:
        made = build(op)
        return replace(made, bits=op.x.bits) if isinstance(made, Value) and made.known and op.x.bits else made

    return built


PACKING: dict[str, Builder] = {
    "BitShift": bit_shift, "BitwiseAnd": bitwise_and, "MatMulInteger": integer_product,
    "Cast": keeping_bits(cast), "Reshape": keeping_bits(reshape), "Slice": keeping_bits(slice_),
}  # fmt: skip
