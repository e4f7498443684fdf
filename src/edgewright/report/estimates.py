"""How far off a device's latency estimates may be, where the device knows: from the table in its file."""

from __future__ import annotations

from ..types import LatencyTable, Validated
from .source import Content, entries, mapping, number, text

TYPES = ("float32", "int8")  # of the two models that a run compares


def latency_accuracy(device: Content) -> str:
    """One sentence for a calibrated device, "" for one whose numbers are a data sheet's."""
    stored = mapping(device, "latency_table")
    if not stored:
        return ""
    table = LatencyTable(
        runtime=text(stored, "runtime"), machine=text(stored, "machine"), threads=1, call_overhead_s=0.0, points={},
        validation=tuple(validated for each in entries(stored, "validation") if (validated := _validated(each))),
    )  # fmt: skip
    return f"measured operators of {text(device, 'name')}: " + "; ".join(
        f"{dtype}: {table.accuracy(dtype)}" for dtype in TYPES
    )


def _validated(each: Content) -> Validated | None:
    predicted, measured = number(each, "predicted_s"), number(each, "measured_s")
    if predicted is None or not measured or measured < 0:
        return None
    return Validated(name=text(each, "name"), dtype=text(each, "dtype"), predicted_s=predicted, measured_s=measured)
