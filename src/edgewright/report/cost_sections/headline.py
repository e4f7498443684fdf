"""The first screen: what the model costs in all, at each type of number, and whether it fits the device."""

from __future__ import annotations

from typing import Any

from ..source import Content, entries, mapping, number, shape_text, text, texts
from ..units import (
    DASH,
    bytes_text,
    count_text,
    exact_text,
    joules_text,
    number_text,
    quantity_text,
    seconds_text,
)
from .bounds import bar_width
from .cells import part_text

MAX_NAMES = 4  # tensors alive at the peak, before the rest is told as a number
Card = dict[str, str]


def headline(content: Content) -> dict[str, Any]:
    """Name, verdict, cards, types, limits, and what could not be counted."""
    totals, fits = mapping(content, "totals"), entries(content, "fits")
    return {
        "model": text(content, "model"),
        "asked": _asked(content),
        "fits": None if not fits else all(fit.get("passed") is True for fit in fits),
        "cards": [card for card in (*_sizes(totals, text(content, "dtype")), *_rates(totals)) if card],
        "dtypes": _dtypes(content),
        "checks": [_check(fit) for fit in sorted(fits, key=lambda fit: fit.get("passed") is True)],
        "has_blame": any(text(fit, "blame") for fit in fits),
        "unknown": texts(totals, "unknown"),
    }


def _asked(content: Content) -> list[tuple[str, str]]:
    device = mapping(content, "device")
    pairs = [
        ("Input", shape_text(content.get("input_shape"))),
        ("Batch", text(content, "batch")),
        ("Type", text(content, "dtype")),
        ("Device", text(device, "title") or text(device, "name")),
    ]
    return [(name, value) for name, value in pairs if value]


def _card(title: str, value: str, exact: float | None, *notes: str) -> Card:
    note = "; ".join(each for each in notes if each)
    return {"title": title, "value": value, "exact": exact_text(exact), "note": note}


def _sizes(totals: Content, dtype: str) -> list[Card]:
    found = {name: number(totals, name) for name in
             ("macs", "flops", "elementwise", "params", "buffers", "weight_bytes", "peak_ram_bytes")}  # fmt: skip
    flops = f"{count_text(found['flops'])} FLOPs" if found["flops"] is not None else ""
    others = f"{count_text(found['elementwise'])} other operations" if found["elementwise"] is not None else ""
    buffers = f"and {count_text(found['buffers'])} buffer values" if found["buffers"] else ""
    return [
        _card("MACs", count_text(found["macs"]), found["macs"], exact_text(found["macs"]), flops, others),
        _card("Params", count_text(found["params"]), found["params"], exact_text(found["params"]), buffers),
        _card(f"Weights at {dtype}", bytes_text(found["weight_bytes"]), found["weight_bytes"],
              _exact_bytes(found["weight_bytes"])),
        _card(f"Peak RAM at {dtype}", bytes_text(found["peak_ram_bytes"]), found["peak_ram_bytes"],
              _exact_bytes(found["peak_ram_bytes"]), _peak(totals)),
    ]  # fmt: skip


def _exact_bytes(value: float | None) -> str:
    return f"{exact_text(value)} bytes" if value is not None and value >= 1024 else ""


def _peak(totals: Content) -> str:
    """at add, with conv3, downsample, add alive."""
    at, alive = text(totals, "peak_at"), texts(totals, "peak_tensors")
    more = f" and {len(alive) - MAX_NAMES} more" if len(alive) > MAX_NAMES else ""
    words = [f"at {at}" if at else "", f"with {', '.join(alive[:MAX_NAMES])}{more} alive" if alive else ""]
    return ", ".join(word for word in words if word)


def _rates(totals: Content) -> list[Card]:
    latency, energy = number(totals, "latency_s"), number(totals, "energy_j")
    cards = []
    if latency is not None:
        rate = f"{number_text(float(f'{1 / latency:.3g}'))} runs per second" if latency > 0 else ""
        cards.append(_card("Latency", seconds_text(latency), latency, text(totals, "how", "latency_s"), rate))
    if energy is not None:
        cards.append(_card("Energy per run", joules_text(energy), energy, text(totals, "how", "energy_j")))
    return cards


def _dtypes(content: Content) -> dict[str, Any]:
    """What the same model takes at each type; columns of which nothing is known are left out."""
    rows = entries(content, "totals", "by_dtype")
    columns = (("Weights", "weight_bytes", bytes_text), ("Peak RAM", "peak_ram_bytes", bytes_text),
               ("Latency", "latency_s", seconds_text), ("Energy", "energy_j", joules_text))  # fmt: skip
    shown = [each for each in columns if any(number(row, each[1]) is not None for row in rows)]
    return {
        "columns": [title for title, _, _ in shown],
        "rows": [
            {
                "dtype": text(row, "dtype"),
                "is_shown": text(row, "dtype") == text(content, "dtype"),
                "cells": [format_(number(row, key)) for _, key, format_ in shown],
            }
            for row in rows
        ],
    }


def _check(fit: Content) -> dict[str, Any]:
    value, limit, unit = number(fit, "value"), number(fit, "limit"), text(fit, "unit")
    share = value / limit if value is not None and limit else None
    return {
        "name": text(fit, "name"),
        "passed": fit.get("passed") is True,
        "value": quantity_text(value, unit),
        "limit": quantity_text(limit, unit),
        "share": part_text(share) if share is None or share < 10 else f"{number_text(round(share))} times",
        "bar": bar_width(share),
        "how": text(fit, "how") or DASH,
        "blame": text(fit, "blame"),
    }
