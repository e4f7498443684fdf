"""Operators that change the shape, read it, or make a tensor of one.

A function that `SHAPES` lists is the ONNX operator of its name there; source: the ONNX operator specification.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from .emit import MOST_ELEMENTS
from .op import Builder, Built, Op, aten
from .values import Dim, Size, Value


def transpose(op: Op) -> Built:
    axes = op.attr("perm") or list(range(op.x.rank))[::-1]
    return op.call(aten.permute.default, op.x, [int(axis) for axis in axes])


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


# --- shapes and constants ---------------------------------------------------------------------------------------------


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


SHAPES: dict[str, Builder] = {
    "Transpose": transpose, "Reshape": reshape, "Flatten": flatten, "Squeeze": squeeze, "Unsqueeze": unsqueeze,
    "Expand": expand, "Tile": tile, "DepthToSpace": depth_to_space, "SpaceToDepth": space_to_depth, "Shape": shape,
    "Size": size, "ConstantOfShape": constant_of_shape, "Range": arange, "Trilu": trilu, "OneHot": one_hot,
}  # fmt: skip
