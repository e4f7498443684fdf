"""The content of a cost page: plain data of format `edgewright.analysis/1`, checked once before anything is drawn.

What must be there is checked here and strictly, with one message that names all that is missing; everything else is
looked up with the functions of `source`, and a section whose part is absent is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import DataError
from ..types import ANALYSIS_FORMAT
from .source import Content

REQUIRED = ("format", "model", "dtype", "totals", "operators")
TOTALS = ("params", "macs", "weight_bytes", "peak_ram_bytes")
OBJECTS = ("totals", "device", "versions", "memory", "roofline", "energy")
LISTS = ("operators", "modules", "types", "shapes", "fits")
INNER_LISTS = (("totals", "by_dtype"), ("memory", "variants"), ("memory", "timeline"),
               ("roofline", "points"), ("roofline", "remedies"))  # fmt: skip
REMEDY = "write the page from what `edgewright analyze` found"


def checked(content: Mapping[str, Any]) -> Content:
    """A copy of `content` as JSON would give it back (tuples become lists), once its frame is right.

    Raises:
        DataError: it is no plain data, of another format, or a part is missing or not of the kind it must be.
    """
    copy = _as_json(content)
    if copy.get("format", ANALYSIS_FORMAT) != ANALYSIS_FORMAT:
        _refuse(f"its format is {copy['format']!r}, this version reads {ANALYSIS_FORMAT!r}")
    _expect_keys(copy, REQUIRED, "")
    for name in OBJECTS:
        _expect(copy.get(name), Mapping, f"'{name}' must be an object")
    for name in LISTS:
        _expect_rows(copy.get(name), name)
    for outer, inner in INNER_LISTS:
        _expect_rows((copy.get(outer) or {}).get(inner), f"{outer}.{inner}")
    _expect_keys(copy["totals"], TOTALS, "totals.")
    return copy


def _as_json(content: Any) -> dict[str, Any]:
    try:
        copy = json.loads(json.dumps(content))
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(f"The analysis is no plain data ({error}): {REMEDY}.") from error
    if not isinstance(copy, dict):
        _refuse(f"it must be an object, got {type(copy).__name__}")
    return copy


def _expect_keys(found: Mapping[str, Any], names: Iterable[str], prefix: str) -> None:
    missing = [f"'{prefix}{name}'" for name in names if found.get(name) is None]
    if missing:
        _refuse(f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing")


def _expect_rows(value: Any, name: str) -> None:
    _expect(value, list, f"'{name}' must be a list")
    for index, row in enumerate(value or ()):
        if not isinstance(row, Mapping):
            _refuse(f"'{name}[{index}]' must be an object, got {type(row).__name__}")


def _expect(value: Any, kind: type, rule: str) -> None:
    if value is not None and not isinstance(value, kind):
        _refuse(f"{rule}, got {type(value).__name__}")


def _refuse(reason: str) -> None:
    raise DataError(f"The analysis cannot be shown: {reason}; {REMEDY}.")
