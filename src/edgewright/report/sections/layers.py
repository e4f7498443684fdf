"""Layer by layer: what each operator costs before and after, and where it stands under the device's roof."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..plots import Roof, RoofPoint, roofline_panel
from ..plots.roofline import Window, window
from ..source import Content, entries, look, mapping, number, shape_text, text, texts
from ..units import DASH, Formatter, bytes_text, count_text, digits_text, exact_text, seconds_text, share_text

Read = Callable[[Content], float | None]


def moved_bytes(row: Content) -> float | None:
    """Weights read plus activations read and written."""
    parts = [number(row, name) for name in ("weight_bytes", "activation_bytes")]
    return sum(part for part in parts if part is not None) if any(part is not None for part in parts) else None


def intensity(row: Content) -> float | None:
    """MAC per byte moved."""
    moved, macs = moved_bytes(row), number(row, "macs")
    return macs / moved if moved and macs is not None else None


def with_shares(profile: Content) -> list[dict[str, Any]]:
    """The rows of a profile, each with `share`: its part of the summed latency estimate, None when that is unknown."""
    rows = entries(profile, "rows")
    total = sum(number(row, "latency_s") or 0.0 for row in rows)
    shares = [(number(row, "latency_s") or 0.0) / total if total else None for row in rows]
    return [{**row, "share": share} for row, share in zip(rows, shares, strict=True)]


Column = tuple[str, Read, Formatter, bool]  # title, how to read it, how to show it, whether it has bars

COLUMNS: Sequence[Column] = (
    ("MACs", lambda row: number(row, "macs"), count_text, True),
    ("Params", lambda row: number(row, "params"), count_text, True),
    ("Bytes moved", moved_bytes, bytes_text, True),
    ("MAC/B", intensity, lambda value: DASH if value is None else digits_text(value), False),
    ("Latency share", lambda row: number(row, "share"), share_text, True),
)


def layers(content: Content) -> dict[str, Any] | None:
    """One line per operator with before and after in each cell, and the totals."""
    profiles = {side: mapping(content, "profile", side) for side in ("before", "after")}
    rows = {side: {text(row, "name"): row for row in with_shares(profile)} for side, profile in profiles.items()}
    if not rows["before"] and not rows["after"]:
        return None
    largest = [_largest(rows, read) if bars else None for _, read, _, bars in COLUMNS]
    names = merged_order(list(rows["before"]), list(rows["after"]))
    return {
        "columns": [title for title, *_ in COLUMNS],
        "rows": [_line(rows["before"].get(name), rows["after"].get(name), largest) for name in names],
        "has_after": bool(rows["after"]),
        "sides": [_side(side, profile) for side, profile in profiles.items() if profile],
    }


def merged_order(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """The names of both lists in graph order: a name that is new in `after` follows its predecessor there."""
    order, position = list(before), -1
    known = set(before)
    for name in after:
        if name in known:
            position = order.index(name)
        else:
            position += 1
            order.insert(position, name)
    return order


def _largest(rows: Mapping[str, Mapping[str, Content]], read: Read) -> float:
    return max((read(row) or 0.0 for side in rows.values() for row in side.values()), default=0.0)


def _line(before: Content | None, after: Content | None, largest: Sequence[float | None]) -> dict[str, Any]:
    present = before if before is not None else after or {}
    layer, name = text(present, "layer"), text(present, "name")
    return {
        "layer": layer or name,
        "name": name,
        "op": text(present, "op"),
        "shapes": [_shape(before), _shape(after)],
        "cells": [_cell(column, before, after, top) for column, top in zip(COLUMNS, largest, strict=True)],
        "bounds": [_bound(before), _bound(after)],
        "gone": after is None,
        "new": before is None,
    }


def _cell(column: Column, before: Content | None, after: Content | None, top: float | None) -> dict[str, Any]:
    _, read, format_, _ = column
    values = [read(row) if row is not None else None for row in (before, after)]
    bars = [None if top is None else round(100 * (value or 0) / top, 1) if top else 0.0 for value in values]
    key = values[1] if values[1] is not None else values[0]
    shown, exact = [format_(value) for value in values], [exact_text(value) for value in values]
    return {"texts": shown, "bars": bars, "sort": -1 if key is None else key, "exact": exact}


def _shape(row: Content | None) -> str:
    return shape_text(look(row, "shape_out")) or DASH


def _bound(row: Content | None) -> str:
    return text(row, "bound") or DASH


def _side(side: str, profile: Content) -> dict[str, Any]:
    """The totals of one profile, and what it could not count."""
    cost, peak = mapping(profile, "cost"), bytes_text(number(profile, "peak_ram_bytes"))
    pairs = [
        ("type", text(profile, "dtype")),
        ("MACs", exact_text(number(profile, "macs"))),
        ("other operations", exact_text(number(profile, "elementwise"))),
        ("params", exact_text(number(profile, "params"))),
        ("buffers", exact_text(number(profile, "buffers"))),
        ("weights", bytes_text(number(profile, "weight_bytes"))),
        ("peak RAM", f"{peak} at {text(profile, 'peak_at') or 'an unnamed operator'}"),
        ("alive there", ", ".join(texts(profile, "peak_tensors"))),
        ("latency on the device", seconds_text(number(cost, "latency_s"))),
    ]
    known = [(name, value) for name, value in pairs if value]
    return {"side": side, "pairs": known, "unknown": texts(profile, "unknown")}


def roofline(content: Content) -> dict[str, Any] | None:
    """Before and after under the device's roof, on the same axes; left out when the device or its peak is unknown."""
    found = []
    for side in ("before", "after"):
        profile = mapping(content, "profile", side)
        roof, points = roof_of(mapping(content, "device"), text(profile, "dtype")), _points(profile)
        if roof is not None and points:
            title = ", ".join(word for word in (side, text(profile, "dtype")) if word)
            found.append((title, roof, points, len(entries(profile, "rows")) - len(points)))
    if not found:
        return None
    view = window([roof for _, roof, _, _ in found], [point for _, _, points, _ in found for point in points])
    return {
        "plots": [_roofline_plot(*each, view) for each in found],
        "device": text(content, "device", "title") or text(content, "device", "name"),
    }


def _roofline_plot(title: str, roof: Roof, points: Sequence[RoofPoint], left_out: int, view: Window) -> dict[str, Any]:
    return {"title": title.capitalize(), "svg": roofline_panel(title, roof, points, view), "left_out": left_out}


def roof_of(device: Content, dtype: str) -> Roof | None:
    """The device's roof for `dtype`; a type without kernels runs at the float32 rate, as in `Device`."""
    rates = mapping(device, "macs_per_cycle")
    rate = number(rates, dtype) or number(rates, "float32")
    clock, bandwidth = number(device, "clock_hz"), number(device, "bandwidth_bytes_s")
    if not rate or not clock or not bandwidth or min(rate, clock, bandwidth) <= 0:
        return None
    return Roof(peak_macs_s=clock * rate, bandwidth_bytes_s=bandwidth)


def _points(profile: Content) -> list[RoofPoint]:
    """Operators with MACs and a latency; the others have no place on this plane."""
    found = []
    for row in with_shares(profile):
        macs, seconds, at = number(row, "macs"), number(row, "latency_s"), intensity(row)
        if macs and seconds and at and macs > 0 and seconds > 0:
            label, bound = text(row, "layer") or text(row, "name"), text(row, "bound")
            found.append(RoofPoint(label=label, bound=bound, intensity=at, macs_s=macs / seconds, share=row["share"]))
    return found
