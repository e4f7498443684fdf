"""All that is needed to judge and to repeat the run: data, device and its sources, versions, files, the command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..estimates import latency_accuracy
from ..facts import Facts, facts, scalar_text
from ..limits import command
from ..source import Content, entries, look, mapping, number, text
from ..units import (
    DASH,
    Formatter,
    bytes_text,
    count_text,
    exact_text,
    number_text,
    seconds_text,
)


def _per_second(unit: str) -> Formatter:
    return lambda value: DASH if value is None else f"{count_text(value)}{unit}"


def _with(unit: str) -> Formatter:
    return lambda value: DASH if value is None else f"{number_text(value)} {unit}"


DEVICE_NUMBERS: Sequence[tuple[str, str, Formatter]] = (
    ("clock_hz", "clock", _per_second("Hz")),
    ("ram_bytes", "RAM", bytes_text),
    ("flash_bytes", "flash", bytes_text),
    ("macs_per_cycle", "MACs per cycle", number_text),
    ("bandwidth_bytes_s", "bandwidth", _per_second("B/s")),
    ("overhead_s", "overhead per operator", seconds_text),
    ("pj_per_mac", "energy per MAC", _with("pJ")),
    ("pj_per_byte", "energy per byte moved", _with("pJ")),
    ("round_to", "channel multiple of the SIMD lanes", number_text),
)


def setup(content: Content) -> dict[str, Any]:
    """Everything below the line, in the order in which a doubter asks for it."""
    asked = mapping(content, "asked")
    recipe = look(asked, "recipe")
    return {
        "command": command(content),
        "is_recorded": bool(text(asked, "command")),
        "seed": scalar_text(look(asked, "seed")),
        "data": _data(mapping(content, "data")),
        "splits": _splits(mapping(content, "data", "splits")),
        "recipe": facts(recipe if isinstance(recipe, dict) else {} if recipe is None else {"name": recipe}),
        "device": device_rows(mapping(content, "device")),
        "device_title": text(content, "device", "title") or text(content, "device", "name"),
        "versions": facts(mapping(content, "versions")),
        "machine": facts(mapping(content, "machine")),
        "files": _files(mapping(content, "artifacts")),
    }


def _data(data: Content) -> Facts:
    shown = ("name", "num_classes", "class_names", "fingerprint", "preprocess", "provenance")
    return facts({name: data[name] for name in shown if name in data})


def _splits(splits: Content) -> list[tuple[str, str]]:
    return [(name, count_exact(number(split, "num"))) for name, split in splits.items()]


def count_exact(value: float | None) -> str:
    return DASH if value is None else exact_text(value)


def device_rows(device: Content) -> list[dict[str, str]]:
    """One row per number, and per type where the device has one for each, with its source."""
    rows = []
    for field, title, format_ in DEVICE_NUMBERS:
        value = look(device, field)
        for dtype, each in value.items() if isinstance(value, dict) else [(None, value)]:
            key = field if dtype is None else f"{field}.{dtype}"
            if number({"value": each}, "value") is not None:
                rows.append(
                    {
                        "title": title if dtype is None else f"{title}, {dtype}",
                        "value": format_(each),
                        "source": text(device, "sources", key) or text(device, "sources", field),
                    }
                )
    accuracy = latency_accuracy(device)
    return [*rows, {"title": "latency", "value": "estimated", "source": accuracy}] if accuracy else rows


def _files(artifacts: Content) -> list[dict[str, str]]:
    return [
        {
            "artifact": name,
            "path": text(file, "path"),
            "bytes": bytes_text(number(file, "bytes")),
            "exact": exact_text(number(file, "bytes")),
            "sha256": text(file, "sha256"),
        }
        for name, artifact in artifacts.items()
        for file in entries(artifact, "files") or ([artifact] if text(artifact, "path") else [])
    ]
