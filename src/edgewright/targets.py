"""Which share of the MACs to aim at next: the search of `fit`, as pure logic.

Limits in the device's units put a ceiling on the share; the score decides how far below it one can go. Each round
costs a training, so the search is short: start at half or at the ceiling, then halve towards smaller models while
rounds are accepted, and go back half-way (geometrically) when one is refused. When all were refused, the ceiling itself
is the last resort: the least cut that meets the limits, which without limits is no cut at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from .errors import ConfigError
from .types import Budget, Cost, Overrun

FIRST_TARGET = 0.5  # the usual place where a structured cut still recovers (peers' tables: 0 to 3 points at half)
BOLDER = 0.6  # how much smaller the next target is after an accepted round
CLOSE_ENOUGH = 1.15  # accepted and refused shares this near each other end the search
GRID = (1.0, 0.85, 0.7, 0.6, 0.5, 0.42, 0.35, 0.3, 0.25, 0.2, 0.15, 0.12, 0.1, 0.07, 0.05)


class TargetSearch:
    """Proposes shares of MACs to keep, given which ones were accepted.

    Args:
        ceiling: the largest share that meets the limits, in (0, 1].
        floor: the smallest share that the model can be cut to; it is tried once at most.
        max_rounds: how many shares may be tried, the last resort not counted.
        fixed: try this share only.
    """

    def __init__(
        self, *, ceiling: float = 1.0, floor: float = 0.0, max_rounds: int = 3, fixed: float | None = None
    ) -> None:
        if not 0 < ceiling <= 1:
            raise ConfigError(f"The largest share of MACs is in (0, 1], got {ceiling}.")
        self._ceiling, self._floor = ceiling, min(floor, ceiling)
        self._fixed = fixed
        self._left = 1 if fixed is not None else max_rounds
        self._accepted: float | None = None
        self._refused: float | None = None

    def propose(self) -> float | None:
        """The next share to try, or None when the search is over."""
        if self._fixed is not None:
            return self._fixed if self._left else None
        share = self._next_share() if self._left else None
        if share is None and self._accepted is None and self._refused != self._ceiling:
            return self._ceiling
        return share

    def _next_share(self) -> float | None:
        if self._refused is None:
            if self._accepted is None:
                return max(min(FIRST_TARGET, self._ceiling), self._floor)
            return None if self._accepted <= self._floor else max(self._accepted * BOLDER, self._floor)
        top = self._accepted if self._accepted is not None else self._ceiling
        if top / self._refused < CLOSE_ENOUGH:
            return None
        return math.sqrt(top * self._refused)

    def record(self, share: float, *, accepted: bool) -> None:
        """Say how the round at `share` ended."""
        self._left = max(0, self._left - 1)
        if accepted:
            self._accepted = min(share, self._accepted or 1.0)
        else:
            self._refused = max(share, self._refused or 0.0)


def largest_affordable(cost_at: Callable[[float], Cost | None], budget: Budget, *, floor: float = 0.0) -> float | None:
    """The largest share of MACs on the grid whose cost meets every limit of `budget`; None when none does.

    Args:
        cost_at: share of MACs -> cost of the model cut to it, or None when it cannot be cut that far.
        floor: shares below this are not looked at.
    """
    for share in GRID:
        if share < floor:
            break
        cost = cost_at(share)
        if cost is not None and not budget.overruns(cost):
            return share
    return None


def nearest(points: Sequence[tuple[str, Cost]], budget: Budget) -> tuple[str, tuple[Overrun, ...]]:
    """Of several candidates, the one whose worst limit is broken by the smallest factor."""

    def worst(point: tuple[str, Cost]) -> float:
        return max((overrun.factor for overrun in budget.overruns(point[1])), default=0.0)

    name, cost = min(points, key=worst)
    return name, budget.overruns(cost)
