"""The search behind `ordering` here and in `analyze`: the order of steps whose largest sum of live bytes is smallest.

What is alive depends on the *set* of steps that are done and not on their order, so the orders form a graph of sets.
A best-first walk through it, the set reached with the smallest peak next, meets the best order first; Ahn et al. 2020
(arXiv:2003.02369) and Liberis and Lane 2019 (arXiv:1910.05110) fill the same graph as a table.

Two facts keep it small. No order needs less than its hungriest step, so that is where the walk starts. And a chain of
steps that stays below the peak reached so far and ends with no more alive than before is done at once: the live bytes
are a submodular function of the set, so having done it earlier never makes a later step need more.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple


@dataclass(frozen=True, kw_only=True)
class Over:
    """A buffer that a step may write its output over, once no other step needs it, with `beside` bytes of help."""

    buffer: int
    beside: int


@dataclass(frozen=True, kw_only=True)
class Step:
    """One operator: the steps before it as a set of bits, what it brings to life, what it touches."""

    needs: int
    born: tuple[int, ...]
    touched: tuple[int, ...]
    over: tuple[Over, ...] = ()  # in order of preference; the first that is free is taken


@dataclass(frozen=True, kw_only=True)
class Problem:
    """All steps, and the buffers by number: `users` are the steps that touch one, `kept` are those never freed."""

    steps: tuple[Step, ...]
    sizes: dict[int, int]
    users: dict[int, int]
    inputs: tuple[int, ...]
    kept: frozenset[int]

    @property
    def everything(self) -> int:
        return (1 << len(self.steps)) - 1

    @property
    def is_uniform(self) -> bool:
        """Whether what is written over has the size of what is written: what is alive then never depends on how."""
        pairs = ((self.sizes[over.buffer], self.sizes[each.born[0]]) for each in self.steps for over in each.over)
        return all(first == second for first, second in pairs)

    def least(self) -> int:
        """What the hungriest step needs in any order."""
        needs = [sum(self.sizes[buffer] for buffer in self.inputs)]
        for step in self.steps:
            spared = self.sizes[step.born[0]] if step.over else 0
            needs.append(sum(self.sizes[buffer] for buffer in {*step.born, *step.touched}) - spared)
        return max(needs)


class Found(NamedTuple):
    """An order (None: none better than asked for), its peak, a bound that no order beats, and the sets looked at."""

    order: tuple[int, ...] | None
    peak: int
    lower_bound: int
    num_states: int


class _State(NamedTuple):
    done: int
    ready: int
    live: int  # bytes
    held: tuple[tuple[int, int], ...]  # buffers that lie in a larger one: buffer, bytes

    @property
    def key(self) -> tuple[int, tuple[tuple[int, int], ...]]:
        return self.done, self.held


Path = tuple[Any, tuple[int, ...]] | None  # (path before, steps), from the last to the first
Reached = tuple[int, _State, Path]


def search(problem: Problem, *, below: int, max_states: int, beam_width: int) -> Found:
    """The best order with a peak under `below`: proven within `max_states` sets, else the best of a beam.

    Args:
        problem: the steps.
        below: a peak that is known to be possible.
        max_states: how many sets of done steps the exact walk may look at.
        beam_width: how many sets of each size the beam keeps when the walk has given up.
    """
    walk = _Walk(problem)
    exact = walk.best_first(below, max_states)
    if exact is not None:
        return exact
    beam = walk.beam(below, beam_width)
    return beam._replace(lower_bound=walk.lower_bound, num_states=beam.num_states + max_states)


class _Walk:
    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.uniform = problem.is_uniform
        self.lower_bound = problem.least()
        self.after: list[list[int]] = [[] for _ in problem.steps]
        for index, step in enumerate(problem.steps):
            for before in _bits(step.needs):
                self.after[before].append(index)

    def best_first(self, below: int, max_states: int) -> Found | None:
        """The best order and its proof; None when the limit of states was met."""
        ticket, best = count(), dict[Any, int]()
        queue: list[tuple[int, int, int, _State, Path]] = []

        def push(peak: int, state: _State, path: Path) -> None:
            if peak < below and peak < best.get(state.key, below):
                best[state.key] = peak
                heapq.heappush(queue, (peak, -state.done.bit_count(), next(ticket), state, path))

        push(self.lower_bound, self.start(), None)
        looked_at = 0
        while queue:
            peak, _, _, state, path = heapq.heappop(queue)
            if peak > best[state.key]:
                continue
            self.lower_bound = max(self.lower_bound, peak)
            if state.done == self.problem.everything:
                return Found(_steps_of(path), peak, peak, looked_at)
            if looked_at == max_states:
                return None
            looked_at += 1
            self.expand((peak, state, path), push)
        return Found(None, below, below, looked_at)

    def beam(self, below: int, width: int) -> Found:
        """The best order among those whose every part is among the `width` best of its length."""
        levels: list[dict[Any, Reached]] = [{} for _ in range(len(self.problem.steps) + 1)]

        def push(peak: int, state: _State, path: Path) -> None:
            level = levels[state.done.bit_count()]
            if peak < below and (state.key not in level or peak < level[state.key][0]):
                level[state.key] = (peak, state, path)

        push(self.problem.least(), self.start(), None)
        looked_at = 0
        for level in levels[:-1]:
            for reached in heapq.nsmallest(width, level.values(), key=lambda each: (each[0], each[1].live)):
                looked_at += 1
                self.expand(reached, push)
            level.clear()
        ends = list(levels[-1].values())
        if not ends:
            return Found(None, below, self.lower_bound, looked_at)
        peak, _, path = min(ends, key=lambda each: each[0])
        return Found(_steps_of(path), peak, self.lower_bound, looked_at)

    def start(self) -> _State:
        ready = sum(1 << index for index, step in enumerate(self.problem.steps) if not step.needs)
        return _State(0, ready, sum(self.problem.sizes[buffer] for buffer in self.problem.inputs), ())

    def expand(self, reached: Reached, push: Callable[[int, _State, Path], None]) -> None:
        """Push every state that one more step leads to; first do what never hurts, without a choice."""
        peak, state, path = reached
        if self.uniform:
            for _ in self.problem.steps:
                free = self.free_chain(state, peak)
                if free is None:
                    break
                state, done = free
                path = (path, done)
        if state.done == self.problem.everything:
            push(peak, state, path)
        for index in _bits(state.ready):
            during, following = self.step(state, index)
            push(max(peak, during), following, (path, (index,)))

    def free_chain(self, state: _State, peak: int) -> tuple[_State, tuple[int, ...]] | None:
        """A chain of steps that stays within `peak` and leaves no more alive than there was."""
        for first in _bits(state.ready):
            done, current, index = [first], state, first
            while True:
                during, current = self.step(current, index)
                if during > peak:
                    break
                if current.live <= state.live:
                    return current, tuple(done)
                following = [each for each in self.after[index] if current.ready >> each & 1]
                if len(following) != 1:
                    break
                (index,) = following
                done.append(index)
        return None

    def step(self, state: _State, index: int) -> tuple[int, _State]:
        """Bytes alive while a step runs, and what is left after it."""
        problem, step = self.problem, self.problem.steps[index]
        done = state.done | 1 << index
        held = dict(state.held)
        born = sum(problem.sizes[buffer] for buffer in step.born)
        live = state.live + born
        during = live
        for over in step.over:
            if not problem.users[over.buffer] & ~done:
                room, made = held.get(over.buffer, problem.sizes[over.buffer]), step.born[0]
                live += room - problem.sizes[made]
                held[made] = room
                during = state.live + over.beside
                break
        for buffer in step.touched:
            if buffer not in problem.kept and not problem.users[buffer] & ~done:
                live -= held.pop(buffer, problem.sizes[buffer])
        if held:
            held = {buffer: room for buffer, room in held.items() if room != problem.sizes[buffer]}
        ready = state.ready & ~(1 << index)
        for following in self.after[index]:
            if not problem.steps[following].needs & ~done:
                ready |= 1 << following
        return during, _State(done, ready, live, tuple(sorted(held.items())))


def _bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def _steps_of(path: Path) -> tuple[int, ...]:
    parts = []
    while path is not None:
        path, steps = path
        parts.append(steps)
    return tuple(index for steps in reversed(parts) for index in steps)
