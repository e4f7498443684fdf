"""Which rows of its inputs an operation needs for some rows of its output, and the operation on these rows alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ...reference.integer import Window
from ..types import Operation, Program

Span = tuple[int, int]  # rows [first, end)
ROWS = 1  # axis of (C, H, W)
SAME_ROWS = frozenset({"add", "mul", "look_up", "rescale", "copy", "leaky_relu", "concat", "slice"})


@dataclass(frozen=True, kw_only=True)
class Needed:
    """Rows of every input, and the operation that makes the rows of the output from them."""

    rows: Span
    operation: Operation


def can_stripe(program: Program, operation: Operation) -> bool:
    """Whether the rows of the output can be made apart from each other."""
    shapes = [program.tensors[name].shape for name in (*operation.inputs, operation.output)]
    if operation.kind not in RULES or any(len(shape) != 3 for shape in shapes):
        return False
    window: Window | None = operation.settings.get("window")
    if window is None:
        axis = operation.settings.get("axis", 0)
        return axis == 0 and len({shape[1:] for shape in shapes}) == 1
    touches = max(window.padding[0]) < window.reach(0)  # every window has a row of the map in it
    return touches and not (window.ceil and operation.kind == "average_pool")


def needed_for(program: Program, operation: Operation, rows: Span) -> Needed:
    """What the rows [first, end) of the output take."""
    return RULES[operation.kind](program, operation, rows)


def _window(program: Program, operation: Operation, rows: Span) -> Needed:
    """Padding stays where the rows touch the border of the map."""
    window: Window = operation.settings["window"]
    height = program.tensors[operation.inputs[0]].shape[ROWS]
    start = rows[0] * window.stride[0] - window.padding[0][0]
    end = (rows[1] - 1) * window.stride[0] - window.padding[0][0] + window.reach(0)
    low, high = max(0, start), min(height, end)
    padding = ((low - start, end - high), window.padding[1])
    settings = {**operation.settings, "window": replace(window, padding=padding)}
    return Needed(rows=(low, high), operation=replace(operation, settings=settings))


def _same(program: Program, operation: Operation, rows: Span) -> Needed:
    return Needed(rows=rows, operation=operation)


RULES: dict[str, Callable[[Program, Operation, Span], Needed]] = {
    **dict.fromkeys(("conv", "max_pool", "average_pool"), _window),
    **dict.fromkeys(SAME_ROWS, _same),
}
"""A kind that is not here needs its whole input."""
