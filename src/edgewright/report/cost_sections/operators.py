"""Every operator with its cost, and the shapes and receptive fields on the way through the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..source import Content, entries, look, number, shape_text, text
from ..units import DASH, number_text
from .cells import column, cost_columns, intensity_text, name_of, number_table

WINDOW = ("kernel", "stride", "padding", "dilation")
WHOLE = "whole input"


def operators(content: Content) -> dict[str, Any] | None:
    """One line per operator, in the order of execution; those that another one does are dimmed."""
    rows = entries(content, "operators")
    if not rows:
        return None
    columns = [*cost_columns(), column("MAC/B", "intensity_macs_per_byte", intensity_text)]
    table = number_table(rows, columns)
    titles = {text(row, "name"): name_of(row) for row in rows}
    has_bound = any(text(row, "bound") for row in rows)
    lines = [_operator(row, cells, titles) for row, cells in zip(rows, table["cells"], strict=True)]
    num_fused = sum(bool(line["host"]) for line in lines)
    return {"columns": table["columns"], "rows": lines, "has_bound": has_bound, "num_fused": num_fused}


def _operator(row: Content, cells: Sequence[Any], titles: dict[str, str]) -> dict[str, Any]:
    host = text(row, "fused_into")
    module = "" if text(row, "layer") else text(row, "module")
    return {
        "name": name_of(row),
        "op": f"{text(row, 'op')} in {module}" if module else text(row, "op"),
        "host": titles.get(host, host),
        "shape": shape_text(look(row, "shape_out")) or DASH,
        "cells": cells,
        "bound": text(row, "bound"),
    }


def shapes(content: Content) -> dict[str, Any] | None:
    """One line per operator: shapes, window, and how much of the input one of its outputs sees."""
    rows = entries(content, "shapes")
    return {"rows": [_shape(row) for row in rows]} if rows else None


def _shape(row: Content) -> dict[str, Any]:
    groups = number(row, "groups")
    return {
        "name": name_of(row),
        "op": text(row, "op"),
        "shapes": [shape_text(look(row, key)) or DASH for key in ("shape_in", "shape_out")],
        "window": [shape_text(look(row, key)) for key in WINDOW],
        "groups": "" if groups is None else number_text(groups),
        "field": _field(row),
        "area": _area(look(row, "receptive_field")) if "receptive_field" in row else -1,
        "jump": shape_text(look(row, "jump")) or DASH,
    }


def _field(row: Content) -> str:
    """13×13; null says that the operator sees everything, an absent entry that it is not known."""
    if "receptive_field" not in row:
        return DASH
    return WHOLE if row["receptive_field"] is None else shape_text(row["receptive_field"]) or DASH


def _area(field: Any) -> float:
    """What to sort by: the whole input comes after everything that is a part of it."""
    if not isinstance(field, list):
        return 1e15
    sizes = [size for size in field if isinstance(size, (int, float))]
    area = 1.0
    for size in sizes:
        area *= size
    return area
