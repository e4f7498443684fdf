"""A choice with its options in one word: `NAME[:OPTION=VALUE,...]`, for instance `step:every=10,gamma=0.5`.

One word fits a settings file, a command line and a checkpoint's key alike. A list of numbers is written `15/25`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from ..errors import ConfigError

Choice = TypeVar("Choice")
Range = tuple[str, Callable[[Any], bool]]  # in words, and whether a value lies in it

POSITIVE: Range = ("greater than 0", lambda value: 0 < value < math.inf)
NOT_NEGATIVE: Range = ("0 or greater", lambda value: 0 <= value < math.inf)
SHARE: Range = ("in (0, 1]", lambda value: 0 < value <= 1)
BELOW_1: Range = ("in [0, 1)", lambda value: 0 <= value < 1)
COUNT: Range = ("a whole number from 1", lambda value: value == int(value) and value >= 1)


def choose(text: str, table: Mapping[str, type[Choice]], *, kind: str) -> Choice:
    """The settings that `text` spells: the dataclass of its name, with the options that it gives.

    Args:
        text: `NAME` or `NAME:OPTION=VALUE,...`.
        table: name -> frozen dataclass whose fields are the options, numbers or tuples of numbers.
        kind: what the table holds, for the errors: "schedule".

    Raises:
        ConfigError: an unknown name or option, a value that is no number or lies outside its range.
    """
    name, _, given = text.partition(":")
    if name not in table:
        raise ConfigError(f"Unknown {kind} '{name}': {nearest(name, table)}There are {', '.join(table)}.")
    options = dict(_option(part, name, table[name], kind) for part in given.split(",")) if given else {}
    return table[name](**options)


def nearest(name: str, known: Iterable[str]) -> str:
    """`did you mean adamw? ` where one of the names is near, or ""."""
    near = get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]}? " if near else ""


def options_of(choice: type[Any]) -> dict[str, Any]:
    """Option -> default."""
    return {each.name: each.default for each in dataclasses.fields(choice)}


def check(choice: Any, ranges: Mapping[str, Range]) -> None:
    """Hold the options of `choice` against their ranges; None is an option that is not given.

    Raises:
        ConfigError: one lies outside.
    """
    for name, (words, holds) in ranges.items():
        value = getattr(choice, name)
        if value is not None and not holds(value):
            raise ConfigError(f"{type(choice).__name__}.{name} must be {words}, got {value!r}.")


def _option(part: str, name: str, choice: type[Any], kind: str) -> tuple[str, Any]:
    option, equals, value = part.partition("=")
    known = options_of(choice)
    if option not in known:
        takes = f"it takes {', '.join(known)}" if known else "it takes none"
        raise ConfigError(f"The {kind} '{name}' has no option '{option}': {takes}.")
    try:
        numbers = tuple(_number(each) for each in value.split("/"))
    except ValueError:
        numbers = ()
    if not equals or not numbers or (len(numbers) > 1 and not isinstance(known[option], tuple)):
        raise ConfigError(f"The {kind} option '{part}' is no number: write for instance {name}:{option}=0.5.")
    if isinstance(known[option], tuple):
        return option, numbers
    return option, float(numbers[0]) if isinstance(known[option], float) else numbers[0]


def _number(text: str) -> int | float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return int(text) if text.strip().lstrip("+-").isdigit() else value
