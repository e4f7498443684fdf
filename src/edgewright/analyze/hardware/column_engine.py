"""Cycles and bytes of a network on an accelerator for sparse weights and sparse activations.

A layer is a matrix product. For every non-zero activation of a column, each element multiplies it with its entries of
that column, one per cycle, padding included; a zero activation costs nothing. Elements with fewer entries wait for the
others, as far as their queues are full:

    lockstep    sum over columns of the most entries that one element has      a queue of one activation
    unlimited   the most entries that one element has in all columns together  queues without end
    cycles      in between: an activation is handed out when every element has finished the one `queue_depth` before it

Handing out costs no time, and a window waits for the one before it. A convolution is run window by window on the
columns of `products`; the zeros of its padding are skipped like any other. (EIE itself runs linear layers; this mapping
is ours.) A dense engine of as many elements takes ceil(rows / N) x columns per window.

Source: Han 2016, ISCA (EIE).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ...errors import ShapeError
from .columns import CompressedColumns

SUMS = ("cycles", "unlimited_cycles", "lockstep_cycles", "dense_cycles", "entries")


@dataclass(frozen=True, kw_only=True)
class Cycles:
    """What some activation vectors take on one matrix or on the groups of a layer; the sum over all vectors."""

    cycles: float
    unlimited_cycles: float
    lockstep_cycles: float
    dense_cycles: float
    entries: float  # that were multiplied, padding included
    num_elements: int

    @property
    def load_balance(self) -> float | None:
        """Share of the elements' time in which they multiply."""
        return self.entries / (self.num_elements * self.cycles) if self.cycles else None

    @property
    def speed_up(self) -> float | None:
        return self.dense_cycles / self.cycles if self.cycles else None

    def times(self, factor: float) -> Cycles:
        """The same for `factor` times as many vectors."""
        scaled = {name: factor * getattr(self, name) for name in SUMS}
        return Cycles(**scaled, num_elements=self.num_elements)


def total_cycles(runs: Iterable[Cycles]) -> Cycles | None:
    """One after another on the same engine; None where there is none."""
    given = list(runs)
    sums = {name: sum(getattr(run, name) for run in given) for name in SUMS}
    return Cycles(**sums, num_elements=given[0].num_elements) if given else None


def run_columns(matrix: CompressedColumns, active_CP: np.ndarray) -> Cycles:
    """Cycles of a compressed matrix for P activation vectors.

    Args:
        matrix: compressed for the engine that runs it.
        active_CP: where the C activations of each vector are not zero, boolean; 1 axis is one vector.

    Raises:
        ShapeError: there is not one activation per column.
    """
    active = active_CP.reshape(len(active_CP), -1).astype(bool)
    num_rows, num_columns = matrix.shape
    if active_CP.ndim > 2 or len(active) != num_columns:
        raise ShapeError(f"{num_columns} columns take activations of shape ({num_columns}, P), got {active_CP.shape}.")
    work, count = matrix.entries_NC, matrix.engine.num_elements
    shown = active.astype(np.float64)
    sums_NP = work @ shown
    unlimited, lockstep = float(sums_NP.max(0).sum()), float((work.max(0) @ shown).sum())
    return Cycles(
        cycles=_cycles(matrix, active, unlimited, lockstep),
        unlimited_cycles=unlimited,
        lockstep_cycles=lockstep,
        dense_cycles=float(math.ceil(num_rows / count) * num_columns * active.shape[1]),
        entries=float(sums_NP.sum()),
        num_elements=count,
    )


def _cycles(matrix: CompressedColumns, active_CP: np.ndarray, unlimited: float, lockstep: float) -> float:
    depth = matrix.engine.queue_depth
    if depth is None or depth >= matrix.shape[1] or unlimited == lockstep:
        return unlimited
    return lockstep if depth == 1 else _queued(matrix.entries_NC, active_CP, depth)


def _queued(work_NC: np.ndarray, active_CP: np.ndarray, depth: int) -> float:
    """Cycles with queues of `depth`, all vectors side by side: `gate` holds when their last `depth` were finished."""
    num_elements, num_vectors = work_NC.shape[0], active_CP.shape[1]
    finished_PN = np.zeros((num_vectors, num_elements), np.int32)
    gate_PD = np.zeros((num_vectors, depth), np.int32)
    seen_P = np.zeros(num_vectors, np.int64)
    for column, work_N in enumerate(work_NC.T.astype(np.int32)):
        now = np.flatnonzero(active_CP[column])
        slot = seen_P[now] % depth
        done = np.maximum(finished_PN[now], gate_PD[now, slot][:, None]) + work_N
        finished_PN[now] = done
        gate_PD[now, slot] = done.max(1)
        seen_P[now] += 1
    return float(finished_PN.max(1).sum())
