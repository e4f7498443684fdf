"""What an experiment hands back: numbers with error bars beside what was expected, a verdict, one figure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from .figures import Figure

STANDARD_ERRORS = 4.0  # a mean of draws misses its expectation by more than this once in 16,000


class Verdict(StrEnum):
    """What the numbers say about the claim."""

    HOLDS = "holds"
    DOES_NOT_HOLD = "does not hold"
    HOLDS_WHEN = "holds when"


@dataclass(frozen=True, kw_only=True)
class Number:
    """One measured or computed value.

    Attributes:
        error: standard error of the value; None where it was computed, not drawn.
        expected: the closed form or the published value, where there is one.
        tolerance: how far the value may be from it; None: four standard errors, or 1e-9 of it without an error.
    """

    name: str
    value: float
    error: float | None = None
    unit: str = ""
    expected: float | None = None
    tolerance: float | None = None

    @property
    def agrees(self) -> bool | None:
        """Whether the value is what was expected; None where nothing was."""
        if self.expected is None:
            return None
        return self.value == self.expected or abs(self.value - self.expected) <= self._room

    @property
    def _room(self) -> float:
        assert self.expected is not None
        if self.tolerance is not None:
            return self.tolerance
        return STANDARD_ERRORS * self.error if self.error else 1e-9 * max(1.0, abs(self.expected))

    def exceeds(self, other: Number | float, *, by: float = 0.0) -> bool:
        """Whether this value is larger by more than `by`, beyond two standard errors of the difference."""
        value, error = (other.value, other.error) if isinstance(other, Number) else (other, None)
        return self.value - value > by + 2 * math.hypot(self.error or 0.0, error or 0.0)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The answer of one run.

    Attributes:
        condition: of a verdict "holds when": when.
        summary: one sentence that says what was found, with its numbers.
    """

    verdict: Verdict
    summary: str
    numbers: tuple[Number, ...]
    figure: Figure
    condition: str = ""

    def __post_init__(self) -> None:
        assert bool(self.condition) == (self.verdict is Verdict.HOLDS_WHEN), "a condition belongs to 'holds when' alone"
        assert len({number.name for number in self.numbers}) == len(self.numbers), "two numbers share a name"

    def __getitem__(self, name: str) -> Number:
        """The number of that name."""
        return next(number for number in self.numbers if number.name == name)

    @property
    def disagreeing(self) -> tuple[Number, ...]:
        """Numbers that are not what was expected."""
        return tuple(number for number in self.numbers if number.agrees is False)

    @property
    def told(self) -> str:
        """The verdict in words."""
        return f"{self.verdict} {self.condition}".rstrip()


def judged(
    *proofs: bool, summary: str, numbers: Iterable[Number], figure: Figure, when: str = ""
) -> Finding:  # fmt: skip
    """The finding whose claim holds, `when` that is said, if all proofs are true; else it does not."""
    verdict = Verdict.DOES_NOT_HOLD if not all(proofs) else Verdict.HOLDS_WHEN if when else Verdict.HOLDS
    condition = when if verdict is Verdict.HOLDS_WHEN else ""
    return Finding(verdict=verdict, condition=condition, summary=summary, numbers=tuple(numbers), figure=figure)
