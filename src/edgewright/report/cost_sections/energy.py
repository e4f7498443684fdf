"""Where the energy goes: arithmetic against the movement of bytes."""

from __future__ import annotations

from typing import Any

from ..source import Content, mapping, number, text
from ..units import joules_text, share_text
from .bounds import widths

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
    sizes = widths([max(0.0, value) for _, _, value in known])
    return {
        "parts": [
            {"title": title, "class_": class_, "text": joules_text(value), "width": size, "share": f"{size:.1f} %"}
            for (title, class_, value), size in zip(known, sizes, strict=True)
        ],
        "total": joules_text(total if total is not None else sum(value for _, _, value in known)),
        "movement": share_text(number(found, "share_of_data_movement")),
        "note": text(found, "note"),
    }
