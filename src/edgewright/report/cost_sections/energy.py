"""Where the energy goes: arithmetic against the movement of bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..source import Content, mapping, number, text
from ..units import joules_text
from .bounds import bar_width
from .cells import part_text

PARTS = (
    ("compute_j", "multiply-accumulates", "compute"),
    ("elementwise_j", "other operations", "overhead"),
    ("weight_movement_j", "weights moved", "memory"),
    ("activation_movement_j", "activations moved", "before"),
)


def energy(content: Content) -> dict[str, Any] | None:
    """One bar of the parts that are known, and their numbers."""
    found = mapping(content, "energy")
    known = [(title, class_, value) for key, title, class_ in PARTS if (value := number(found, key)) is not None]
    if not known:
        return None
    total = number(found, "energy_j")
    shares = shares_of([max(0.0, value) for _, _, value in known])
    return {
        "parts": [
            {
                "title": title,
                "class_": class_,
                "text": joules_text(value),
                "width": bar_width(share),
                "share": part_text(share),
            }
            for (title, class_, value), share in zip(known, shares, strict=True)
        ],
        "total": joules_text(total if total is not None else sum(value for _, _, value in known)),
        "movement": part_text(number(found, "share_of_data_movement")),
        "how": text(content, "totals", "how", "energy_j") or "estimated",
        "note": text(found, "note"),
    }


def shares_of(values: Sequence[float]) -> list[float]:
    """Each value's part of their sum."""
    total = sum(values)
    return [value / total if total else 0.0 for value in values]
