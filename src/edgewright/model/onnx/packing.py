"""Weights packed as fields of bits (see `model.packed`), recognized by the operators that widen them.

    [Split] -> BitShift -> BitwiseAnd [-> BitShift -> BitwiseOr] -> Cast to int32 -> Sub 2^(b-1) -> Cast to int8
    [-> Reshape -> Slice] -> Reshape

All of them are computed while the file is read. What is left of the pattern is the number of bits, which says what the
layer's grid is: it is noted at the difference and handed on by whatever only moves codes.

Source: the ONNX operator specification.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from ..packed import FIELDS
from .elementwise import ELEMENTWISE, cast
from .op import Builder, Built, Op, aten
from .parts import slice_
from .shapes import reshape
from .values import Value

HALVES = {2 ** (bits - 1): bits for bits in FIELDS}


def on_stored(choose: Callable[[Op], Any]) -> Builder:
    """A function of two stored tensors of integers, looked up when the operator is read."""

    def built(op: Op) -> Built:
        op.only(op.x.known and op.need(1).known, "it computes on the bits of a tensor that is not stored")
        return op.call(choose(op), op.x, op.need(1))

    return built


def shift_of(op: Op) -> Any:
    left = op.text("direction", "RIGHT") == "LEFT"
    return aten.bitwise_left_shift.Tensor if left else aten.bitwise_right_shift.Tensor


def difference(op: Op) -> Built:
    """Any difference; stored integers from 0 to 2^b - 1 become signed ones of b bits when 2^(b-1) is taken away."""
    made, x, half = ELEMENTWISE["Sub"](op), op.x, op.get(1)
    if not isinstance(made, Value) or half is None or not (x.uniform and half.uniform and half.seen[0].numel() == 1):
        return made
    bits = HALVES.get(half.seen[0].item())
    if bits is None or x.dtype is not torch.int32 or not x.seen[0].numel():
        return made
    low, high = x.seen[0].aminmax()
    return replace(made, bits=bits) if low >= 0 and high < 2**bits else made


def keeping_bits(build: Builder) -> Builder:
    """The operator, whose result of stored integers has as many bits as they have."""

    def built(op: Op) -> Built:
        made = build(op)
        return replace(made, bits=op.x.bits) if isinstance(made, Value) and made.known and op.x.bits else made

    return built


PACKING: dict[str, Builder] = {
    "BitShift": on_stored(shift_of), "BitwiseAnd": on_stored(lambda op: aten.bitwise_and.Tensor),
    "BitwiseOr": on_stored(lambda op: aten.bitwise_or.Tensor), "Sub": difference,
    "Cast": keeping_bits(cast), "Reshape": keeping_bits(reshape), "Slice": keeping_bits(slice_),
}  # fmt: skip
