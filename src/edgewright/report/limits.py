"""The budget in words: each limit as a short text, and the command that asks for all of them."""

from __future__ import annotations

import shlex

from ..types import LIMITS
from .source import Content, look, mapping, number, text
from .units import digits_text, quantity_text

SIGNS = {"min_score": "≥"}  # the others are "≤"


def limit_title(name: str) -> str:
    """What to call a limit; an unknown one keeps its own name."""
    return LIMITS[name].title if name in LIMITS else name


def limit_value(name: str, value: float | None) -> str:
    return quantity_text(value, LIMITS[name].unit if name in LIMITS else "")


def asked_limits(content: Content) -> list[str]:
    """The limits that were asked for, as short texts: drop ≤ 1.00 points, flash ≤ 256 KiB.

    A limit that equals the device's own is told in one line at the end: `fit` fills these in by itself.
    """
    own = [name for name in LIMITS if _is_devices_own(content, name)]
    asked = [(name, number(content, "asked", "budget", name)) for name in LIMITS if name not in own]
    words = [
        f"{LIMITS[name].title} {SIGNS.get(name, '≤')} {limit_value(name, value)}"
        for name, value in asked
        if value is not None
    ]
    sizes = [
        f"{limit_title(name).removeprefix('peak ')} {limit_value(name, number(content, 'device', name))}"
        for name in own
    ]
    return [*words, *([f"the device's {' and '.join(sizes)}"] if sizes else [])]


def _is_devices_own(content: Content, name: str) -> bool:
    value = number(content, "asked", "budget", name)
    return value is not None and value == number(content, "device", name)


def command(content: Content) -> str:
    """The command that makes this run again: the one recorded, or rebuilt from what `fit` was asked; '' if unknown."""
    asked = mapping(content, "asked")
    recipe = look(asked, "recipe")
    recipe_name = recipe if isinstance(recipe, str) else text(recipe, "name")
    if recorded := text(asked, "command"):
        return recorded
    if recipe is not None and not recipe_name:
        return ""  # a single stage: its settings are no recipe of `fit`
    words = ["edgewright", "fit", text(asked, "model")]
    for flag, value in (("--data", text(asked, "data")), ("--device", text(asked, "device"))):
        words += [flag, value] if value else []
    words += _limit_flags(content)
    words += ["--recipe", recipe_name] if recipe_name else []
    seed = number(asked, "seed")
    return shlex.join([*words, *(["--seed", f"{seed:.0f}"] if seed is not None else [])])


def _limit_flags(content: Content) -> list[str]:
    values = {name: number(content, "asked", "budget", name) for name in LIMITS if not _is_devices_own(content, name)}
    flags = [
        (LIMITS[name].flag, f"{LIMITS[name].to_flag(value):.10g}")
        for name, value in values.items()
        if value is not None
    ]
    return [word for pair in flags for word in pair]


def factor_text(value: float | None, limit: float | None, factor: float | None) -> str:
    """1.42 times the limit."""
    if factor is None and value is not None and limit:
        factor = value / limit
    return "" if factor is None else f"{digits_text(factor)} times the limit"
