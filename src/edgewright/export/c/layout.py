"""Where the codes of a tensor lie in memory: channels last.

A tensor of three or more axes lies with its last two axes (rows, columns) in front and the others behind them in their
order; one of fewer axes lies as it is. A flattened map that only linear layers read keeps the map's order, because
their columns can be moved offline: then its bytes lie like another shape, that of the map.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...errors import UnsupportedError
from ...program import Operation, Program
from ...program.loops import nested_loops

Shape = tuple[int, ...]
ANY_ORDER = frozenset({"look_up", "rescale", "copy", "leaky_relu"})  # each code by itself
MOST_LOOPS = 5  # of kernels/transpose.h


def axes_in_memory(rank: int) -> tuple[int, ...]:
    """The axes of a tensor in the order of its memory, the outermost first."""
    return tuple(range(rank)) if rank < 3 else (rank - 2, rank - 1, *range(rank - 2))


def sizes_in_memory(shape: Shape) -> Shape:
    """The sizes of the axes in the order of memory: (H, W, C) for (C, H, W)."""
    return tuple(shape[axis] for axis in axes_in_memory(len(shape)))


def around(shape: Shape, axis: int) -> tuple[int, int, int]:
    """Values ahead of a logical axis, along it, and behind it, in the order of memory."""
    rank = len(shape)
    place = axis % rank if rank < 3 else (axis % rank + 2) % rank
    sizes = sizes_in_memory(shape)
    outer, inner = 1, 1
    for size in sizes[:place]:
        outer *= size
    for size in sizes[place + 1 :]:
        inner *= size
    return outer, sizes[place], inner


def places(shape: Shape) -> np.ndarray:
    """For each place in memory, which value of the tensor in its logical order lies there."""
    numbers = np.arange(int(np.prod(shape))).reshape(shape)
    return numbers.transpose(axes_in_memory(len(shape))).ravel()


def layouts(program: Program) -> dict[str, Shape]:
    """Tensor -> the shape in whose order its bytes lie: its own, or that of the map which it flattens."""
    found = {name: program.tensors[name].shape for name in program.inputs}
    for operation in program.operations:
        output = program.tensors[operation.output]
        keeps = operation.kind in {"reshape"} | ANY_ORDER and len(output.shape) == 1
        if keeps and _takes_any_order(program, output.name):
            found[output.name] = found[operation.inputs[0]]
        else:
            found[output.name] = output.shape
    return found


def _takes_any_order(program: Program, name: str) -> bool:
    """Whether all that reads a flat tensor can read it in any order."""
    if name in program.outputs:
        return False
    readers = [operation for operation in program.operations if name in operation.inputs]
    return all(
        each.kind == "linear" or (each.kind in ANY_ORDER and _takes_any_order(program, each.output))
        for each in readers
    )  # fmt: skip


def sources(program: Program, operation: Operation, lying: Mapping[str, Shape]) -> np.ndarray:
    """For a reshape or transpose: for each place of the output in memory, the place of the input that goes there."""
    source, output = program.tensors[operation.inputs[0]], program.tensors[operation.output]
    numbers = np.arange(source.num_values).reshape(source.shape)
    if operation.kind == "transpose":
        numbers = numbers.transpose(operation.settings["order"])
    place_of = np.argsort(places(lying[source.name]))  # logical -> memory
    return place_of[numbers.ravel()[places(lying[output.name])]]


def is_alias(program: Program, operation: Operation, lying: Mapping[str, Shape]) -> bool:
    """Whether an operation moves no byte: its output is its input's memory."""
    if operation.kind not in ("reshape", "transpose"):
        return False
    moved = sources(program, operation, lying)
    return bool((moved == np.arange(len(moved))).all())


def loops(indices: np.ndarray, *, name: str) -> list[tuple[int, int]]:
    """The nested loops that read `indices` one after the other, as (count, step), the outermost first.

    Raises:
        UnsupportedError: there are none, or more than the kernel has.
    """
    found = nested_loops(indices)
    if found is None or len(found) > MOST_LOOPS:
        raise UnsupportedError(
            f"The operation {name} moves codes in an order that is not {MOST_LOOPS} nested loops: write it as fewer "
            "moves."
        )
    return [(1, 0)] * (MOST_LOOPS - len(found)) + found
