"""Arbitrary nested settings as something to read: pairs of dotted name and text, tables for lists of objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MAX_ITEMS = 24  # of a list, before it is cut and its length told
MAX_ROWS = 60


@dataclass(frozen=True, kw_only=True)
class Table:
    """A list of objects: its name, its columns, and the rows that are shown."""

    name: str
    columns: list[str]
    rows: list[list[str]]
    num_left_out: int


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One nested object, flat."""

    pairs: list[tuple[str, str]]
    tables: list[Table]

    def __bool__(self) -> bool:
        return bool(self.pairs or self.tables)


def facts(value: Mapping[str, Any]) -> Facts:
    """All that `value` holds, however deep: {"a": {"b": 1}} -> ("a.b", "1")."""
    leaves = list(_leaves(value, ""))
    return Facts(
        pairs=[(name, scalar_text(leaf)) for name, leaf in leaves if not _is_table(leaf)],
        tables=[_table(name, leaf) for name, leaf in leaves if _is_table(leaf)],
    )


def scalar_text(value: Any) -> str:
    """A setting as its author would write it."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        shown = ", ".join(scalar_text(each) for each in value[:MAX_ITEMS])
        return f"{shown}, … ({len(value)} in all)" if len(value) > MAX_ITEMS else shown or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {scalar_text(each)}" for key, each in value.items())
    return str(value)


def _leaves(value: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, each in value.items():
        name = f"{prefix}{key}"
        if isinstance(each, Mapping) and each:
            yield from _leaves(each, f"{name}.")
        else:
            yield name, "none" if isinstance(each, Mapping) else each


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, Mapping) for row in value)


def _table(name: str, rows: list[Mapping[str, Any]]) -> Table:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    shown = [[scalar_text(row[key]) if key in row else "" for key in columns] for row in rows[:MAX_ROWS]]
    return Table(name=name, columns=columns, rows=shown, num_left_out=max(0, len(rows) - MAX_ROWS))
