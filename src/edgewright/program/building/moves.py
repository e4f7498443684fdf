"""Operators that only move codes, told apart by where each value goes and not by how they are written.

A move is tried on the numbers 0, 1, 2, ...; what comes out says which value each place of the output holds.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from ...reference.integer import Window
from ..loops import nested_loops
from ..types import Tensor
from .builder import Builder

MOST_AXES = 6  # of a transposition that is tried in every order
MOST_STEPS = 8  # of a strided slice: larger ones do not occur


def add_move(builder: Builder, source: Tensor, ids: np.ndarray, *, name: str) -> Tensor | None:
    """The tensor whose value at each place is the value of `source` with that number; None where it takes more than
    slices, reshapes and one transposition.

    Args:
        ids: place of each value in the flattened source, in the shape of the output.
    """
    for attempt in (_reshaped, _transposed, _sliced, _thinned, _regrouped):
        moved = attempt(builder, source, ids, name)
        if moved is not None:
            return moved
    return None


def _numbers(tensor: Tensor) -> np.ndarray:
    return np.arange(tensor.num_values).reshape(tensor.shape)


def reshape(builder: Builder, source: Tensor, shape: tuple[int, ...], *, name: str) -> Tensor:
    """The same values in another shape."""
    if source.shape == shape:
        return source
    return builder.add("reshape", [source], builder.tensor(name, shape, source.grid))


def _reshaped(builder: Builder, source: Tensor, ids: np.ndarray, name: str) -> Tensor | None:
    if not np.array_equal(ids.ravel(), np.arange(source.num_values)):
        return None
    return reshape(builder, source, ids.shape, name=name)


def _transposed(builder: Builder, source: Tensor, ids: np.ndarray, name: str) -> Tensor | None:
    if sorted(source.shape) != sorted(ids.shape) or ids.ndim > MOST_AXES:
        return None
    for order in itertools.permutations(range(len(source.shape))):
        same_shape = tuple(source.shape[axis] for axis in order) == ids.shape
        if same_shape and np.array_equal(_numbers(source).transpose(order), ids):
            return _transpose(builder, source, order, name)
    return None


def _transpose(builder: Builder, source: Tensor, order: tuple[int, ...], name: str) -> Tensor:
    shape = tuple(source.shape[axis] for axis in order)
    return builder.add("transpose", [source], builder.tensor(name, shape, source.grid), settings={"order": order})


def _sliced(builder: Builder, source: Tensor, ids: np.ndarray, name: str) -> Tensor | None:
    """A range of one axis, perhaps with that axis gone."""
    if not ids.size:
        return None
    first = np.unravel_index(int(ids.flat[0]), source.shape)
    for axis, size in enumerate(source.shape):
        length, rest = divmod(ids.size * size, source.num_values)
        start = int(first[axis])
        part = _numbers(source).take(range(start, min(start + length, size)), axis)
        if not rest and np.array_equal(part.ravel(), ids.ravel()):
            settings = {"axis": axis, "start": start, "stop": start + length}
            whole = builder.tensor(name, part.shape, source.grid)
            return reshape(builder, builder.add("slice", [source], whole, settings=settings), ids.shape, name=name)
    return None


def _thinned(builder: Builder, source: Tensor, ids: np.ndarray, name: str) -> Tensor | None:
    """Every second row, column or both, from any on: the maximum of windows of one place."""
    if len(source.shape) != 3 or ids.ndim != 3 or not ids.size or len(ids) != source.shape[0]:
        return None
    _, *first = (int(each) for each in np.unravel_index(int(ids.flat[0]), source.shape))
    rest = _numbers(source)[:, first[0] :, first[1] :]
    steps = range(1, MOST_STEPS + 1)
    for stride in itertools.product(steps, steps):
        ends = [(count - 1) * step + 1 for count, step in zip(ids.shape[1:], stride, strict=True)]
        if np.array_equal(rest[:, : ends[0] : stride[0], : ends[1] : stride[1]], ids):
            for axis, (start, length) in enumerate(zip(first, ends, strict=True), 1):
                source = _part(builder, source, (axis, start, start + length), name)
            thin = builder.tensor(name, ids.shape, source.grid)
            return builder.add("max_pool", [source], thin, settings={"window": Window(kernel=(1, 1), stride=stride)})
    return None


def _part(builder: Builder, source: Tensor, cut: tuple[int, int, int], name: str) -> Tensor:
    """From a start to a stop along an axis; a tensor that only loses its end is not cut: windows do not read it."""
    axis, start, stop = cut
    if start == 0:
        return source
    shape = (*source.shape[:axis], stop - start, *source.shape[axis + 1 :])
    part = builder.tensor(f"{name}_part", shape, source.grid)
    return builder.add("slice", [source], part, settings={"axis": axis, "start": start, "stop": stop})


def _regrouped(builder: Builder, source: Tensor, ids: np.ndarray, name: str) -> Tensor | None:
    """Reshape, transpose, reshape: shuffles of channels and pixels."""
    loops = nested_loops(ids.ravel())
    if loops is None or ids.size != source.num_values:
        return None
    by_stride = sorted(range(len(loops)), key=lambda each: -loops[each][1])
    sizes = tuple(loops[each][0] for each in by_stride)
    strides = [math.prod(sizes[position + 1 :]) for position in range(len(sizes))]
    if math.prod(sizes) != ids.size or [loops[each][1] for each in by_stride] != strides:
        return None
    parts = reshape(builder, source, sizes, name=f"{name}_parts")
    order = tuple(by_stride.index(each) for each in range(len(loops)))
    return reshape(builder, _transpose(builder, parts, order, f"{name}_moved"), ids.shape, name=name)
