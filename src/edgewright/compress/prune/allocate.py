"""How many classes each group keeps: the least loss within a limit on the cost.

    minimize sum_g loss_g(k_g)  subject to  cost(k) <= limit,  k_g in options_g

The loss is a sum over groups, the cost is not (widths multiply), so: a price on the cost is swept up and down, for each
price the groups choose in turn until none changes its mind, and the cheapest of what fits is improved by raising one
group, or raising one and lowering another, until neither helps. Deterministic, with a bounded amount of work; on small
problems within a few percent of the best there is (the tests compare with trying everything).

Where that leaves more of the limit unused than is wanted, the least loss is sought among the choices near it (`near`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Protocol

import numpy as np

from ...errors import BudgetError

NUM_PRICES = 48  # per direction; a factor of about 1.5 between neighbours over eight decades
MAX_SWEEPS = 12
NUM_STARTS = 4  # of what the prices gave, the best that fit are improved
MAX_SWAP_LOOKS = 3_000  # evaluations of one group's options while one start looks for swaps
MAX_CHOICES = 20_000  # up to so many, every choice is tried when a cost near the limit is wanted
MAX_APPROACHES = 8  # swaps towards the limit beyond that


class Cost(Protocol):
    """A cost that grows with every group's width, or nearly so."""

    def at(self, kept: Sequence[int]) -> float: ...
    def vary(self, kept: Sequence[int], group: int, counts: np.ndarray) -> np.ndarray: ...


Choice = tuple[int, ...]  # index into each group's options


class Allocator:
    """Chooses widths for any limit on the cost.

    Args:
        options: per group the numbers of classes that it may keep, rising.
        losses: per group the expected loss of each option, never rising with the number.
        cost: of a choice of numbers; what happens to losses and cost afterwards is not seen.
    """

    def __init__(self, options: Sequence[np.ndarray], losses: Sequence[np.ndarray], cost: Cost) -> None:
        self._problem = _Problem(options, losses, cost)

    @cached_property
    def _path(self) -> list[Choice]:
        return _priced(self._problem)

    def within(self, limit: float, *, near: float | None = None) -> tuple[int, ...]:
        """Classes to keep in each group, at the least loss that was found with a cost of at most `limit`.

        Args:
            near: the cost is also at least `(1 - near) * limit`, if a choice was found that is; None: however little.

        Raises:
            BudgetError: even the smallest option of every group costs more.
        """
        problem = self._problem
        smallest = tuple(0 for _ in problem.options)
        if problem.cost(smallest) > limit:
            raise BudgetError(f"The least cost of any choice is {problem.cost(smallest):.10g}, asked was {limit:.6g}.")
        fitting = [choice for choice in {smallest, *self._path} if problem.cost(choice) <= limit]
        starts = sorted(fitting, key=problem.rank)[:NUM_STARTS]
        best = min((_improve(problem, choice, limit) for choice in starts), key=problem.rank)
        if near is not None and problem.cost(best) < (1 - near) * limit:
            best = _between(problem, best, (1 - near) * limit, limit) or best
        return tuple(problem.counts(best))


class _Problem:
    def __init__(self, options: Sequence[np.ndarray], losses: Sequence[np.ndarray], cost: Cost) -> None:
        self.options, self.losses, self._cost = options, losses, cost

    def counts(self, choice: Choice) -> list[int]:
        return [int(self.options[g][index]) for g, index in enumerate(choice)]

    def loss(self, choice: Choice) -> float:
        return float(sum(self.losses[g][index] for g, index in enumerate(choice)))

    def cost(self, choice: Choice) -> float:
        return self._cost.at(self.counts(choice))

    def rank(self, choice: Choice) -> tuple[float, float, Choice]:
        """Smaller is better: less loss, then the higher cost, which loses less than the model knows."""
        return self.loss(choice), -self.cost(choice), choice

    def vary(self, choice: Choice, group: int) -> np.ndarray:
        return self._cost.vary(self.counts(choice), group, self.options[group])

    @property
    def largest(self) -> Choice:
        return tuple(len(each) - 1 for each in self.options)


def _priced(problem: _Problem) -> list[Choice]:
    """What the groups choose at each price of the cost, going up from the widest and down from the narrowest model."""
    spread = sum(float(each[0] - each[-1]) for each in problem.losses)
    unit = (spread or 1.0) / problem.cost(problem.largest)
    prices = unit * np.geomspace(1e-4, 1e4, NUM_PRICES)
    found, up, down = [], problem.largest, tuple(0 for _ in problem.options)
    for price in prices:
        up = _settle(problem, up, price)
        found.append(up)
    for price in prices[::-1]:
        down = _settle(problem, down, price)
        found.append(down)
    return found


def _settle(problem: _Problem, choice: Choice, price: float) -> Choice:
    """Let each group in turn choose its cheapest option, until none changes."""
    for _ in range(MAX_SWEEPS):
        before = choice
        for group in range(len(choice)):
            total = problem.losses[group] + price * problem.vary(choice, group)
            choice = _with(choice, group, int(np.argmin(total)))
        if choice == before:
            break
    return choice


def _with(choice: Choice, group: int, index: int) -> Choice:
    return (*choice[:group], index, *choice[group + 1 :])


def _improve(problem: _Problem, choice: Choice, limit: float) -> Choice:
    """Raise groups while they fit, swap where that lowers the loss, and fill what is left."""
    looks = 0
    choice = _fill(problem, choice, limit)
    while looks < MAX_SWAP_LOOKS:
        better, used = _best_swap(problem, choice, limit)
        looks += used
        if better is None:
            break
        choice = _fill(problem, better, limit)
    return choice


def _fill(problem: _Problem, choice: Choice, limit: float) -> Choice:
    """Raise one group after the other, the one that lowers the loss most first, until none fits any more."""
    while True:
        raises = []
        for group, index in enumerate(choice):
            costs = problem.vary(choice, group)
            for higher in range(index + 1, len(costs)):
                if costs[higher] <= limit:
                    gain = float(problem.losses[group][index] - problem.losses[group][higher])
                    raises.append((gain, float(costs[higher]), -group, higher))
        if not raises:
            return choice
        _, _, group, higher = max(raises)
        choice = _with(choice, -group, higher)


def _best_swap(problem: _Problem, choice: Choice, limit: float) -> tuple[Choice | None, int]:
    """The pair of one group raised and one lowered that fits and lowers the loss most; None if there is none."""
    best, best_loss, looks = None, problem.loss(choice) * (1 - 1e-9) - 1e-15, 0
    for up, index in enumerate(choice):
        for higher in range(index + 1, len(problem.options[up])):
            gain = float(problem.losses[up][index] - problem.losses[up][higher])
            raised = _with(choice, up, higher)
            base = problem.loss(raised)
            if gain <= 0:
                continue
            for down, at in enumerate(choice):
                if down == up or at == 0:
                    continue
                looks += 1
                totals = base - problem.losses[down][at] + problem.losses[down][:at]
                totals = np.where(problem.vary(raised, down)[:at] <= limit, totals, np.inf)
                if totals.min() < best_loss:
                    best, best_loss = _with(raised, down, int(np.argmin(totals))), float(totals.min())
    return best, looks


def _between(problem: _Problem, choice: Choice, low: float, limit: float) -> Choice | None:
    """The choice of least loss that was found with a cost from `low` to `limit`; None if there is none.

    With few choices all are tried, so None is certain; with many, `choice` is led towards the limit by swaps.
    """
    if math.prod(len(each) for each in problem.options) <= MAX_CHOICES:
        found = (each for each, cost in _all_choices(problem) if low <= cost <= limit)
        return min(found, key=problem.rank, default=None)
    for _ in range(MAX_APPROACHES):
        swaps = [(each, cost) for each, cost in _swaps(problem, choice) if problem.cost(choice) < cost <= limit]
        if inside := [each for each, cost in swaps if cost >= low]:
            return min(inside, key=problem.rank)
        if not swaps:
            return None
        choice = max(swaps, key=lambda swap: swap[1])[0]
    return None


def _all_choices(problem: _Problem) -> Iterator[tuple[Choice, float]]:
    """Every choice with its cost."""
    *others, last = (range(len(each)) for each in problem.options)
    for start in itertools.product(*others):
        costs = problem.vary((*start, 0), len(start))
        yield from (((*start, index), float(costs[index])) for index in last)


def _swaps(problem: _Problem, choice: Choice) -> Iterator[tuple[Choice, float]]:
    """Every choice with one group wider and another narrower, with its cost."""
    for up, index in enumerate(choice):
        for higher in range(index + 1, len(problem.options[up])):
            raised = _with(choice, up, higher)
            for down in (each for each, at in enumerate(choice) if each != up and at > 0):
                costs = problem.vary(raised, down)
                for lower in range(choice[down]):
                    yield _with(raised, down, lower), float(costs[lower])
