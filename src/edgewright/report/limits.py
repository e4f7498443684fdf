"""The words of the budget: what each limit is called, in which unit it is shown, and which flag sets it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from .source import Content, look, mapping, number, text
from .units import digits_text, quantity_text


@dataclass(frozen=True, kw_only=True)
class Limit:
    """One limit of `Budget`. `per_unit` turns its value into what the flag takes."""

    title: str
    unit: str
    flag: str
    per_unit: float = 1.0
    sign: str = "≤"


LIMITS: Mapping[str, Limit] = {
    "max_drop": Limit(title="drop", unit="points", flag="--max-drop"),
    "min_score": Limit(title="score", unit="points", flag="--min-score", sign="≥"),
    "latency_s": Limit(title="latency on the device", unit="s", flag="--latency-ms", per_unit=1e-3),
    "ram_bytes": Limit(title="peak RAM", unit="bytes", flag="--ram-kb", per_unit=1024),
    "flash_bytes": Limit(title="flash", unit="bytes", flag="--flash-kb", per_unit=1024),
    "energy_j": Limit(title="energy per image", unit="J", flag="--energy-mj", per_unit=1e-3),
}


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
        f"{LIMITS[name].title} {LIMITS[name].sign} {limit_value(name, value)}"
        for name, value in asked
        if value is not None
    ]
    sizes = [f"{limit_title(name)} {limit_value(name, number(content, 'device', name))}" for name in own]
    return [*words, *([f"the device's {' and '.join(sizes)}"] if sizes else [])]


def _is_devices_own(content: Content, name: str) -> bool:
    value = number(content, "asked", "budget", name)
    return value is not None and value == number(content, "device", name)


def command(content: Content) -> str:
    """The `edgewright fit` command that makes this run again; the one recorded, or rebuilt from what was asked."""
    asked = mapping(content, "asked")
    if recorded := text(asked, "command"):
        return recorded
    words = ["edgewright", "fit", text(asked, "model")]
    for flag, key in (("--data", "data"), ("--device", "device")):
        words += [flag, text(asked, key)] if text(asked, key) else []
    for name, limit in LIMITS.items():
        value = number(asked, "budget", name)
        own = value is None or _is_devices_own(content, name)
        words += [] if own else [limit.flag, f"{(value or 0) / limit.per_unit:.10g}"]
    recipe = look(asked, "recipe")
    recipe_name = recipe if isinstance(recipe, str) else text(recipe, "name")
    words += ["--recipe", recipe_name] if recipe_name else []
    seed = number(asked, "seed")
    words += ["--seed", f"{seed:.0f}"] if seed is not None else []
    return shlex.join(words)


def factor_text(value: float | None, limit: float | None, factor: float | None) -> str:
    """1.42 times the limit."""
    if factor is None and value is not None and limit:
        factor = value / limit
    return "" if factor is None else f"{digits_text(factor)} times the limit"
