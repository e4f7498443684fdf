"""A worked answer: each step shows the formula, the numbers put in, and what comes out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigError

Pair = int | tuple[int, int]


@dataclass(frozen=True)  # positional, because a step reads like the line that it prints
class Step:
    """One line of a worked answer: `what: formula = numbers = value unit`; what is empty is left out."""

    what: str
    formula: str
    numbers: str
    value: Any  # a number, or a list of numbers
    unit: str = ""

    def text(self) -> str:
        """The step as one line."""
        sides = [side for side in (self.formula, self.numbers, shown(self.value)) if side]
        return f"{self.what}: {' = '.join(sides)} {self.unit}".rstrip()


@dataclass(frozen=True, kw_only=True)
class Worked:
    """A closed-form answer. `result` maps names that carry their unit to numbers; everything is JSON-able."""

    title: str
    steps: tuple[Step, ...]
    result: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    def lines(self) -> tuple[str, ...]:
        """The whole answer as text, one line each."""
        return (self.title, *(f"  {step.text()}" for step in self.steps), *(f"  note: {note}" for note in self.notes))


def shown(value: Any) -> str:
    """A number as people write it: whole numbers with thousands separators, others to 7 significant digits."""
    if isinstance(value, (list, tuple)):
        return "(" + ", ".join(shown(entry) for entry in value) + ")"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.7g}"


def product(*factors: int | float) -> str:
    """The factors as they are put into a formula: `3 x 3 x 64`."""
    return " x ".join(shown(factor) for factor in factors)


def whole(name: str, value: Any, *, least: int = 1) -> int:
    """`value` as a whole number of at least `least`.

    Raises:
        ConfigError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(f"{name} is a whole number of at least {least}, got {value!r}.")
    return value


def positive(name: str, value: Any, *, zero: bool = False) -> float:
    """`value` as a finite number greater than 0 (or at least 0, with `zero`).

    Raises:
        ConfigError: it is not.
    """
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not good or value < 0 or (value == 0 and not zero):
        raise ConfigError(f"{name} is a finite number {'of at least' if zero else 'greater than'} 0, got {value!r}.")
    return value


def finite(name: str, value: Any) -> float:
    """`value` as a finite number of either sign.

    Raises:
        ConfigError: it is not.
    """
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        raise ConfigError(f"{name} is a finite number, got {value!r}.")
    return value


def power(base: float, exponent: float) -> float:
    """`base ** exponent` of a positive base.

    Raises:
        ConfigError: it is beyond floating point.
    """
    try:
        return base**exponent
    except OverflowError as error:
        raise ConfigError(f"{base:g} to the power of {exponent:g} is beyond floating point: use less.") from error


def pair(name: str, value: Pair, *, least: int = 1) -> tuple[int, int]:
    """`value` for height and width: one whole number for both, or two."""
    both = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(both) != 2:
        raise ConfigError(f"{name} is one whole number or two (height, width), got {value!r}.")
    return whole(name, both[0], least=least), whole(name, both[1], least=least)


def one_of(name: str, value: Any, known: Mapping[str, Any]) -> Any:
    """The entry of `known` that `value` names.

    Raises:
        ConfigError: there is none; the message lists them.
    """
    if value not in known:
        raise ConfigError(f"{name} is one of {', '.join(known)}, got {value!r}.")
    return known[value]
