"""Findings on disk: JSON that holds numbers and figures as they were, infinities and gaps included."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..files import read_tagged, write_json
from .figures import Bars, Chart, Field, Figure, Mark, Panel, Point, Series
from .finding import Finding, Number, Verdict

FORMAT = "edgewright-finding-1"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One run of one experiment.

    Attributes:
        code: hash of all that the numbers may depend on; another hash means that they may be out of date.
    """

    experiment: str
    seed: int
    fast: bool
    seconds: float
    code: str
    finding: Finding


def save(outcome: Outcome, folder: Path) -> None:
    """Write NAME.json."""
    content = {"format": FORMAT, **dataclasses.asdict(outcome)}
    panels = [
        [title, {"kind": type(panel).__name__, **dataclasses.asdict(panel)}]
        for title, panel in outcome.finding.figure.panels
    ]
    content["finding"]["figure"]["panels"] = panels
    write_json(folder / f"{outcome.experiment}.json", _plain(content))


def load(path: Path) -> Outcome:
    """What `save` wrote.

    Raises:
        DataError: there is no such file, or it is not what `save` writes.
    """
    absent = DataError(f"{path} is not there: run the experiment first.")
    content = read_tagged(path, FORMAT, absent=absent, remedy="delete it and run the experiment again")
    try:
        finding = _finding(content["finding"])
        return Outcome(
            **{key: content[key] for key in ("experiment", "seed", "fast", "seconds", "code")}, finding=finding
        )
    except (KeyError, TypeError, ValueError, AssertionError) as error:
        raise DataError(f"{path} is no finding ({error}): delete it and run the experiment again.") from error


def _plain(value: Any) -> Any:
    """JSON has no infinity and no gap: they become words."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _finding(told: Mapping[str, Any]) -> Finding:
    numbers = tuple(Number(**{key: _number(key, each) for key, each in row.items()}) for row in told["numbers"])
    return Finding(
        verdict=Verdict(told["verdict"]), condition=told["condition"], summary=told["summary"], numbers=numbers,
        figure=_figure(told["figure"]),
    )  # fmt: skip


def _number(key: str, value: Any) -> Any:
    return value if key in {"name", "unit"} or value is None else float(value)


def _figure(told: Mapping[str, Any]) -> Figure:
    return Figure(
        caption=told["caption"], panels=tuple((title, _panel(dict(panel))) for title, panel in told["panels"])
    )


def _panel(told: dict[str, Any]) -> Panel:
    return _PANELS[told.pop("kind")](told)


def _series(told: Mapping[str, Any]) -> Series:
    points = _points(told["points"])
    return Series(name=told["name"], points=points, mark=Mark(told["mark"]), colour=told["colour"])


def _points(told: Any) -> tuple[Point, ...]:
    return tuple(tuple(float(value) for value in point) for point in told)


def _chart(told: dict[str, Any]) -> Chart:
    return Chart(**told | {"series": tuple(map(_series, told["series"]))})


def _bars(told: dict[str, Any]) -> Bars:
    groups = {name: _points(points) for name, points in told["groups"].items()}
    return Bars(**told | {"rows": tuple(told["rows"]), "groups": groups})


def _field(told: dict[str, Any]) -> Field:
    left, right, bottom, top = map(float, told["extent"])
    curves = tuple(map(_series, told["series"]))
    return Field(**told | {"values": _points(told["values"]), "extent": (left, right, bottom, top), "series": curves})


_PANELS: Mapping[str, Callable[[dict[str, Any]], Panel]] = {"Chart": _chart, "Bars": _bars, "Field": _field}
