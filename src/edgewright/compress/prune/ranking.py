"""Which classes compete with which: widths from scores alone, without measuring what each group minds.

    local       every group keeps the same share of its classes
    isomorphic  one threshold for all groups of the same topology, the same share of classes in each such family
    global      one threshold for all classes of the model, on their score per unit of cost

They are one procedure: groups are divided into families, the classes of a family are ranked together, and classes
come back, family by family in step, until the limit on the cost is reached. ("planned" is the fourth ranking, in
`plan`: it measures the groups.)

Sources: isomorphic: Fang et al. 2024, Isomorphic Pruning for Vision Models, arXiv:2407.04616; global with a price:
Molchanov et al. 2017, arXiv:1611.06440, section 2.2 (FLOPs regularization).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from torch import fx, nn

from ...errors import BudgetError
from ...model import ChannelGroup
from .allocate import Cost

NEAR = 0.02  # a cost this near below its limit needs no swaps
MAX_SWAPS = 20
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d)


@dataclass(frozen=True, kw_only=True, eq=False)
class Contest:
    """Groups with classes to rank, in the order in which `cost` takes them.

    `options[g]` are the numbers of classes that group g may keep, rising; `scores[g]` the scores of its classes,
    falling; `topology[g]` is equal for groups of the same structure.
    """

    options: Sequence[np.ndarray]
    scores: Sequence[np.ndarray]
    topology: Sequence[Hashable]
    cost: Cost


@dataclass(frozen=True, kw_only=True)
class _Step:
    """One group becomes wider by one option."""

    group: int
    option: int  # index of the wider one
    classes: int  # that come back
    worth: float  # mean score of those classes, per unit of cost where the ranking asks for it


def local_widths(contest: Contest, limit: float) -> tuple[int, ...]:
    """Widths with the same share in every group: see `RANKINGS`."""
    return _widths(contest, limit, family=list(range(len(contest.options))), priced=False)


def global_widths(contest: Contest, limit: float) -> tuple[int, ...]:
    """Widths by one threshold on score per cost: see `RANKINGS`."""
    return _widths(contest, limit, family=[0] * len(contest.options), priced=True)


def isomorphic_widths(contest: Contest, limit: float) -> tuple[int, ...]:
    """Widths by one threshold per topology: see `RANKINGS`."""
    return _widths(contest, limit, family=list(contest.topology), priced=False)


RANKINGS: Mapping[str, Callable[[Contest, float], tuple[int, ...]]] = {
    "local": local_widths,
    "global": global_widths,
    "isomorphic": isomorphic_widths,
}
"""Name -> (contest, limit) to the number of classes that each group keeps, at a cost of at most `limit`.

No group could be wider by one option without breaking the limit. Raises `BudgetError` when the smallest options of
all groups cost more than the limit.
"""


def _widths(contest: Contest, limit: float, *, family: Sequence[Hashable], priced: bool) -> tuple[int, ...]:
    """Steps from the smallest options on, in the order of rank; some are swapped where rounding wastes much."""
    smallest = [0] * len(contest.options)
    if _cost(contest, smallest) > limit:
        raise BudgetError(f"The least cost of any choice is {_cost(contest, smallest)}, asked was {limit:.6g}.")
    steps = _ranked(contest, family, priced=priced)
    chosen = _filled(contest, smallest, steps, limit)
    for _ in range(MAX_SWAPS):
        if _cost(contest, chosen) >= (1 - NEAR) * limit:
            break
        swapped = _swapped(contest, chosen, limit)
        if swapped is None:
            break
        chosen = _filled(contest, swapped, steps, limit)
    return tuple(_counts(contest, chosen))


def _counts(contest: Contest, chosen: Sequence[int]) -> list[int]:
    return [int(options[index]) for options, index in zip(contest.options, chosen, strict=True)]


def _cost(contest: Contest, chosen: Sequence[int]) -> float:
    return contest.cost.at(_counts(contest, chosen))


def _filled(contest: Contest, chosen: Sequence[int], steps: Sequence[_Step], limit: float) -> list[int]:
    """Steps from `chosen` (indices of options) on, in the order of rank; a group whose next does not fit is done."""
    current, stuck = list(chosen), set()
    for step in steps:
        if step.group in stuck or step.option != current[step.group] + 1:
            continue
        wider = current.copy()
        wider[step.group] = step.option
        if _cost(contest, wider) <= limit:
            current = wider
        else:
            stuck.add(step.group)
    return current


def _swapped(contest: Contest, chosen: Sequence[int], limit: float) -> list[int] | None:
    """One group wider by a step and another narrower, as near to the limit as that comes; None if no nearer."""
    best, best_cost = None, _cost(contest, chosen)
    for up, index in enumerate(chosen):
        if index + 1 == len(contest.options[up]):
            continue
        for down, other in enumerate(chosen):
            if down == up or other == 0:
                continue
            trial = list(chosen)
            trial[up], trial[down] = index + 1, other - 1
            cost = _cost(contest, trial)
            if best_cost < cost <= limit:
                best, best_cost = trial, cost
    return best


def _ranked(contest: Contest, family: Sequence[Hashable], *, priced: bool) -> list[_Step]:
    """All steps: within a family by worth, between families so that all have got back the same share of classes."""
    steps: dict[Hashable, list[_Step]] = {}
    for group in range(len(contest.options)):
        steps.setdefault(family[group], []).extend(_steps(contest, group, priced=priced))
    order: list[tuple[Fraction, int, _Step]] = []
    for name, each in steps.items():
        members = [group for group, own in enumerate(family) if own == name]
        total = sum(int(contest.options[group][-1]) for group in members)
        back = sum(int(contest.options[group][0]) for group in members)
        for step in sorted(each, key=lambda step: (-step.worth, step.option, step.group)):
            order.append((Fraction(2 * back + step.classes, 2 * total), step.group, step))  # share at half of the step
            back += step.classes
    return [step for _, _, step in sorted(order, key=lambda each: each[:2])]


def _steps(contest: Contest, group: int, *, priced: bool) -> list[_Step]:
    options, scores = contest.options[group], contest.scores[group]
    price = _price(contest, group) if priced else 1.0
    bounds = list(zip(options[:-1].tolist(), options[1:].tolist(), strict=True))
    means = np.array([scores[low:high].mean() for low, high in bounds])
    worths = np.minimum.accumulate(means).tolist()  # means of equal scores may rise by a rounding error
    return [
        _Step(group=group, option=index + 1, classes=high - low, worth=worth / price)
        for index, ((low, high), worth) in enumerate(zip(bounds, worths, strict=True))
    ]


def _price(contest: Contest, group: int) -> float:
    """What one class of the group costs in the whole model, on average over its options; at least a trace."""
    full = [int(each[-1]) for each in contest.options]
    ends = contest.options[group][[0, -1]]
    low, high = contest.cost.vary(full, group, ends)
    return max(float(high - low) / max(int(ends[1] - ends[0]), 1), 1e-12)


def topology(net: fx.GraphModule, group: ChannelGroup) -> Hashable:
    """What a group's structure is, whatever its sizes: types and kernels of its layers in graph order, by side."""
    return tuple((member.side, *_kind(net, member.path, member.side)) for member in group.members)


def _kind(net: fx.GraphModule, path: str, side: str) -> tuple[Hashable, ...]:
    if side == "loose":
        return ("parameter",)
    layer = net.get_submodule(path)
    if not isinstance(layer, CONVOLUTIONS):
        return (type(layer).__name__,)
    return type(layer).__name__, tuple(layer.kernel_size), layer.groups == layer.in_channels > 1, layer.groups > 1
