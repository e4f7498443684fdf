"""What a search may change: settings of the training, each with the values that it may take.

Written `NAME=VALUES`: `optimizer=adamw|sgd`, `weight_decay=0|0.01|0.05`, `epochs=5..20`, `lr=1e-4..1e-1:log`; a grid
also needs how many points it takes of a range, `lr=1e-4..1e-1:log:4`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args, get_type_hints

import numpy as np

from ...errors import ConfigError
from ...train import Train
from ...train.settings import RULES, name_hint

SPELLED = ("optimizer", "schedule", "rates")  # settings with options inside of their text

Value = str | float | int | bool | None


@dataclass(frozen=True, kw_only=True)
class Choices:
    """One of a few values."""

    values: tuple[Value, ...]

    def at(self, share: float) -> Value:
        """The value at a share in [0, 1) of the way."""
        return self.values[min(int(share * len(self.values)), len(self.values) - 1)]

    def grid(self, name: str) -> tuple[Value, ...]:
        """All of them."""
        return self.values


@dataclass(frozen=True, kw_only=True)
class Range:
    """Numbers from `low` to `high`, both included; `is_log` gives every power of ten alike."""

    low: float
    high: float
    is_log: bool = False
    is_whole: bool = False
    points: int | None = None

    def at(self, share: float) -> Value:
        """The number at a share in [0, 1] of the way; a whole one is drawn as if each had a stretch of its own."""
        low, high = (self.low - 0.5, self.high + 0.5) if self.is_whole else (self.low, self.high)
        if self.is_log:
            value = math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
        else:
            value = low + share * (high - low)
        value = min(max(value, self.low), self.high)
        return round(value) if self.is_whole else value

    def grid(self, name: str) -> tuple[Value, ...]:
        """Evenly spaced points, ends included.

        Raises:
            ConfigError: nobody said how many.
        """
        if self.points is None:
            log = ":log" if self.is_log else ""
            raise ConfigError(f"A grid needs the points of a range: write {name}={self.low:g}..{self.high:g}{log}:3.")
        space = np.geomspace if self.is_log else np.linspace
        values = [float(value) for value in space(self.low, self.high, self.points)]
        return tuple(dict.fromkeys(round(value) if self.is_whole else value for value in values))


Space = Mapping[str, Choices | Range]


def changed(train: Train, values: Mapping[str, Value]) -> Train:
    """The settings with these values.

    Raises:
        ConfigError: they are out of range, or do not go together.
    """
    others: dict[str, Any] = dict(values)
    return dataclasses.replace(train, **others)


def parse_space(texts: Iterable[str], train: Train) -> Space:
    """The space that texts `NAME=VALUES` describe.

    Args:
        texts: one per setting.
        train: the settings that are not searched. Which values go together is seen when a trial has them all.

    Raises:
        ConfigError: no such setting, a setting twice, or values that it cannot take.
    """
    space: dict[str, Choices | Range] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        name = name.strip().replace("-", "_")
        _check_name(name, text if equals and values else None)
        if name in space:
            raise ConfigError(f"The search is given the values of {name} twice: write them once.")
        space[name] = _range(name, values, train) if ".." in values else _choices(name, values, train)
    if not space:
        raise ConfigError("A search needs settings to vary: for instance lr=1e-4..1e-1:log.")
    return space


def _check_name(name: str, text: str | None) -> None:
    known = [each.name for each in dataclasses.fields(Train)]
    if text is None:
        raise ConfigError(f"What a search varies is written NAME=VALUES, got '{name}': see lr=1e-4..1e-1:log.")
    if name not in known:
        near = get_close_matches(name, known, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(sorted(known))}."
        raise ConfigError(f"Train has no setting '{name}' to search: {hint}")


def _choices(name: str, values: str, train: Train) -> Choices:
    found = tuple(dict.fromkeys(_value(name, part.strip(), train) for part in values.split("|")))
    _check_values(name, found)
    return Choices(values=found)


def _range(name: str, values: str, train: Train) -> Range:
    ends, *words = values.split(":")
    points = [int(word) for word in words if word.isdigit()]
    low, high = (_value(name, end.strip(), train) for end in ends.split("..", 1))
    numbers = all(isinstance(end, (int, float)) and not isinstance(end, bool) for end in (low, high))
    strange = [word for word in words if word != "log" and not word.isdigit()]
    if not numbers or strange or len(points) > 1 or not low < high or (points and points[0] < 2):  # type: ignore[operator]
        raise ConfigError(
            f"A range is written {name}=LOW..HIGH[:log][:POINTS], with LOW below HIGH and 2 points or more; got "
            f"'{values}'."
        )
    _check_values(name, (low, high))
    is_log = "log" in words
    if is_log and not low > 0:  # type: ignore[operator]
        raise ConfigError(f"A logarithmic range of {name} begins above 0, got {low}.")
    return Range(low=low, high=high, is_log=is_log, is_whole=_is_whole(name), points=points[0] if points else None)  # type: ignore[arg-type]


def _value(name: str, text: str, train: Train) -> Value:
    """A value as its setting has it: text where the setting is text, else a number, true, false or none."""
    if isinstance(getattr(train, name), str):
        return text
    words: dict[str, Value] = {"none": None, "true": True, "false": False}
    if text in words:
        return words[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    raise ConfigError(f"{name} takes numbers, got '{text}'.")


def _check_values(name: str, values: tuple[Value, ...]) -> None:
    """Hold the values against the setting's own rules; which settings go together is for a trial to find out."""
    range_text, holds = RULES[name]
    for value in values:
        if not holds(value):
            raise ConfigError(f"Train.{name} must be {range_text}, got {value!r}{name_hint(name, value)}.")
        if name in SPELLED:
            changed(Train(), {name: value})


def _is_whole(name: str) -> bool:
    """Whether the setting is declared to take whole numbers alone."""
    declared = get_type_hints(Train)[name]
    return float not in (get_args(declared) or (declared,))
