"""Is one way better than another? Differences of scores, paired by seed, with their standard error.

The two nets of a pair see the same images in the same order, so much of what differs between seeds cancels out. The
errors do not hold the sampling of the test images, which all seeds share.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SURE = 0.95  # share of the differences that the interval holds, were the experiment repeated
LEAST = 3  # seeds of a claim: the deviation of two is chance, and on a small test split often exactly 0


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A mean over seeds. `std_error` is its standard error, None for a single seed."""

    mean: float
    std_error: float | None
    num: int

    @property
    def half_width(self) -> float | None:
        """Half of the interval in which the true mean lies with probability `SURE` (Student t); None below `LEAST`."""
        if self.std_error is None or self.num < LEAST:
            return None
        from scipy.stats import t  # type: ignore[import-untyped]

        return float(t.ppf((1 + SURE) / 2, self.num - 1)) * self.std_error

    @property
    def sign(self) -> int | None:
        """1 or -1 where the interval lies above or below 0, 0 where it holds 0, None for too few seeds."""
        half = self.half_width
        if half is None:
            return None
        return int(self.mean > half) - int(self.mean < -half)


def spread(values: Sequence[float]) -> Spread:
    """Mean of the values and its standard error, from the sample's own deviation (n - 1)."""
    num = len(values)
    error = float(np.std(values, ddof=1)) / math.sqrt(num) if num > 1 else None
    return Spread(mean=float(np.mean(values)), std_error=error, num=num)


def paired(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """The differences ours - theirs, seed by seed."""
    return spread([our - their for our, their in zip(ours, theirs, strict=True)])


WORDS = {1: "beats", 0: "is not shown to beat", -1: "loses to"}


def verdict(difference: Spread, *, other: str, sparsity: float) -> str:
    """One sentence: does the ticket beat `other` at this sparsity, by how much, over how many seeds?"""
    at = f"at {100 * sparsity:.1f} % sparsity"
    if difference.sign is None or difference.half_width is None:
        seeds = "One seed" if difference.num == 1 else f"{difference.num} seeds"
        return (
            f"{seeds} cannot tell whether the ticket beats {other} {at} (difference {difference.mean:+.2f} points): "
            f"take {LEAST} or more."
        )
    low, high = difference.mean - difference.half_width, difference.mean + difference.half_width
    return (
        f"The ticket {WORDS[difference.sign]} {other} {at} (difference {difference.mean:+.2f} ± "
        f"{difference.std_error:.2f} points over {difference.num} seeds, {100 * SURE:.0f} % interval {low:+.2f} to "
        f"{high:+.2f})."
    )
