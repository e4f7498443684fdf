"""What some ATen functions mean, whatever the arguments they are written with: clamps, moves, global averages."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import fx

aten = torch.ops.aten

# Each value of the output is one of the input's. Who means more or less by moving says so beside a table of its own.
RESHAPES = {
    aten.flatten.using_ints, aten.view.default, aten.reshape.default, aten.permute.default, aten.transpose.int,
    aten.squeeze.dim, aten.squeeze.dims, aten.unsqueeze.default, aten.slice.Tensor, aten.select.int,
    aten.expand.default, aten.index_select.default,
}  # fmt: skip
COPIES = {aten.clone.default, aten.contiguous.default, aten.alias.default}
MOVES = RESHAPES | COPIES
CLAMPS = {aten.relu.default, aten.relu6.default, aten.hardtanh.default, aten.clamp.default, aten.clamp_min.default}
SPLITS = {aten.split.Tensor, aten.split_with_sizes.default, aten.chunk.default, aten.unbind.int}


def clamp_bounds(node: fx.Node) -> tuple[float | None, float | None]:
    """Lower and upper bound of a clamp, None where it has none."""
    if node.target is aten.relu.default:
        return 0.0, None
    if node.target is aten.relu6.default:
        return 0.0, 6.0
    is_hardtanh = node.target is aten.hardtanh.default
    names, defaults = (("min_val", "max_val"), (-1.0, 1.0)) if is_hardtanh else (("min", "max"), (None, None))
    given = (*node.args[1:3], None, None)
    low, high = (node.kwargs.get(name, value) for name, value in zip(names, given[:2], strict=True))
    return _number(defaults[0] if low is None else low), _number(defaults[1] if high is None else high)


def _number(value: Any) -> float | None:
    """A bound that is computed (a node) is no bound that can be relied on."""
    return None if value is None or isinstance(value, fx.Node) else float(value)


def is_global_average(node: fx.Node, *, rank: int | None) -> bool:
    """Whether the node averages each whole feature map of an input with `rank` axes."""
    if node.target is aten.adaptive_avg_pool2d.default:
        return list(node.args[1]) == [1, 1] and rank == 4  # type: ignore[arg-type]
    if node.target is not aten.mean.dim or rank != 4 or node.kwargs.get("dtype") is not None:
        return False
    return {int(axis) % 4 for axis in node.args[1]} == {2, 3}  # type: ignore[union-attr, arg-type]


def zero_padding(node: fx.Node, *, rank: int | None) -> tuple[list[int], list[int]] | None:
    """What a padding with zeros adds before and behind each axis; None for any other node."""
    return padding(node, rank=rank, value=0.0)


def lowest_padding(node: fx.Node, *, rank: int | None) -> tuple[list[int], list[int]] | None:
    """The same for a padding with minus infinity of which only maxima are taken: any lowest value does its work."""
    if not all(user.target is aten.max_pool2d.default for user in node.users):
        return None
    return padding(node, rank=rank, value=-math.inf)


def padding(node: fx.Node, *, rank: int | None, value: float) -> tuple[list[int], list[int]] | None:
    """What a padding with `value` adds before and behind each axis; None for any other node."""
    if node.target not in (aten.constant_pad_nd.default, aten.pad.default) or rank is None:
        return None
    widths, rest = list(node.args[1]), [*node.args[2:], *node.kwargs.values()]  # type: ignore[arg-type]
    if not all(isinstance(width, int) and width >= 0 for width in widths):
        return None
    given = [each for each in rest if each not in (None, "constant")]
    if (given or [0.0]) != [value]:
        return None
    missing = [0] * (rank - len(widths) // 2)
    return [*missing, *reversed(widths[0::2])], [*missing, *reversed(widths[1::2])]
