"""Weights packed as fields of bits (see `model.packed`), recognized by the operators that widen them.

    [Split] -> Cast to int32 -> Gather from a table of 256 rows [-> Reshape -> BitwiseOr] [-> Slice] -> Reshape

All of them are computed while the file is read. What is left of the pattern is the number of bits, which says what the
layer's grid is: it is read off the table that holds the sign, and handed on by whatever only moves codes.

Source: the ONNX operator specification.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from ..packed import FIELDS
from .op import Builder, Built, Op, aten
from .parts import gather, slice_
from .shapes import reshape
from .values import Value

BYTES = 256  # rows of a table
LOWEST = {-(2 ** (bits - 1)): bits for bits in FIELDS}


def gather_fields(op: Op) -> Built:
    """Any gathering; stored bytes that pick rows of a table of int8 are packed codes, and keep their name."""
    made, table, picked = gather(op), op.x, op.need(1)
    if not (isinstance(made, Value) and table.uniform and picked.uniform and table.dtype is torch.int8):
        return made
    if table.rank != 2 or table.seen[0].shape[0] != BYTES or picked.dtype is not torch.int32:
        return made
    return replace(made, origin=picked.origin, bits=LOWEST.get(int(table.seen[0].min())))


def bitwise_or(op: Op) -> Built:
    """Two fields of the same codes joined; one of them holds the sign, and with it the number of bits.

    Raises:
        UnsupportedError: it works on a tensor that is not stored.
    """
    left, right = op.x, op.need(1)
    op.only(left.known and right.known, "it computes on the bits of a tensor that is not stored")
    return replace(op.call(aten.bitwise_or.Tensor, left, right), bits=left.bits or right.bits)


def keeping_bits(build: Builder) -> Builder:
    """The operator, whose result of stored integers has as many bits as they have."""

    def built(op: Op) -> Built:
        made = build(op)
        return replace(made, bits=op.x.bits) if isinstance(made, Value) and made.known and op.x.bits else made

    return built


PACKING: dict[str, Builder] = {
    "Gather": gather_fields, "BitwiseOr": bitwise_or,
    "Reshape": keeping_bits(reshape), "Slice": keeping_bits(slice_),
}  # fmt: skip
