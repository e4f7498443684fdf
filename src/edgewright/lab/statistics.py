"""Error bars: a value from many draws or few seeds, as a `Number`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from .finding import Number


def mean_of(
    values: Iterable[float] | np.ndarray, name: str, *, unit: str = "", expected: float | None = None,
    tolerance: float | None = None,
) -> Number:  # fmt: skip
    """Mean of independent draws and its standard error s / sqrt(n), s^2 with n - 1."""
    drawn = np.asarray(list(values) if not isinstance(values, np.ndarray) else values, dtype=np.float64).ravel()
    error = float(drawn.std(ddof=1) / math.sqrt(drawn.size)) if drawn.size > 1 else None
    return Number(
        name=name, value=float(drawn.mean()), error=error, unit=unit, expected=expected, tolerance=tolerance
    )  # fmt: skip


def variance_of(values: np.ndarray, name: str, *, expected: float | None = None) -> Number:
    """Variance of independent draws, s^2 with n - 1, and its standard error.

    Var(s^2) = (m4 - sigma^4 (n - 3)/(n - 1)) / n, with the fourth central moment m4.
    """
    drawn = np.asarray(values, dtype=np.float64).ravel()
    n, variance, fourth = drawn.size, drawn.var(ddof=1), ((drawn - drawn.mean()) ** 4).mean()
    error = math.sqrt(max(0.0, fourth - variance**2 * (n - 3) / (n - 1)) / n)
    return Number(name=name, value=float(variance), error=error, expected=expected)


def share_of(hits: Iterable[bool] | np.ndarray, name: str, *, expected: float | None = None) -> Number:
    """Share of trials that succeed; its standard error by Agresti & Coull (1998), so that 0 of n has one too."""
    tried = np.asarray(list(hits) if not isinstance(hits, np.ndarray) else hits, dtype=bool).ravel()
    middle = (tried.sum() + 2) / (tried.size + 4)
    error = math.sqrt(middle * (1 - middle) / (tried.size + 4))
    return Number(name=name, value=float(tried.mean()), error=error, expected=expected)


def difference_of(ones: Sequence[float], others: Sequence[float], name: str, *, unit: str = "") -> Number:
    """Mean of the paired differences `ones - others` (same seed, same draw), and its standard error."""
    return mean_of(np.asarray(ones, dtype=np.float64) - np.asarray(others, dtype=np.float64), name, unit=unit)


def over_seeds(seed: int, count: int, measure: Callable[[int], float]) -> list[float]:
    """`measure` at `count` seeds that follow `seed`."""
    return [measure(seed * 1000 + index) for index in range(count)]


def slope_of(
    x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray, name: str, *, expected: float | None = None,
    tolerance: float | None = None,
) -> Number:  # fmt: skip
    """Slope of the least-squares line through (x, y), and its standard error from the residuals."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    centred = x - x.mean()
    slope = float(centred @ y / (centred @ centred))
    residual = y - y.mean() - slope * centred
    error = float(np.sqrt(residual @ residual / max(1, x.size - 2) / (centred @ centred))) if x.size > 2 else None
    return Number(name=name, value=slope, error=error, expected=expected, tolerance=tolerance)
