"""A device as the text of a device file, such that parsing it gives the device back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ..types import Device, LatencyTable

SINGLE = (
    "name", "title", "kind", "clock_hz", "ram_bytes", "flash_bytes", "bandwidth_bytes_s", "overhead_s", "pj_per_byte",
    "round_to", "runtimes", "operators", "host",
)  # fmt: skip
TABLES = ("macs_per_cycle", "pj_per_mac", "sources")


def device_text(device: Device) -> str:
    """The TOML file that describes `device`, its latency table included."""
    lines = [f"{key} = {_value(getattr(device, key))}" for key in SINGLE if getattr(device, key) is not None]
    for table in TABLES:
        lines += ["", f"[{table}]", *_entries(getattr(device, table))]
    if device.latency_table is not None:
        lines += _table(device.latency_table)
    return "\n".join(lines) + "\n"


def _table(table: LatencyTable) -> Iterable[str]:
    yield from ("", "[latency_table]")
    for key in ("runtime", "machine", "threads", "call_overhead_s"):
        yield f"{key} = {_value(getattr(table, key))}"
    for each in table.validation:
        yield from ("", "[[latency_table.validation]]")
        yield from _entries(vars(each))
    yield from (
        "",
        "# Points: work (MACs, or bytes), features, seconds; see docs/latency.md.",
        "[latency_table.points]",
    )
    for dtype, kinds in table.points.items():
        yield from ("", f"[latency_table.points.{dtype}]")
        for kind, rows in kinds.items():
            yield f"{_value(kind)} = ["
            yield from (f"  {_value(row)}," for row in rows)
            yield "]"


def _entries(values: Mapping[str, Any]) -> list[str]:
    return [f"{key if key.isidentifier() else _value(key)} = {_value(value)}" for key, value in values.items()]


def _value(value: Any) -> str:
    """One TOML value; a float that is whole and short is written as an integer would be, and is read as equal."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)  # TOML's basic strings escape as JSON does
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return repr(value)
