"""The section `[latency_table]` of a device file: operators as the machine took them, and the error on whole models."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..types import BYTES_PER_ELEMENT, LatencyTable, Validated

REQUIRED = ("runtime", "machine", "threads", "call_overhead_s", "points")
OPTIONAL = ("validation",)
VALIDATED = ("name", "dtype", "predicted_s", "measured_s")
WHERE = "latency_table"
REMEDY = "write it with `edgewright calibrate`"


def parse_table(path: Path, content: Any) -> LatencyTable:
    """The latency table of the device file `path`.

    Raises:
        ConfigError: a field is missing, unknown, or not of its kind.
    """
    _check_fields(path, content)
    points = content["points"]
    if not isinstance(points, dict) or not all(isinstance(kinds, dict) for kinds in points.values()):
        raise ConfigError(f"{path}: {WHERE}.points holds a table of kinds for each dtype: {REMEDY}.")
    unknown = sorted(set(points) - set(BYTES_PER_ELEMENT))
    if unknown:
        raise ConfigError(f"{path}: {WHERE}.points knows {', '.join(BYTES_PER_ELEMENT)}, got {', '.join(unknown)}.")
    return LatencyTable(
        runtime=content["runtime"],
        machine=content["machine"],
        threads=content["threads"],
        call_overhead_s=float(content["call_overhead_s"]),
        points={
            dtype: {kind: _rows(path, f"{dtype}.{kind}", rows) for kind, rows in kinds.items()}
            for dtype, kinds in points.items()
        },
        validation=tuple(_validated(path, entry) for entry in content.get("validation", [])),
    )


def _check_fields(path: Path, content: Any) -> None:
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: {WHERE} is a table, got {content!r}: {REMEDY}.")
    missing = [key for key in REQUIRED if key not in content]
    unknown = sorted(set(content) - {*REQUIRED, *OPTIONAL})
    if missing or unknown:
        wrong = f"lacks {', '.join(missing)}" if missing else f"has unknown fields {', '.join(unknown)}"
        raise ConfigError(f"{path}: {WHERE} {wrong}: it has {', '.join((*REQUIRED, *OPTIONAL))}.")
    for key in ("runtime", "machine"):
        if not isinstance(content[key], str) or not content[key]:
            raise ConfigError(f"{path}: {WHERE}.{key} is a text, got {content[key]!r}.")
    if not isinstance(content["threads"], int) or isinstance(content["threads"], bool) or content["threads"] < 1:
        raise ConfigError(f"{path}: {WHERE}.threads is a whole number greater than 0, got {content['threads']!r}.")
    if not _is_positive(content["call_overhead_s"]):
        got = content["call_overhead_s"]
        raise ConfigError(f"{path}: {WHERE}.call_overhead_s is a number greater than 0, got {got!r}.")
    if not isinstance(content.get("validation", []), list):
        raise ConfigError(f"{path}: {WHERE}.validation is a list of models: {REMEDY}.")


def _rows(path: Path, name: str, rows: Any) -> tuple[tuple[float, ...], ...]:
    good = isinstance(rows, list) and rows and all(isinstance(row, list) for row in rows)
    if not good or len({len(row) for row in rows}) != 1 or len(rows[0]) < 3:
        raise ConfigError(f"{path}: {WHERE}.points.{name} is a list of rows of one length, 3 or more: {REMEDY}.")
    for row in rows:
        if not all(map(_is_positive, row)):
            raise ConfigError(f"{path}: {WHERE}.points.{name} holds numbers greater than 0, got {row!r}: {REMEDY}.")
    return tuple(tuple(map(float, row)) for row in rows)


def _validated(path: Path, entry: Any) -> Validated:
    if not isinstance(entry, dict) or set(entry) != set(VALIDATED):
        raise ConfigError(f"{path}: each {WHERE}.validation has {', '.join(VALIDATED)}, got {entry!r}: {REMEDY}.")
    if not (isinstance(entry["name"], str) and entry["dtype"] in BYTES_PER_ELEMENT):
        raise ConfigError(f"{path}: {WHERE}.validation names a model and a dtype, got {entry!r}: {REMEDY}.")
    for key in ("predicted_s", "measured_s"):
        if not _is_positive(entry[key]):
            raise ConfigError(f"{path}: {WHERE}.validation.{key} is a number greater than 0, got {entry[key]!r}.")
    return Validated(**entry)


def _is_positive(value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and value > 0 and math.isfinite(value)
