"""Exact search: can the buffers lie in an arena of so many bytes, and where?

Two buffers that are live together lie one above the other, so a plan is a choice of who is above for every such pair,
as in a job shop. Given the choices, the lowest offset of a buffer is the longest path that leads to it, and the highest
that the arena permits is had from above. A pair of which one choice no longer fits is decided, a stack that exceeds
what is left between its lowest and highest ends refutes the branch. Only pairs that still collide at their lowest
offsets are branched on, the tightest first, roomier side first (precedence constraint posting, Smith and Cheng 1993).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .problem import BACKWARDS, EITHER, FORWARDS, Problem, Stack

UNDECIDED, ABOVE, BELOW = range(3)  # where `second` of a pair lies


class OutOfNodes(Exception):
    """The search was not finished within its limit."""


@dataclass
class Counter:
    """How many partial plans were looked at, and how many may be."""

    used: int = 0
    limit: int = 0

    def count(self) -> None:
        if self.used >= self.limit:
            raise OutOfNodes
        self.used += 1


@dataclass
class _Partial:
    """A partial plan: the lowest and highest offset of each buffer, the side of each pair, the way of each group."""

    low: list[int]
    high: list[int]
    side: list[int]
    way: list[int]

    def copy(self) -> _Partial:
        return _Partial(self.low[:], self.high[:], self.side[:], self.way[:])


def fit(problem: Problem, arena_bytes: int, counter: Counter) -> list[int] | None:
    """Offsets within `arena_bytes`, or None when that is proven impossible.

    Raises:
        OutOfNodes: neither is known when the counter has met its limit.
    """
    start = _Partial(
        [0] * len(problem.sizes), [arena_bytes - size for size in problem.sizes],
        [UNDECIDED] * len(problem.pairs), [EITHER] * problem.num_groups,
    )  # fmt: skip
    if min(start.high, default=0) < 0 or not _settle(problem, start, range(len(problem.sizes))):
        return None
    open_plans, halve = [start], problem.is_symmetric
    while open_plans:
        counter.count()
        plan = open_plans.pop()
        branches = list(_branches(problem, plan))
        if not branches:
            return plan.low
        settled = [plan for plan, touched in branches if _settle(problem, plan, touched)]
        if halve:  # a plan turned upside down is a plan: one side of the first pair is enough
            settled, halve = settled[:1] if len(settled) == len(branches) else settled, False
        open_plans += reversed(settled)
    return None


def _branches(problem: Problem, plan: _Partial) -> Iterator[tuple[_Partial, tuple[int, ...]]]:
    """The two halves of what is left, more promising first; none where the lowest offsets are a plan already."""
    index = _tightest(problem, plan)
    if index is not None:
        pair = problem.pairs[index]
        room_above, room_below = _rooms(problem, plan, index)
        for side in (ABOVE, BELOW) if room_above >= room_below else (BELOW, ABOVE):
            half = plan.copy()
            half.side[index] = side
            yield half, (pair.first, pair.second)
        return
    group = _torn(problem, plan)
    if group is not None:
        touched = tuple(each for pair in problem.pairs if pair.group == group for each in pair[:2])
        for way in (FORWARDS, BACKWARDS):
            half = plan.copy()
            half.way[group] = way
            yield half, touched


def _rooms(problem: Problem, plan: _Partial, index: int) -> tuple[int, int]:
    """Bytes to spare when `second` lies above `first`, and when it lies below."""
    first, second, _, _ = problem.pairs[index]
    above, below = _apart(problem, plan, index)
    return plan.high[second] - plan.low[first] - above, plan.high[first] - plan.low[second] - below


def _apart(problem: Problem, plan: _Partial, index: int) -> tuple[int, int]:
    pair = problem.pairs[index]
    return pair.apart[EITHER if pair.group is None else plan.way[pair.group]]


def _tightest(problem: Problem, plan: _Partial) -> int | None:
    """The pair with least to spare of those that collide at their lowest offsets."""
    best, least = None, None
    for index, pair in enumerate(problem.pairs):
        if plan.side[index] != UNDECIDED:
            continue
        way = EITHER if pair.group is None else plan.way[pair.group]
        if pair.holds(plan.low[pair.first], plan.low[pair.second], way):
            continue
        room = min(_rooms(problem, plan, index))
        if least is None or room < least:
            best, least = index, room
    return best


def _torn(problem: Problem, plan: _Partial) -> int | None:
    """A group whose pairs hold at the lowest offsets, but no order of rows suits all of them."""
    for group, way in enumerate(plan.way):
        pairs = [pair for pair in problem.pairs if pair.group == group] if way == EITHER else []
        if pairs and not any(
            all(pair.holds(plan.low[pair.first], plan.low[pair.second], each) for pair in pairs)
            for each in (FORWARDS, BACKWARDS)
        ):
            return group
    return None


def _settle(problem: Problem, plan: _Partial, touched: Iterable[int]) -> bool:
    """Follow what the buffers `touched` force, in place; False where nothing is left."""
    waiting = dict.fromkeys(touched)
    stacks: dict[int, None] = {}
    while waiting:
        buffer = next(iter(waiting))
        del waiting[buffer]
        stacks.update(dict.fromkeys(problem.stacks_of[buffer]))
        for index in problem.pairs_of[buffer]:
            moved = _settle_pair(problem, plan, index)
            if moved is None:
                return False
            waiting.update(dict.fromkeys(moved))
    return all(_stack_fits(plan, problem, problem.stacks[index]) for index in stacks)


def _settle_pair(problem: Problem, plan: _Partial, index: int) -> tuple[int, ...] | None:
    """Decide the pair where one side alone has room, push its ends apart; what moved, or None where nothing fits."""
    if plan.side[index] == UNDECIDED:
        above, below = (room >= 0 for room in _rooms(problem, plan, index))
        if above and below:
            return ()
        if not above and not below:
            return None
        plan.side[index] = ABOVE if above else BELOW
    first, second, _, _ = problem.pairs[index]
    over, under = _apart(problem, plan, index)
    bottom, top, apart = (first, second, over) if plan.side[index] == ABOVE else (second, first, under)
    moved = []
    if plan.low[top] < plan.low[bottom] + apart:
        plan.low[top] = plan.low[bottom] + apart
        moved.append(top)
    if plan.high[bottom] > plan.high[top] - apart:
        plan.high[bottom] = plan.high[top] - apart
        moved.append(bottom)
    return tuple(moved) if all(plan.low[each] <= plan.high[each] for each in moved) else None


def _stack_fits(plan: _Partial, problem: Problem, stack: Stack) -> bool:
    """Whether every part of a stack has room between its lowest and its highest end."""
    spans = [(plan.low[each], plan.high[each] + problem.sizes[each], live) for each, live in stack]
    tops = {high for _, high, _ in spans}
    for bottom in {low for low, _, _ in spans}:
        for top in tops:
            if sum(size for low, high, size in spans if low >= bottom and high <= top) > max(0, top - bottom):
                return False
    return True
