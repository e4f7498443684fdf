"""A device file, checked: every field that is there is known, every number is positive and has a source."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..types import BYTES_PER_ELEMENT, Device
from .parse_table import parse_table

TEXTS = ("name", "title", "kind")
NUMBERS = ("clock_hz", "bandwidth_bytes_s", "overhead_s", "pj_per_byte")
WHOLE_NUMBERS = ("ram_bytes", "round_to")
PER_DTYPE = ("macs_per_cycle", "pj_per_mac")
TABLE = "latency_table"
OPTIONAL = ("flash_bytes", "operators", "host", TABLE)
REQUIRED = (*TEXTS, *NUMBERS, *WHOLE_NUMBERS, *PER_DTYPE, "runtimes", "sources")
KINDS = ("mcu", "cpu", "gpu")


def parse_device(path: Path) -> Device:
    """The device that `path` describes.

    Raises:
        ConfigError: the file is not TOML, a field is missing, unknown or out of range, or a number has no source.
    """
    content = _read(path)
    _check_fields(path, content)
    _check_values(path, content)
    _check_sources(path, content)
    lists = {key: tuple(content[key]) for key in ("runtimes", "operators") if key in content}
    table = {TABLE: parse_table(path, content[TABLE])} if TABLE in content else {}
    fields: dict[str, Any] = {"flash_bytes": None} | content | lists | table
    return Device(**fields)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not a TOML file ({error}): docs/devices.md shows one.") from error
    except OSError as error:
        raise ConfigError(f"Cannot read the device file {path} ({error.strerror}).") from error


def _check_fields(path: Path, content: dict[str, Any]) -> None:
    missing = [key for key in REQUIRED if key not in content]
    unknown = sorted(set(content) - {*REQUIRED, *OPTIONAL})
    if missing:
        raise ConfigError(f"{path} lacks {', '.join(missing)}: a device has {', '.join(REQUIRED)}.")
    if unknown:
        raise ConfigError(f"{path} has unknown fields {', '.join(unknown)}: a device has {', '.join(REQUIRED)}.")


def _check_values(path: Path, content: dict[str, Any]) -> None:
    for key in (*TEXTS, *({"host"} & set(content))):
        if not isinstance(content[key], str) or not content[key]:
            raise ConfigError(f"{path}: {key} is a text, got {content[key]!r}.")
    if content["kind"] not in KINDS:
        raise ConfigError(f"{path}: kind is one of {', '.join(KINDS)}, got {content['kind']!r}.")
    for key, value in numbers(content).items():
        whole = key in (*WHOLE_NUMBERS, "flash_bytes")
        _check_number(path, key, value, whole=whole)
    for table in PER_DTYPE:
        _check_dtypes(path, table, content[table])
    for key in ("runtimes", "operators"):
        _check_texts(path, key, content.get(key, []))


def numbers(content: dict[str, Any]) -> dict[str, Any]:
    """Every number of a device file by its source's key: `clock_hz`, `macs_per_cycle.int8`."""
    single = {key: content[key] for key in (*NUMBERS, *WHOLE_NUMBERS, "flash_bytes") if key in content}
    tables = {table: content[table] if isinstance(content[table], dict) else {} for table in PER_DTYPE}
    return single | {f"{table}.{dtype}": value for table, values in tables.items() for dtype, value in values.items()}


def _check_number(path: Path, key: str, value: Any, *, whole: bool) -> None:
    kind = "a whole number" if whole else "a number"
    right_type = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if not right_type or not value > 0 or not math.isfinite(value):
        raise ConfigError(f"{path}: {key} is {kind} greater than 0, got {value!r}.")


def _check_dtypes(path: Path, table: str, values: Any) -> None:
    if not isinstance(values, dict) or "float32" not in values:
        raise ConfigError(f"{path}: {table} is a table with at least float32, got {values!r}.")
    unknown = sorted(set(values) - set(BYTES_PER_ELEMENT))
    if unknown:
        raise ConfigError(f"{path}: {table} knows {', '.join(BYTES_PER_ELEMENT)}, got {', '.join(unknown)}.")


def _check_texts(path: Path, key: str, values: Any) -> None:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ConfigError(f"{path}: {key} is a list of texts, got {values!r}.")


def _check_sources(path: Path, content: dict[str, Any]) -> None:
    sources = content["sources"]
    if not isinstance(sources, dict) or not all(isinstance(text, str) and text for text in sources.values()):
        raise ConfigError(f"{path}: sources is a table of texts, one beside each number, got {sources!r}.")
    without = [key for key in numbers(content) if key not in sources]
    if without:
        raise ConfigError(f"{path}: {', '.join(without)} has no source: say in [sources] where the number comes from.")
