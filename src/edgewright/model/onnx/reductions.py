"""Operators that take axes together: sums, means, extremes, softmax.

A function that `REDUCTIONS` lists is the ONNX operator of its name there; source: the ONNX operator specification.
"""

from __future__ import annotations

from typing import Any

from .op import Builder, Built, Op, aten
from .values import Value


def reduction(function: Any) -> Builder:
    """A function of (x, axes, keepdim). Axes are an attribute in older operator sets, an input in newer ones."""

    def build(op: Op) -> Built:
        axes = _axes(op)
        if axes is None:
            return op.x
        return op.call(function, op.x, axes, bool(op.attr("keepdims", 1)))

    return build


def _axes(op: Op) -> list[int] | None:
    """The axes to reduce; None where the operator does nothing."""
    axes = op.listed("axes", 1)
    if axes:
        return axes
    return None if op.attr("noop_with_empty_axes", 0) else list(range(op.x.rank))


def norm(order: int) -> Builder:
    def build(op: Op) -> Built:
        axes = _axes(op)
        if axes is None:
            return op.call(aten.abs.default, op.x)
        return op.call(aten.linalg_vector_norm.default, op.x, order, axes, bool(op.attr("keepdims", 1)))

    return build


def reduce_product(op: Op) -> Built:
    """PyTorch multiplies along one axis at a time."""
    x = op.x
    for axis in sorted((axis % x.rank for axis in _axes(op) or []), reverse=True):
        x = op.call(aten.prod.dim_int, x, axis, bool(op.attr("keepdims", 1)))
    return x


def reduce_squares(op: Op) -> Built:
    square = op.call(aten.mul.Tensor, op.x, op.x)
    axes = _axes(op)
    return square if axes is None else op.call(aten.sum.dim_IntList, square, axes, bool(op.attr("keepdims", 1)))


def softmax(function: Any) -> Builder:
    """Up to operator set 12 all axes from `axis` on are taken together."""

    def build(op: Op) -> Built:
        axis = op.attr("axis", -1 if op.opset >= 13 else 1) % op.x.rank
        if op.opset >= 13 or axis == op.x.rank - 1:
            return op.call(function, op.x, axis)
        return _jointly(op, function, axis)

    return build


def _jointly(op: Op, function: Any, axis: int) -> Value:
    sizes = op.dims()
    joined = op.call(aten.flatten.using_ints, op.x, axis)
    return op.call(aten.reshape.default, op.call(function, joined, axis), sizes)


def argument(function: Any) -> Builder:
    def build(op: Op) -> Built:
        op.only(not op.attr("select_last_index", 0), "it wants the last of equal values")
        return op.call(function, op.x, op.attr("axis", 0), bool(op.attr("keepdims", 1)))

    return build


def top_k(op: Op) -> Built:
    count = int(op.number(1) or 0)
    return op.call(
        aten.topk.default, op.x, count, op.attr("axis", -1), bool(op.attr("largest", 1)), bool(op.attr("sorted", 1))
    )


def cumulative_sum(op: Op) -> Built:
    op.only(not op.attr("exclusive", 0) and not op.attr("reverse", 0), "it is exclusive or runs backwards")
    return op.call(aten.cumsum.default, op.x, int(op.number(1) or 0))


REDUCTIONS: dict[str, Builder] = {
    "ReduceMean": reduction(aten.mean.dim), "ReduceSum": reduction(aten.sum.dim_IntList),
    "ReduceMax": reduction(aten.amax.default), "ReduceMin": reduction(aten.amin.default),
    "ReduceLogSumExp": reduction(aten.logsumexp.default), "ReduceProd": reduce_product,
    "ReduceL1": norm(1), "ReduceL2": norm(2), "ReduceSumSquare": reduce_squares,
    "Softmax": softmax(aten.softmax.int), "LogSoftmax": softmax(aten.log_softmax.int),
    "ArgMax": argument(aten.argmax.default), "ArgMin": argument(aten.argmin.default),
    "TopK": top_k, "CumSum": cumulative_sum,
}  # fmt: skip
