"""An order of channels in which N:M keeps more of the weights' energy; the model computes the same.

Of each group of M neighbouring input channels N stay. Which channels are neighbours is free: swapping two of them in
the layers that make them and in all that read them changes no output. Greedy: the swap of two channels of different
groups that raises the energy most, again and again, until none raises it.

Removing column c from its group leaves M - 1 values a row, the N largest of which sum to `rest`, the least of them is
`last`. A column x in its place gives rest + max(0, x - last), so all swaps of C columns are judged at once:

    gain(c, d) = sum over rows of rest_c + max(0, x_d - last_c) + rest_d + max(0, x_c - last_d) - both groups' energy

Source of the idea: Pool and Yu 2021, Channel Permutations for N:M Sparsity (NeurIPS).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import fx

from ....formats import Pattern
from ....model import ChannelGroup, ChannelMap, find_channels
from ....model.reorder import computes_the_same, reorder, why_fixed
from ....progress import Progress
from .choose import input_rows

MAX_ROWS = 2048  # of a group's readers that are judged, evenly spaced
MAX_SWAPS = 4  # times the number of columns
LEAST_GAIN = 1e-7  # share of the energy


@dataclass(frozen=True, kw_only=True)
class Reordered:
    """One group of coupled channels: the energy that its readers keep, before and after, or why it stayed as it was."""

    group: str
    energy_before: float | None = None
    energy_after: float | None = None
    swaps: int = 0
    reason: str | None = None


def permute(
    net: fx.GraphModule, names: Collection[str], pattern: Pattern, *, progress: Progress
) -> tuple[fx.GraphModule, tuple[Reordered, ...]]:
    """A copy of `net` whose channels stand so that the layers of these names keep more; what was done to each group."""
    channels: ChannelMap = find_channels(net)
    found: list[Reordered] = []
    with progress.task("Order channels", total=len(channels.free)) as bar:
        for group in channels.free:
            rows_RC, reason = _rows(net, group, names, pattern)
            if rows_RC is not None:
                before = kept_energy(rows_RC, pattern)
                order, swaps = best_order(rows_RC, pattern)
                moved = reorder(net, {group.name: order}, channels=channels) if swaps else net
                if swaps and not computes_the_same(net, moved):
                    reason = "another order would change what the model computes"
                else:
                    net, after = moved, kept_energy(rows_RC[:, order], pattern)
                    found.append(Reordered(group=group.name, energy_before=before, energy_after=after, swaps=swaps))
            if reason is not None:
                found.append(Reordered(group=group.name, reason=reason))
            bar.advance(detail=group.name)
    return net, tuple(found)


def _rows(
    net: fx.GraphModule, group: ChannelGroup, names: Collection[str], pattern: Pattern
) -> tuple[torch.Tensor | None, str | None]:
    """Squares of the weights that read a group, a column per class, each layer brought to a sum of 1; or why not."""
    reason, parts = why_fixed(net, group), []
    if reason is None and group.num_classes % pattern.group:
        reason = f"its {group.num_classes} channels are no multiple of {pattern.group}"
    for member in group.members if reason is None else ():
        if member.side != "in" or member.path not in names or len(member.positions[0]) > 1:
            continue
        squares = input_rows(layer := net.get_submodule(member.path), layer.weight.detach()).square()  # type: ignore[operator, union-attr]
        start = member.positions[0][0]
        in_row = [places[0] for places in member.positions] == list(range(start, start + group.num_classes))
        if squares.shape[0] > 1 or squares.shape[-1] % pattern.group or start % pattern.group or not in_row:
            continue
        rows_RI = squares.reshape(-1, squares.shape[-1])
        picked = torch.linspace(0, len(rows_RI) - 1, min(MAX_ROWS, len(rows_RI))).round().long()
        rows_RC = rows_RI[picked, start : start + group.num_classes]
        parts.append(rows_RC / rows_RC.sum().clamp(min=torch.finfo(torch.float32).tiny))
    if reason is None and not parts:
        reason = f"no layer reads its channels in rows of {pattern.group}"
    return (torch.cat(parts), None) if reason is None else (None, reason)


def kept_energy(squares_RC: torch.Tensor, pattern: Pattern) -> float:
    """The share of a sum of squares that N:M keeps along the columns."""
    total = float(squares_RC.double().sum())
    kept = squares_RC.unflatten(1, (-1, pattern.group)).topk(pattern.kept, dim=2).values
    return float(kept.double().sum()) / total if total else 1.0


def best_order(squares_RC: torch.Tensor, pattern: Pattern) -> tuple[list[int], int]:
    """The order of columns that greedy swaps end in, and how many swaps it took."""
    columns = squares_RC.shape[1]
    search = _Search(squares_RC.float().clone(), pattern)
    order, swaps = list(range(columns)), 0
    least = LEAST_GAIN * float(squares_RC.sum())
    while swaps < MAX_SWAPS * columns:
        first, second, gain = search.best()
        if gain <= least:
            break
        search.swap(first, second)
        order[first], order[second] = order[second], order[first]
        swaps += 1
    return order, swaps


class _Search:
    """All swaps of two columns, judged, and kept up to date."""

    def __init__(self, squares_RC: torch.Tensor, pattern: Pattern) -> None:
        self.x, self.kind = squares_RC, pattern
        columns = squares_RC.shape[1]
        self.last = torch.zeros_like(squares_RC)
        self.worth = torch.zeros(columns)  # what the group of a column gains or loses without it, and with nothing new
        self.added = torch.zeros(columns, columns)  # [c, d]: what d adds in the place of c
        self.group = torch.arange(columns) // pattern.group
        self._refresh(torch.arange(columns))

    def best(self) -> tuple[int, int, float]:
        """The swap that gains most."""
        one_side = self.worth[:, None] + self.added
        gains = (one_side + one_side.T).masked_fill(self.group[:, None] == self.group, -torch.inf)
        where = int(gains.argmax())
        first, second = divmod(where, len(gains))
        return first, second, float(gains[first, second])

    def swap(self, first: int, second: int) -> None:
        self.x[:, [first, second]] = self.x[:, [second, first]]
        self._refresh(torch.nonzero((self.group == self.group[first]) | (self.group == self.group[second])).reshape(-1))
        for column in (first, second):
            self.added[:, column] = (self.x[:, column, None] - self.last).clamp(min=0).sum(0)

    def _refresh(self, columns: torch.Tensor) -> None:
        """Look again at the groups of these columns, whole groups in order."""
        size, kept = self.kind.group, self.kind.kept
        values_RGM = self.x[:, columns].unflatten(1, (-1, size))
        energy_G = values_RGM.topk(kept, dim=2).values.sum((0, 2))
        for place in range(size):
            others = [other for other in range(size) if other != place]
            best_RGN = values_RGM[:, :, others].topk(kept, dim=2).values
            where = columns[place::size]
            self.last[:, where] = best_RGN[:, :, -1]
            self.worth[where] = best_RGN.sum((0, 2)) - energy_G
        for column in columns.tolist():
            self.added[column] = (self.x - self.last[:, column, None]).clamp(min=0).sum(0)
