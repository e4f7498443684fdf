"""`plan`: offsets of all buffers in one arena, the smallest that there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ....errors import ConfigError
from .checking import backwards_of, check
from .exact import Counter, OutOfNodes, fit
from .first_fit import first_fits
from .liveness import liveness_bound
from .problem import Problem, problem_of, refuse_bad
from .records import Bound, Buffer, Overlap, Plan
from .sharing import rounded

ALIGNMENTS = (1, 2, 4, 8, 16, 32)  # bytes; 4 suits 32-bit words, 16 the vectors of Helium, 32 the cache lines of an M7
MAX_NODES = 20_000  # the nets of the zoo need under 100


def plan(
    buffers: Sequence[Buffer], overlaps: Sequence[Overlap] = (), *, alignment: int = 4, max_nodes: int = MAX_NODES
) -> Plan:
    """The plan with the smallest arena: proven within `max_nodes`, else the best one found.

    The liveness bound is tried first, so it is reached whenever it can be. Where it cannot, halving the span between
    the largest size refuted and the smallest plan found ends at the optimum.

    The order of operations is given here. A caller that is free to change it takes the order with the smallest peak
    first (`analyze.best_order`, exact), numbers the operations by it, makes the buffers' lifetimes of these numbers
    and plans then: the bound of that plan is the peak that the order was chosen for.

    Args:
        buffers: what lies in the arena, scratch included.
        overlaps: of outputs with inputs that die under them.
        alignment: bytes that every offset is a multiple of.
        max_nodes: partial plans that the exact search may look at; 0 leaves the greedy rules alone.

    Raises:
        ConfigError: an unknown alignment, names that occur twice, or an impossible overlap.
    """
    if alignment not in ALIGNMENTS:
        raise ConfigError(f"Buffers are aligned to {', '.join(map(str, ALIGNMENTS))} bytes, got {alignment}.")
    refuse_bad(buffers, overlaps)
    even, distances = rounded(buffers, overlaps, alignment)
    bound = liveness_bound(even, distances)
    problem = problem_of(even, distances)
    greedy = min(first_fits(problem, even), key=problem.arena)
    search = _Search(problem, bound, alignment, Counter(limit=max_nodes))
    offsets, is_optimal = search.best(greedy)
    places = {each.name: offset for each, offset in zip(buffers, offsets, strict=True)}
    made = Plan(
        buffers=tuple(buffers), overlaps=tuple(overlaps), alignment=alignment, offsets=places,
        arena_bytes=problem.arena(offsets), bound=bound, is_optimal=is_optimal, backwards=frozenset(),
        num_nodes=search.counter.used,
    )  # fmt: skip
    made = replace(made, backwards=backwards_of(made))
    check(made)
    return made


class _Search:
    """Halving between what is refuted and what is found."""

    def __init__(self, problem: Problem, bound: Bound, step: int, counter: Counter) -> None:
        self.problem, self.bound, self.step, self.counter = problem, bound.num_bytes, step, counter

    def best(self, offsets: list[int]) -> tuple[list[int], bool]:
        """The best offsets, and whether all smaller arenas are refuted."""
        low, top, refuted = self.bound, self.problem.arena(offsets), self.bound - self.step
        max_nodes, trial = self.counter.limit, low
        while low < top:
            self.counter.limit = self.counter.used + (max_nodes - self.counter.used + 1) // 2
            try:
                found = fit(self.problem, trial, self.counter)
                refuted = refuted if found else trial
            except OutOfNodes:
                found = None  # not refuted, yet not worth the nodes that are left: look higher up
            if found is None:
                low = trial + self.step
            else:
                offsets, top = found, self.problem.arena(found)
            trial = low + (top - low) // (2 * self.step) * self.step
        return offsets, refuted + self.step >= top
