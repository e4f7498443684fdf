"""How a value is shown, by the unit at the end of its name: `weight_bytes` as 1.25 KiB, `share_of_macs` as 12.3 %."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..files import write_atomic

Row = Mapping[str, Any]


def cell(key: str, value: Any) -> str:
    """`value` of a row's entry `key` as a reader wants it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {cell('_bytes', size)}" for name, size in value.items())
    if isinstance(value, (list, tuple)):
        return _sizes(key, value)
    if isinstance(value, (int, float)):
        return _number(key, value)
    return str(value)


def _sizes(key: str, value: Sequence[Any]) -> str:
    shown = value[1:] if key.startswith("shape") else value  # the batch axis says nothing
    if key.startswith("shape") or len(set(shown)) > 1:
        return "x".join(f"{each:g}" if isinstance(each, (int, float)) else str(each) for each in shown)
    return f"{shown[0]:g}" if shown else ""


def _number(key: str, value: float) -> str:
    from ..report import units

    formats: tuple[tuple[Callable[[str], bool], Callable[[Any], str]], ...] = (
        (lambda name: name == "peak_bytes", lambda number: f"{number:,}"),  # to compare with published figures
        (lambda name: name.startswith("share_"), units.share_text),
        (lambda name: name.endswith("_bytes"), units.bytes_text),
        (lambda name: name.endswith("_s") and not name.endswith("macs_s"), units.seconds_text),
        (lambda name: name.endswith("_j"), units.joules_text),
        (lambda name: name.endswith("macs_s"), lambda number: f"{units.count_text(number)}MAC/s"),
        (lambda name: "speed_up" in name or name.startswith("times_"), units.times_text),
    )
    fit = next((text for matches, text in formats if matches(key)), None)
    if fit is not None:
        return fit(value)
    return f"{value:,}" if isinstance(value, int) else units.number_text(value)


UNITS = ("_bytes", "_s", "_j", "_um2")


def named(key: str) -> str:
    """A key in words, without its unit: `weight_movement_j` -> weight movement."""
    unit = next((unit for unit in UNITS if key.endswith(unit)), "")
    return key.removesuffix(unit).replace("_", " ")


def is_number(rows: Iterable[Row], key: str) -> bool:
    """Whether a column holds numbers, which are aligned right."""
    return any(isinstance(row.get(key), (int, float)) for row in rows)


def write_csv(rows: Sequence[Row], target: Path) -> None:
    """Write rows with raw values, one column per key; sizes as `3x224x224`, names as `a;b`.

    Raises:
        ConfigError: the file cannot be written.
    """
    text = io.StringIO()
    keys = list(dict.fromkeys(key for row in rows for key in row))
    writer = csv.DictWriter(text, keys, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _raw(value) for key, value in row.items()} for row in rows)
    if str(target) == "-":
        print(text.getvalue(), end="")
        return
    try:
        write_atomic(target, text.getvalue())
    except OSError as error:
        raise ConfigError(f"Cannot write {target} ({error.strerror}): choose another file with --csv.") from error


def _raw(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return ("x" if all(isinstance(each, (int, float)) for each in value) else ";").join(map(str, value))
    if isinstance(value, Mapping):
        return ";".join(f"{key}={_raw(entry)}" for key, entry in value.items())
    return value
