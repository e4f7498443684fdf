"""Columns of numbers: how each is read, shown, sorted, and drawn as a bar within its cell.

A page of some thousand operators holds some ten thousand cells, so a cell carries only what it needs: no sort value
where its text sorts as well, no bar where nothing would be seen. The digits on hover come from the sort value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..source import Content, number
from ..units import DASH, Formatter, bytes_text, count_text, digits_text, joules_text, seconds_text, share_text

Read = Callable[[Content], float | None]
LEAST_BAR = 0.5  # per cent of the cell: less is no pixel
LEAST_SHARE = 0.001  # the smallest that one decimal of a per cent shows


class Cell(NamedTuple):
    """One number of a table. `sort` is None where the text sorts as the number does; `bar` is in per cent."""

    text: str
    sort: str | None
    bar: str | None


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of numbers. `bar` draws each value against `whole`, or against the column's largest."""

    title: str
    read: Read
    format_: Formatter
    bar: bool = False
    whole: float | None = None
    has_digits: bool = True  # more than the text shows, worth telling on hover


def column(title: str, key: str, format_: Formatter, *, bar: bool = False, whole: float | None = None) -> Column:
    """The numbers that rows hold under `key`."""
    return Column(title=title, read=lambda row: number(row, key), format_=format_, bar=bar, whole=whole)


def share_column(key: str, whole: float | None) -> Column:
    """The share that `key` has of `whole`; nothing is known of it where there is no whole."""

    def read(row: Content) -> float | None:
        value = number(row, key)
        return value / whole if value is not None and whole else None

    return Column(title="share", read=read, format_=part_text, has_digits=False)


def cost_columns(totals: Content | None = None) -> list[Column]:
    """What an operator, a module or a type costs; with `totals` the bars and shares are of the whole model."""
    whole = {key: number(totals, key) for key in ("macs", "params", "latency_s")}
    columns: list[Column] = []
    for title, key, format_ in (
        ("MACs", "macs", count_text), ("Params", "params", count_text), ("Latency", "latency_s", seconds_text),
    ):  # fmt: skip
        columns.append(column(title, key, format_, bar=True, whole=whole[key]))
        columns += [share_column(key, whole[key])] if totals is not None else []
    return [
        *columns,
        column("Energy", "energy_j", joules_text, bar=True),
        column("Weights", "weight_bytes", bytes_text, bar=True),
        column("Moved", "activation_bytes", bytes_text, bar=True),
        column("Other ops", "elementwise", count_text),
    ]


def part_text(value: float | None) -> str:
    """A share of a whole: what is there but rounds to nothing is told so."""
    return f"< {share_text(LEAST_SHARE)}" if value is not None and 0 < value < LEAST_SHARE else share_text(value)


def intensity_text(value: float | None) -> str:
    """MAC per byte."""
    return DASH if value is None else digits_text(value)


def number_table(rows: Sequence[Content], columns: Sequence[Column], *, sortable: bool = True) -> dict[str, Any]:
    """`columns`: the titles of those of which anything is known; `cells`: one list per row."""
    values = [[each.read(row) for row in rows] for each in columns]
    known = [index for index, found in enumerate(values) if any(value is not None for value in found)]
    tops = {index: _top(columns[index], values[index]) for index in known}
    cells = [
        [_cell(values[index][place], columns[index], tops[index], sortable=sortable) for index in known]
        for place in range(len(rows))
    ]
    return {"columns": [columns[index].title for index in known], "cells": cells}


def _top(each: Column, values: Sequence[float | None]) -> float:
    return each.whole or max((value for value in values if value is not None), default=0.0)


def _cell(value: float | None, each: Column, top: float, *, sortable: bool) -> Cell:
    shown = "0" if value == 0 else each.format_(value)
    if value is None:
        return Cell(shown, "-1" if sortable else None, None)
    key = f"{value:.6g}" if isinstance(value, float) and not value.is_integer() else f"{value:.0f}"
    bar = min(100.0, round(100 * value / top, 1)) if each.bar and top > 0 else 0.0
    hidden = key == shown or not (sortable or each.has_digits)
    return Cell(shown, None if hidden else key, f"{bar:g}" if bar >= LEAST_BAR else None)


def name_of(row: Mapping[str, Any]) -> str:
    """The user's name for an operator: its layer, or the name in the graph where no layer does it."""
    return str(row.get("layer") or row.get("name") or "")
