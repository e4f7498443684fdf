"""Every trade between loss and one cost that is a sum, by dynamic programming over layers.

Partial choices are (cost, loss) pairs. Adding a layer gives every pair with every width; a pair that another one
betters in both can never become part of a best choice, and is dropped. Layers that read the same point meet once for
each number of bits of it. Exact: nothing is rounded, nothing else is dropped.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from ....errors import UnsupportedError
from ..precision import Precision
from .programme import Column, Programme

MOST_POINTS = 200_000


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Partial choices, none bettered by another, cost rising. Axes: N choices, V variables (the columns chosen)."""

    cost_N: np.ndarray
    loss_N: np.ndarray
    picks_NV: np.ndarray

    def plus(self, other: Pairs) -> Pairs:
        """Every choice of the one with every choice of the other."""
        first, second = (each.reshape(-1) for each in np.indices((len(self.cost_N), len(other.cost_N))))
        return best_of(
            self.cost_N[first] + other.cost_N[second],
            self.loss_N[first] + other.loss_N[second],
            lambda kept: np.hstack([self.picks_NV[first[kept]], other.picks_NV[second[kept]]]),
        )


def best_of(cost_N: np.ndarray, loss_N: np.ndarray, picks) -> Pairs:  # type: ignore[no-untyped-def]
    """Only the pairs that no other one betters; of equals the first. `picks(kept)` gives the choices of those kept."""
    order = np.lexsort((loss_N, cost_N))
    losses = loss_N[order]
    before = np.concatenate([[np.inf], np.minimum.accumulate(losses)[:-1]])
    kept = order[losses < before]
    if len(kept) > MOST_POINTS:
        raise UnsupportedError(
            f"The front has more than {MOST_POINTS:,} points: give fewer numbers of bits, or ask for single limits."
        )
    return Pairs(cost_N=cost_N[kept], loss_N=loss_N[kept], picks_NV=picks(kept))


def front_of_sums(programme: Programme, cost: str) -> list[Precision]:
    """The choices on the front, cost falling.

    Raises:
        UnsupportedError: it has more than `MOST_POINTS` points.
    """
    (row,) = programme.rows(cost)
    at: dict[tuple[str, int], dict[str | None, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index, column in enumerate(programme.columns):
        at[column.point, column.read_bits][column.layer].append(index)
    whole: Pairs | None = None
    for point, choices in programme.points.items():
        block = _union([_block(at[point, bits], programme.columns, row.values) for bits in choices])
        whole = block if whole is None else whole.plus(block)
    assert whole is not None
    return [_precision(programme, picks) for picks in whole.picks_NV[::-1]]


def _block(groups: dict[str | None, list[int]], columns: list[Column], values: np.ndarray) -> Pairs:
    """A point at one number of bits with all layers that read it."""
    found: Pairs | None = None
    for indices in groups.values():
        places = np.array(indices)
        losses = np.array([columns[index].loss for index in indices])
        own = best_of(values[places], losses, lambda kept, all_=places: all_[kept][:, None])
        found = own if found is None else found.plus(own)
    assert found is not None
    return found


def _union(blocks: list[Pairs]) -> Pairs:
    costs, losses, picks = (
        np.concatenate([getattr(each, name) for each in blocks]) for name in ("cost_N", "loss_N", "picks_NV")
    )
    return best_of(costs, losses, lambda kept: picks[kept])


def _precision(programme: Programme, picks: np.ndarray) -> Precision:
    chosen = np.zeros(len(programme.columns))
    chosen[picks] = 1
    return programme.precision(chosen)
