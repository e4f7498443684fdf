"""Greedy plans: buffers in a simple order, each at the lowest offset that is free."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from .problem import BACKWARDS, EITHER, FORWARDS, Problem
from .records import Buffer


def first_fits(problem: Problem, buffers: Sequence[Buffer]) -> Iterator[list[int]]:
    """Offsets by each of the rules in `ORDERS`."""
    for order in ORDERS.values():
        keys = [order(buffer, number, problem) for number, buffer in enumerate(buffers)]
        yield first_fit(problem, sorted(range(len(buffers)), key=keys.__getitem__))


def first_fit(problem: Problem, numbers: Sequence[int]) -> list[int]:
    """Every buffer, in this order, as low as those that are placed before it permit.

    An order in which this gives the smallest arena always exists (that of the offsets of a best plan), so the choice of
    the order is the whole problem where nothing overlaps.
    """
    offsets: dict[int, int] = {}
    ways = [{FORWARDS, BACKWARDS} for _ in range(problem.num_groups)]
    for buffer in numbers:
        for offset in _candidates(problem, buffer, offsets):
            left = _ways_left(problem, buffer, offset, offsets, ways)
            if left is not None:
                offsets[buffer] = offset
                for group, possible in left.items():
                    ways[group] = possible
                break
    return [offsets[each] for each in range(len(numbers))]


def _candidates(problem: Problem, buffer: int, offsets: dict[int, int]) -> list[int]:
    """0, and where the buffer touches a placed one from above or below."""
    found = {0}
    for index in problem.pairs_of[buffer]:
        pair = problem.pairs[index]
        other = pair.second if pair.first == buffer else pair.first
        if other in offsets:
            for apart in pair.apart:
                above, below = apart if pair.first == other else apart[::-1]
                found |= {offsets[other] + above, offsets[other] - below}
    return sorted(each for each in found if each >= 0)


def _ways_left(
    problem: Problem, buffer: int, offset: int, offsets: dict[int, int], ways: list[set[int]]
) -> dict[int, set[int]] | None:
    """The orders of rows that stay possible for the groups of `buffer`; None where it cannot lie there."""
    left: dict[int, set[int]] = {}
    for index in problem.pairs_of[buffer]:
        pair = problem.pairs[index]
        other = pair.second if pair.first == buffer else pair.first
        if other not in offsets:
            continue
        ends = (offset, offsets[other]) if pair.first == buffer else (offsets[other], offset)
        if pair.group is None:
            if not pair.holds(*ends, EITHER):
                return None
            continue
        possible = {way for way in left.get(pair.group, ways[pair.group]) if pair.holds(*ends, way)}
        if not possible:
            return None
        left[pair.group] = possible
    return left


Order = Callable[[Buffer, int, Problem], tuple[int, ...]]

ORDERS: dict[str, Order] = {
    "size": lambda buffer, _, problem: (-buffer.num_bytes, buffer.first),
    "lifetime": lambda buffer, _, problem: (-(buffer.last - buffer.first), -buffer.num_bytes),
    "area": lambda buffer, _, problem: (-(buffer.last - buffer.first + 1) * buffer.num_bytes, buffer.first),
    "conflicts": lambda buffer, each, problem: (-len(problem.pairs_of[each]), -buffer.num_bytes),
    "first use": lambda buffer, _, problem: (buffer.first, -buffer.num_bytes),
    "last use": lambda buffer, _, problem: (-buffer.last, -buffer.num_bytes),
}
"""Rule -> what it sorts by. By size: Pisarchyk and Lee 2020 (arXiv:2001.03288)."""
