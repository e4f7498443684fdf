"""Small programmes of variables that are 0 or 1, solved by branch and bound with a gap of 0.

Source: HiGHS, Huangfu and Hall 2018, Mathematical Programming Computation 10 (as SciPy's `milp`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

SPREAD = 1e6  # the largest coefficient of an objective in the solver's units: its absolute tolerance is 1e-6


@dataclass(frozen=True, kw_only=True)
class Row:
    """values . variables + fixed, one number for each variable."""

    values: np.ndarray
    fixed: float


@dataclass(frozen=True, kw_only=True)
class Equations:
    """matrix . variables = right."""

    matrix: np.ndarray
    right: np.ndarray


Limited = Sequence[tuple[Row, float]]  # rows that must not be above a number


def least_sum(objective: np.ndarray, equations: Equations, limited: Limited) -> np.ndarray | None:
    """The variables for which objective . variables is least, None where nothing fits."""
    largest = objective.max()
    return _solved(objective * (SPREAD / largest) if largest > 0 else objective, equations, limited)


def least_peak(rows: Sequence[Row], equations: Equations, limited: Limited) -> np.ndarray | None:
    """The variables for which the largest of `rows` is least: one more variable lies above all of them."""
    unit = max([float(row.values.max()) for row in rows] + [abs(row.fixed) for row in rows]) or 1.0
    count = equations.matrix.shape[1]
    peak = Equations(matrix=_widened(equations.matrix, 0.0), right=equations.right)
    above = [(Row(values=np.append(row.values / unit, -1.0), fixed=row.fixed / unit), 0.0) for row in rows]
    within = [(Row(values=np.append(row.values, 0.0), fixed=row.fixed), limit) for row, limit in limited]
    found = _solved(np.append(np.zeros(count), SPREAD), peak, [*above, *within], num_real=1)
    return None if found is None else found[:count]


def _widened(matrix: np.ndarray, last: float) -> np.ndarray:
    return np.hstack([matrix, np.full((len(matrix), 1), last)])


def _solved(objective: np.ndarray, equations: Equations, limited: Limited, *, num_real: int = 0) -> np.ndarray | None:
    """The best variables, rounded; the last `num_real` of them may be any number that is not negative."""
    from scipy.optimize import Bounds, LinearConstraint, milp  # type: ignore[import-untyped]

    count = len(objective)
    binary = np.arange(count) < count - num_real
    constraints = [LinearConstraint(equations.matrix, equations.right, equations.right)]
    for row, limit in limited:
        values, room = _scaled(row.values, limit - row.fixed)
        constraints.append(LinearConstraint(values[None], -np.inf, room))
    with _without_output():
        found = milp(
            objective, integrality=binary.astype(int), bounds=Bounds(0, np.where(binary, 1.0, np.inf)),
            constraints=constraints, options={"mip_rel_gap": 0.0},
        )  # fmt: skip
    return None if found.x is None else np.where(binary, np.round(found.x), found.x)


@contextmanager
def _without_output() -> Iterator[None]:
    """Keep the solver's own output away from what a command prints: HiGHS of SciPy 1.17 writes a line of debugging to
    the process's standard output now and then, whatever it is told to display."""
    try:
        sys.stdout.flush()
        kept = os.dup(1)
    except (OSError, ValueError, AttributeError):  # closed, or none at all
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def _scaled(values: np.ndarray, room: float) -> tuple[np.ndarray, float]:
    """The row values . variables <= room in small numbers: tolerances are absolute.

    Whole numbers (bytes, bit operations) are divided by their common divisor, which leaves them exact.
    """
    if np.all(values == np.floor(values)) and values.any():
        unit = int(np.gcd.reduce(values.astype(np.int64)))
        return values / unit, float(np.floor(room / unit))
    size = max(abs(room), float(np.abs(values).max())) or 1.0
    return values / size, room / size
