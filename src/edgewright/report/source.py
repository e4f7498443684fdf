"""Reading `run.json`: what must be there, and looking into what may not be.

The page is written from saved data only, perhaps by a later version or from a run that stopped early. So the frame is
checked once and strictly, and everything inside it is looked up with `number`, `text`, `mapping` and `entries`, which
answer "not known" for what is absent or of another kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import ConfigError, DataError
from ..files import read_tagged
from ..types import RUN_FILE, RUN_FORMAT

Content = Mapping[str, Any]

OBJECTS = ("asked", "verdict", "versions", "machine", "device", "data", "profile", "artifacts", "confusion", "firmware")
LISTS = ("stages", "sensitivity", "rounds", "pareto", "parity", "latency", "checks")
REQUIRED = ("asked", "verdict")
LARGEST = 1e300  # beyond it a number is damage; also false for NaN and infinity


def read_run_file(folder: Path) -> Content:
    """The content of `folder`/run.json.

    Raises:
        ConfigError: there is no such file.
        DataError: it is damaged, of another format, or a part of it is not of the kind it must be.
    """
    path = folder / RUN_FILE
    absent = ConfigError(f"{folder} holds no {RUN_FILE}: give the folder of a run that `fit` has finished.")
    content = read_tagged(path, RUN_FORMAT, absent=absent, remedy="rerun `fit` with --resume")
    check_frame(content, path)
    return content


def check_frame(content: Content, path: Path) -> None:
    """Refuse a run whose parts are not objects and lists of objects."""
    for name in REQUIRED:
        if not content.get(name):
            raise DataError(f"{path} is damaged: '{name}' is missing; rerun `fit` with --resume to write it again.")
    for name in OBJECTS:
        _expect(content.get(name), Mapping, f"'{name}' must be an object", path)
    for name in LISTS:
        _expect(content.get(name), list, f"'{name}' must be a list", path)
        for index, entry in enumerate(content.get(name) or []):
            _expect(entry, Mapping, f"'{name}[{index}]' must be an object", path)


def _expect(value: Any, kind: type, rule: str, path: Path) -> None:
    if value is not None and not isinstance(value, kind):
        got = type(value).__name__
        raise DataError(f"{path} is damaged: {rule}, got {got}; rerun `fit` with --resume to write it again.")


def look(value: Any, *keys: str) -> Any:
    """`value[key1][key2]...`, or None as soon as one is missing."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def number(value: Any, *keys: str) -> float | None:
    """The finite number found there, or None."""
    found = look(value, *keys)
    is_number = isinstance(found, (int, float)) and not isinstance(found, bool)
    return found if is_number and abs(found) < LARGEST else None


def text(value: Any, *keys: str) -> str:
    """The text found there; numbers as they print, nothing as ''."""
    found = look(value, *keys)
    return "" if found is None or isinstance(found, (Mapping, list)) else str(found)


def mapping(value: Any, *keys: str) -> Content:
    """The object found there, or an empty one."""
    found = look(value, *keys)
    return found if isinstance(found, Mapping) else {}


def entries(value: Any, *keys: str) -> Sequence[Content]:
    """The objects of the list found there, or none."""
    found = look(value, *keys)
    return [entry for entry in found if isinstance(entry, Mapping)] if isinstance(found, list) else []


def texts(value: Any, *keys: str) -> list[str]:
    """The entries of the list found there as text; a single text is a list of one."""
    found = look(value, *keys)
    if isinstance(found, str):
        return [found]
    return [str(entry) for entry in found] if isinstance(found, list) else []


def shape_text(value: Any) -> str:
    """[1, 16, 32, 32] -> 1×16×32×32."""
    return "\N{MULTIPLICATION SIGN}".join(str(size) for size in value) if isinstance(value, list) else ""


def is_judged(content: Content) -> bool:
    """Whether the gate held this run against its budget; a single stage is done, never passed."""
    return bool(entries(content, "checks"))


def chosen_path(content: Content) -> list[Content]:
    """The stages that made the final model, in order: those of the chosen round and all that came before the rounds.

    Without `chosen_stages` the run had one path only, and all its stages are on it.
    """
    stages, chosen = list(entries(content, "stages")), look(content, "chosen_stages")
    indices = {index for index in chosen if isinstance(index, int)} if isinstance(chosen, list) else set()
    if not indices:
        return stages
    return [stage for stage in stages if number(stage, "index") in indices or _is_before(stage, min(indices))]


def _is_before(stage: Content, first: int) -> bool:
    index = number(stage, "index")
    return index is not None and index < first
