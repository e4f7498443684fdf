"""The least and the largest code that each place of each tensor can have, whatever the caller's codes are.

Interval arithmetic on integers, place by place, so that the borders of padded maps are exact. Nearly all operations are
monotone: the bounds of the output are the output of the bounds. A layer's sum over x in [low, high] lies in

    2 * acc = 2 * bias + sum(w * (low + high - 2 * zero_point)) -+ sum(|w| * (high - low))

and requantization is monotone. Source of the method: Moore 1966, "Interval Analysis", chapter 3.

Axes: C, H, W channels, rows and columns of one image; O, I, K outputs, inputs and kernel of a layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from ...reference.integer import convolve
from ..sums import sum_limits
from ..types import Operation, Program, Tensor
from .evaluate import codes_of_sums, evaluate
from .links import links_of

MONOTONE = frozenset(
    {"concat", "slice", "max_pool", "average_pool", "global_average", "rescale", "copy", "leaky_relu", "pad", "nearest",
     "bilinear", "reshape", "transpose"}
)  # fmt: skip
"""Kinds that never give a smaller code for a larger one: leaky slopes are not negative."""
EXACT = frozenset({"slice", "max_pool", "pad", "nearest", "reshape", "transpose"})
OF_ZERO = frozenset(
    {"concat", "rescale", "leaky_relu", "average_pool", "global_average", "bilinear", "add", "mul"}
)  # fmt: skip
FAR = 2**40  # beyond any code that a 32-bit sum can be brought to


@dataclass(frozen=True, kw_only=True, eq=False)
class Bounds:
    """The least and the largest code of each place of a tensor, int64, both in the tensor's shape."""

    low: np.ndarray
    high: np.ndarray

    @property
    def fixed_C(self) -> np.ndarray:
        """The channels (first axis) each of whose places has one code only, which may differ from place to place."""
        return (self.low == self.high).reshape(len(self.low), -1).all(1)

    @property
    def dead_C(self) -> np.ndarray:
        """The channels (first axis) that are one and the same code at all places."""
        count = len(self.low)
        return self.low.reshape(count, -1).min(1) == self.high.reshape(count, -1).max(1)


Known = Mapping[str, Bounds]
Rule = Callable[[Operation, Program, Known], Bounds]


def bound_program(program: Program, *, slack: int = 0) -> dict[str, Bounds]:
    """Bounds of every tensor of codes, from all codes of the inputs' grids; tensors of float values have none.

    Where the bounds of a sum leave what it can hold they end there: no run has such a sum, it is refused
    (`OverflowError`).

    Args:
        slack: steps by which another runtime may round each operation differently; the bounds hold for it too.
    """
    known = {name: _whole(program.tensors[name]) for name in program.inputs}
    for operation in program.operations:
        if program.tensors[operation.output].grid is None:
            continue
        default = _monotone if operation.kind in MONOTONE else _unknown
        rule = RULES.get(operation.kind, default)
        if slack and _rounds(operation, program):
            known[operation.output] = _loosened(rule, operation, program, known, slack)
        else:
            known[operation.output] = rule(operation, program, known)
    return known


def _rounds(operation: Operation, program: Program) -> bool:
    """Whether an operation computes new codes; one that only moves codes has nothing to round."""
    if operation.kind in EXACT:
        return False
    if operation.kind not in ("concat", "rescale"):
        return True
    grids = [program.tensors[name].grid for name in (*operation.inputs, operation.output)]
    return len({(grid.scale, grid.zero_point) for grid in grids if grid is not None}) > 1


def _loosened(rule: Rule, operation: Operation, program: Program, known: Known, slack: int) -> Bounds:
    """Bounds with room on both sides before they saturate: a sum far beyond an end of the grid stays at that end."""
    output = program.tensors[operation.output]
    assert output.grid is not None, "floats have no bounds"
    wide = replace(output, grid=replace(output.grid, low=-FAR, high=FAR))
    found = rule(operation, replace(program, tensors={**program.tensors, output.name: wide}), known)
    low, high = found.low - slack, found.high + slack
    if (zero_C := _keeps_zero(operation, program, known)) is not None:
        low[zero_C] = high[zero_C] = output.grid.zero_point
    return Bounds(low=output.grid.saturate(low), high=output.grid.saturate(high))


def _keeps_zero(operation: Operation, program: Program, known: Known) -> np.ndarray | None:
    """The channels that are made of zeros alone: sums, means and other scales of 0 are 0 however they are rounded."""
    links = links_of(operation, program) if operation.kind in OF_ZERO else None
    if links is None:
        return None
    zero_C = np.ones(program.tensors[operation.output].shape[0], bool)
    for link in links:
        grid, ends = program.tensors[link.name].grid, known[link.name]
        assert grid is not None, "a link between codes"
        is_zero = ((ends.low == grid.zero_point) & (ends.high == grid.zero_point)).reshape(len(ends.low), -1).all(1)
        np.logical_and.at(zero_C, link.outputs, is_zero[link.inputs])
    return zero_C


def _whole(tensor: Tensor) -> Bounds:
    assert tensor.grid is not None, "the caller fills codes"
    return Bounds(
        low=np.full(tensor.shape, tensor.grid.low, np.int64), high=np.full(tensor.shape, tensor.grid.high, np.int64)
    )


def _unknown(operation: Operation, program: Program, known: Known) -> Bounds:
    """Nothing is known but the grid."""
    return _whole(program.tensors[operation.output])


def _monotone(operation: Operation, program: Program, known: Known) -> Bounds:
    inputs = [known[name] for name in operation.inputs]
    low = evaluate(operation, [each.low for each in inputs], program)
    return Bounds(low=low, high=evaluate(operation, [each.high for each in inputs], program))


def _add(operation: Operation, program: Program, known: Known) -> Bounds:
    first, second = (known[name] for name in operation.inputs)
    if operation.settings["sign"] < 0:
        second = Bounds(low=second.high, high=second.low)
    low = evaluate(operation, [first.low, second.low], program)
    return Bounds(low=low, high=evaluate(operation, [first.high, second.high], program))


def _mul(operation: Operation, program: Program, known: Known) -> Bounds:
    """A product over two intervals is least and largest at their ends."""
    ends = [(known[name].low, known[name].high) for name in operation.inputs]
    corners = [evaluate(operation, list(each), program) for each in product(*ends)]
    return Bounds(low=np.min(corners, axis=0), high=np.max(corners, axis=0))


def _look_up(operation: Operation, program: Program, known: Known) -> Bounds:
    """The least and the largest entry of the part of the table that can be read: a table may rise and fall."""
    x, grid = known[operation.inputs[0]], program.tensors[operation.inputs[0]].grid
    assert grid is not None, "a table is read by codes"
    pairs, where = np.unique(np.stack([x.low.ravel(), x.high.ravel()]) - grid.low, axis=1, return_inverse=True)
    parts = [operation.arrays["table"][first : last + 1] for first, last in pairs.T]
    low, high = (np.array([end(part) for part in parts], np.int64)[where.ravel()] for end in (np.min, np.max))
    return Bounds(low=low.reshape(x.low.shape), high=high.reshape(x.low.shape))


def _layer(operation: Operation, program: Program, known: Known) -> Bounds:
    x, grid = known[operation.inputs[0]], program.tensors[operation.inputs[0]].grid
    assert grid is not None, "a layer reads codes"
    out = program.tensors[operation.output].grid
    sums = _conv_sums if operation.kind == "conv" else _linear_sums
    middle = sums(operation, x.low + x.high - 2 * grid.zero_point, absolute=False)
    radius = sums(operation, x.high - x.low, absolute=True)
    bias = operation.arrays["bias_O"].astype(np.int64)
    most = sum_limits(operation, x=grid, out=out, rounding=program.rounding)
    if operation.kind == "conv":
        bias, most = bias.reshape(-1, 1, 1), most.reshape(-1, 1, 1)
    ends = [bias + twice // 2 for twice in (middle - radius, middle + radius)]  # both are even
    low, high = (codes_of_sums(operation, np.clip(acc, -most - 1, most), program) for acc in ends)
    return Bounds(low=low, high=high)


def _conv_sums(operation: Operation, x_CHW: np.ndarray, *, absolute: bool) -> np.ndarray:
    weight = operation.arrays["weight_OIKK"].astype(np.int64)
    settings = operation.settings
    weight = abs(weight) if absolute else weight
    return convolve(x_CHW[None], weight, fill=0, window=settings["window"], groups=settings["groups"])[0]


def _linear_sums(operation: Operation, x_I: np.ndarray, *, absolute: bool) -> np.ndarray:
    weight = operation.arrays["weight_OI"].astype(np.int64)
    return x_I @ (abs(weight) if absolute else weight).T


RULES: dict[str, Rule] = {"conv": _layer, "linear": _layer, "add": _add, "mul": _mul, "look_up": _look_up}
