"""How the page counts, the device's numbers with their sources, and the versions."""

from __future__ import annotations

from typing import Any

from ..facts import facts
from ..sections.setup import device_rows
from ..source import Content, mapping, text


def conventions(content: Content) -> dict[str, Any]:
    """What a reader needs to compare these numbers with another tool's."""
    device = mapping(content, "device")
    return {
        "dtype": text(content, "dtype"),
        "device": device_rows(device),
        "device_title": text(device, "title") or text(device, "name"),
        "versions": facts(mapping(content, "versions")),
    }
