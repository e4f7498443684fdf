"""Operators that join tensors, take parts of them, or put parts into them.

A function that `PARTS` lists is the ONNX operator of its name there; source: the ONNX operator specification.
"""

from __future__ import annotations

from typing import Any

import torch

from .op import Builder, Built, Op, aten
from .shapes import reshaped
from .values import Dim, Size, Value

FAR = 2**31  # slices end there when they run to the end


def concat(op: Op) -> Built:
    values = [each for each in op.inputs if each is not None and each.seen[0].numel() > 0]
    op.only(bool(values), "it joins nothing")
    axis = op.attr("axis", 1) % values[0].rank
    values = _with_batch_axis(op, values, axis)
    return values[0] if len(values) == 1 else op.call(aten.cat.default, values, axis)


def _with_batch_axis(op: Op, values: list[Value], along: int) -> list[Value]:
    """Constants that were written down for the file's batch (a class token) repeat for any other."""
    batch = op.emit.batches.written
    shapes = [op.dims(each) for each in values]
    for axis in range(values[0].rank):
        follows = next((shape[axis] for shape in shapes if isinstance(shape[axis], Size)), None)
        if batch is None or axis == along or not isinstance(follows, Size):
            continue
        values = [
            _repeated(op, value, axis, follows) if shape[axis] == follows.at(batch) else value
            for value, shape in zip(values, shapes, strict=True)
        ]
    return values


def _repeated(op: Op, value: Value, axis: int, size: Size) -> Value:
    first = op.call(aten.slice.Tensor, value, axis, 0, 1)
    op.only(value.known and all(torch.equal(a.expand_as(b), b) for a, b in zip(first.seen, value.seen, strict=True)),
            "it joins the images with a tensor that differs from sample to sample")  # fmt: skip
    target: list[Dim] = op.dims(value)
    target[axis] = size
    return op.call(aten.expand.default, first, target)


def slice_(op: Op) -> Built:
    """Starts, ends, axes and steps are attributes up to operator set 9, inputs from 10."""
    starts: Any
    ends: Any
    if "starts" in op.attributes:
        starts, ends = op.attributes["starts"], op.attributes["ends"]
        axes, steps = op.attr("axes"), None
    else:
        starts, ends = op.sizes(1), op.sizes(2)
        axes = op.integers(3) if op.get(3) is not None else None
        steps = op.integers(4) if op.get(4) is not None else None
    x = op.x
    for place, axis in enumerate(axes if axes is not None else range(len(starts))):
        x = _cut(op, x, axis % x.rank, (starts[place], ends[place], steps[place] if steps else 1))
    return x


def _cut(op: Op, x: Value, axis: int, cut: tuple[Any, Any, int]) -> Value:
    start, end, step = cut
    size = op.dims(x)[axis]
    if step > 0:
        if start == 0 and (end == size or (not isinstance(end, Size) and end >= FAR - 1)) and step == 1:
            return x
        return op.call(aten.slice.Tensor, x, axis, start, end, step)
    length = op.fixed(axis, x)
    picked = list(range(length))[slice(max(start, -length - 1), end if end >= -length else None, step)]
    if step == -1 and len(picked) == length:
        return op.call(aten.flip.default, x, [axis])
    return op.call(aten.index_select.default, x, axis, op.emit.constant(torch.tensor(picked, dtype=torch.int64)))


def split(op: Op) -> Built:
    """Into parts of given sizes, or into as many as there are outputs (or `num_outputs`), the last one smaller."""
    axis = op.attr("axis", 0) % op.x.rank
    sizes = op.listed("split", 1)
    if sizes is None:
        count = op.attr("num_outputs", len(op.outputs))
        length = op.fixed(axis)
        step = -(-length // count)
        sizes = [min(step, length - place * step) for place in range(count)]
    return op.call(aten.split_with_sizes.default, op.x, sizes, axis)


def gather(op: Op) -> Built:
    axis, index = op.attr("axis", 0) % op.x.rank, op.need(1)
    if not index.known:
        flat = op.call(aten.reshape.default, index, [-1])
        taken = op.call(aten.index_select.default, op.x, axis, flat)
        sizes = op.dims()
        return op.call(aten.reshape.default, taken, [*sizes[:axis], *op.dims(index), *sizes[axis + 1 :]])
    if index.uniform and index.rank == 0:
        return op.call(aten.select.int, op.x, axis, int(index.seen[0]))
    if not index.uniform:
        op.only(_is_everything(op, index), "it takes samples out of a batch")
        return reshaped(op, op.x, op.dims(index))
    length = None if isinstance(op.dims()[axis], Size) else op.fixed(axis)
    wanted = index.seen[0].to(torch.int64)
    if length is not None:
        wanted = wanted % length
    flat = op.emit.constant(wanted.reshape(-1))
    taken = op.call(aten.index_select.default, op.x, axis, flat)
    sizes = op.dims()
    return taken if index.rank == 1 else op.call(
        aten.reshape.default, taken, [*sizes[:axis], *wanted.shape, *sizes[axis + 1 :]]
    )  # fmt: skip


def _is_everything(op: Op, index: Value) -> bool:
    """Whether a flat tensor is taken whole and in order: a change of strides that changes nothing."""
    orders = (torch.arange(each.numel()).reshape(each.shape) for each in index.seen)
    same = all(torch.equal(each, order) for each, order in zip(index.seen, orders, strict=True))
    return same and op.x.rank == 1 and all(x.numel() == i.numel() for x, i in zip(op.x.seen, index.seen, strict=True))


def gather_elements(op: Op) -> Built:
    return op.call(aten.gather.default, op.x, op.attr("axis", 0), _positive(op, op.need(1), op.attr("axis", 0)))


def gather_nd(op: Op) -> Built:
    op.only(not op.attr("batch_dims", 0), "it gathers batch by batch")
    return op.call(aten.index.Tensor, op.x, _columns(op, op.need(1)))


def scatter_nd(op: Op) -> Built:
    op.only(op.text("reduction", "none") == "none", "it adds up what it scatters")
    return op.call(aten.index_put.default, op.x, _columns(op, op.need(1)), op.need(2))


def _columns(op: Op, index: Value) -> list[Value]:
    """One index tensor for each axis that the last axis of `index` counts."""
    return [op.call(aten.select.int, index, -1, place) for place in range(op.fixed(index.rank - 1, index))]


def scatter_elements(op: Op) -> Built:
    op.only(op.text("reduction", "none") == "none", "it adds up what it scatters")
    axis = op.attr("axis", 0)
    return op.call(aten.scatter.src, op.x, axis, _positive(op, op.need(1), axis), op.need(2))


def _positive(op: Op, index: Value, axis: int) -> Value:
    return op.call(aten.remainder.Scalar, index, op.fixed(axis)) if index.known else index


def pad(op: Op) -> Built:
    """Widths are given as all begins, then all ends; here from the last axis inwards, in pairs."""
    rank = op.x.rank
    widths = op.listed("pads", 1) or []
    axes = [axis % rank for axis in op.integers(3)] if op.get(3) is not None else list(range(rank))
    begins, ends = [0] * rank, [0] * rank
    for place, axis in enumerate(axes):
        begins[axis], ends[axis] = widths[place], widths[place + len(axes)]
    while len(begins) > 1 and not (begins[0] or ends[0]):
        begins, ends = begins[1:], ends[1:]
    pairs = [width for both in zip(reversed(begins), reversed(ends), strict=True) for width in both]
    mode = op.text("mode", "constant")
    if not any(pairs):
        return op.x
    if mode == "constant":
        value = op.attr("value", op.number(2)) or 0
        return op.call(aten.constant_pad_nd.default, op.x, pairs, _value_of(op.x, value))
    return op.call(aten.pad.default, op.x, pairs, {"edge": "replicate", "wrap": "circular"}.get(mode, mode))


def _value_of(x: Value, number: float) -> float:
    """What a code stands for, where codes are padded."""
    if not x.codes or x.grid is None:
        return number
    return (number - x.grid.zero_point[0]) * x.grid.scale[0]


PARTS: dict[str, Builder] = {
    "Concat": concat, "Slice": slice_, "Split": split, "Gather": gather, "GatherElements": gather_elements,
    "GatherND": gather_nd, "ScatterND": scatter_nd, "ScatterElements": scatter_elements, "Pad": pad,
}  # fmt: skip
