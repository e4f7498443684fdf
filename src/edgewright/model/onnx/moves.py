"""Operators that only move elements, or read and make shapes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from .emit import MOST_ELEMENTS
from .op import Builder, Built, Op, aten
from .values import Dim, Size, Value

FAR = 2**31  # slices end there when they run to the end


def transpose(op: Op) -> Built:
    axes = op.attr("perm") or list(range(op.x.rank))[::-1]
    return op.call(aten.permute.default, op.x, [int(axis) for axis in axes])


# --- reshaping ------------------------------------------------------------------------------------------------------


def reshape(op: Op) -> Built:
    wanted = list(op.attr("shape", ())) or op.sizes(1)
    sizes = op.dims()
    if not op.attr("allowzero", 0):
        wanted = [sizes[place] if size == 0 else size for place, size in enumerate(wanted)]
    return reshaped(op, op.x, wanted)


def reshaped(op: Op, x: Value, wanted: Sequence[Dim]) -> Value:
    """`x` in another shape: a flatten where it is one, as capture has it."""
    sizes, batch = op.dims(x), op.emit.batches.written
    if batch is not None and any(isinstance(each, Size) for each in sizes):
        wanted = with_batch(sizes, wanted, batch)
    made = op.call(aten.reshape.default, x, list(wanted))
    if x.known:
        return made
    shape = op.dims(made)
    if shape == sizes:
        return x
    if len(shape) == 2 and len(sizes) > 2 and shape[0] == sizes[0]:
        return op.call(aten.flatten.using_ints, x, 1)
    return made if -1 not in wanted else op.call(aten.reshape.default, x, shape)


def with_batch(sizes: Sequence[Dim], wanted: Sequence[Dim], batch: int) -> list[Dim]:
    """A target shape that was written down for `batch` samples, for any number of them.

    Elements keep their order, so the axis that the batch is the outermost part of has as many elements before it in
    both shapes. Where several axes of the target qualify (they are 1), the one of the right size does.
    """
    if any(isinstance(each, Size) for each in wanted):
        return list(wanted)
    place = next(index for index, size in enumerate(sizes) if isinstance(size, Size))
    now = [size.at(batch) if isinstance(size, Size) else size for size in sizes]
    target = _resolved([each for each in wanted if isinstance(each, int)], math.prod(now))
    outer = math.prod(now[:place])
    axis = _batch_axis(target, outer, now[place], batch)
    if axis is None:
        return list(wanted)
    found: list[Dim] = list(target)
    found[axis] = Size(per_sample=target[axis] // batch)
    return found


def _batch_axis(target: Sequence[int], outer: int, size: int, batch: int) -> int | None:
    """The axis of `target` that follows the batch, which was part of an axis of `size` behind `outer` elements."""
    before = [math.prod(target[:axis]) for axis in range(len(target))]
    for start in (outer, outer * size // batch):  # an axis of its own: the outermost part of the old axis, or the inner
        for axis, count in enumerate(before):
            if count == start and target[axis] == batch:
                return axis
    fits = [axis for axis, count in enumerate(before) if count == outer and target[axis] % batch == 0]
    if not fits:
        return None
    axis = next((each for each in fits if target[each] == size), fits[0])
    if 0 < axis == len(target) - 1 and target[axis] != size:  # features stay apart: the axis before follows
        axis -= 1
    return axis


def _resolved(wanted: list[int], total: int) -> list[int]:
    """The -1 worked out."""
    rest = math.prod(size for size in wanted if size != -1)
    return [total // max(rest, 1) if size == -1 else size for size in wanted]


def flatten(op: Op) -> Built:
    """To two axes: everything before `axis`, and the rest."""
    axis = op.attr("axis", 1)
    axis = axis + op.x.rank if axis < 0 else axis
    if axis == 1:
        return op.x if op.x.rank == 2 else op.call(aten.flatten.using_ints, op.x, 1)
    if axis == 0:
        return op.call(aten.reshape.default, op.x, [1, -1])
    inner = math.prod(op.fixed(place) for place in range(axis, op.x.rank))
    return op.call(aten.reshape.default, op.x, [-1, inner])


def squeeze(op: Op) -> Built:
    axes = op.listed("axes", 1)
    if axes is None:
        axes = [axis for axis, size in enumerate(op.dims()) if size == 1]
    return op.call(aten.squeeze.dims, op.x, axes)


def unsqueeze(op: Op) -> Built:
    axes = op.listed("axes", 1) or []
    rank, x = op.x.rank + len(axes), op.x
    for axis in sorted(axis % rank for axis in axes):
        x = op.call(aten.unsqueeze.default, x, axis)
    return x


def expand(op: Op) -> Built:
    """Both ways: a 1 of the target leaves the size as it is."""
    wanted, sizes = op.sizes(1), op.dims()
    rank = max(len(wanted), len(sizes))
    wanted, sizes = [*[1] * (rank - len(wanted)), *wanted], [*[1] * (rank - len(sizes)), *sizes]
    batch = op.emit.batches.written
    target = [_wider(have, want, batch) for have, want in zip(sizes, wanted, strict=True)]
    return op.x if target == op.dims() else op.call(aten.expand.default, op.x, target)


def _wider(have: Dim, want: Dim, batch: int | None) -> Dim:
    if want == 1:
        return have
    follows = isinstance(have, Size) and batch is not None and want == have.at(batch)
    return have if follows else want


def tile(op: Op) -> Built:
    return op.call(aten.repeat.default, op.x, op.sizes(1))


# --- parts and wholes -----------------------------------------------------------------------------------------------


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


def depth_to_space(op: Op) -> Built:
    block, channels = op.attr("blocksize"), op.fixed(1)
    if op.text("mode", "DCR") == "CRD":
        return op.call(aten.pixel_shuffle.default, op.x, block)
    batch, _, height, width = op.dims()
    parts = op.call(aten.reshape.default, op.x, [batch, block, block, channels // block**2, height, width])
    moved = op.call(aten.permute.default, parts, [0, 3, 4, 1, 5, 2])
    return op.call(aten.reshape.default, moved, [batch, channels // block**2, op.fixed(2) * block, op.fixed(3) * block])


def space_to_depth(op: Op) -> Built:
    block, (batch, channels, _, _) = op.attr("blocksize"), op.dims()
    rows, columns = op.fixed(2) // block, op.fixed(3) // block
    parts = op.call(aten.reshape.default, op.x, [batch, channels, rows, block, columns, block])
    moved = op.call(aten.permute.default, parts, [0, 3, 5, 1, 2, 4])
    return op.call(aten.reshape.default, moved, [batch, op.fixed(1) * block**2, rows, columns])


# --- shapes and constants -------------------------------------------------------------------------------------------


def shape(op: Op) -> Built:
    first, last = op.attr("start", 0), op.attr("end", op.x.rank)
    return Value(seen=tuple(torch.tensor(list(each.shape)[first:last], dtype=torch.int64) for each in op.x.seen))


def size(op: Op) -> Built:
    return Value(seen=tuple(torch.tensor(each.numel(), dtype=torch.int64) for each in op.x.seen))


def constant_of_shape(op: Op) -> Built:
    value = op.attr("value")
    content = torch.zeros(1) if value is None else value
    return op.call(aten.full.default, op.sizes(0), content.reshape(-1)[0].item(), dtype=content.dtype)


def arange(op: Op) -> Built:
    """The limit may follow the batch."""
    limits = [op.need(place) for place in range(3)]
    op.only(all(each.known for each in limits), "its limits depend on the content of the image")
    seen = []
    for start, end, step in zip(*(each.seen for each in limits), strict=True):
        op.only(abs((end - start) / step) <= MOST_ELEMENTS, "it makes too many numbers")
        seen.append(torch.arange(start.item(), end.item(), step.item(), dtype=start.dtype))
    return op.emit.constant(seen[0]) if all(each.uniform for each in limits) else Value(seen=tuple(seen))


def trilu(op: Op) -> Built:
    function = aten.triu.default if op.attr("upper", 1) else aten.tril.default
    return op.call(function, op.x, int(op.number(1, 0) or 0))


def one_hot(op: Op) -> Built:
    op.only(op.x.known, "its classes are computed")
    depth = int(op.number(1) or 0)
    axis = op.attr("axis", -1) % (op.x.rank + 1)
    index = op.call(aten.remainder.Scalar, op.call(aten.to.dtype, op.x, torch.int64), depth)
    hot = op.call(aten.one_hot.default, index, depth)
    off, on = op.call(aten.split_with_sizes.default, op.need(2), [1, 1])
    order = [*range(axis), op.x.rank, *range(axis, op.x.rank)]
    moved = op.call(aten.permute.default, op.call(aten.eq.Scalar, hot, 1), order)
    return op.call(aten.where.self, moved, on, off)


MOVES: dict[str, Builder] = {
    "Transpose": transpose, "Reshape": reshape, "Flatten": flatten, "Squeeze": squeeze, "Unsqueeze": unsqueeze,
    "Expand": expand, "Tile": tile, "Concat": concat, "Slice": slice_, "Split": split, "Gather": gather,
    "GatherElements": gather_elements, "GatherND": gather_nd, "ScatterND": scatter_nd,
    "ScatterElements": scatter_elements, "Pad": pad, "DepthToSpace": depth_to_space, "SpaceToDepth": space_to_depth,
    "Shape": shape, "Size": size, "ConstantOfShape": constant_of_shape, "Range": arange, "Trilu": trilu,
    "OneHot": one_hot,
}  # fmt: skip
