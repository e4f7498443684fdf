"""Figures as data: an experiment says what to draw, `lab.drawing` draws all of them in one style.

Points are (x, y) or (x, y, standard error).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

Point = tuple[float, ...]


class Mark(StrEnum):
    """How the points of a series are shown."""

    LINE = "line"
    DOTS = "dots"
    BOTH = "both"
    STEPS = "steps"
    DASHES = "dashes"  # a closed form, a limit, a reference


@dataclass(frozen=True, kw_only=True)
class Series:
    """One curve or cloud; `colour` counts from 0 and is the series' place where None."""

    name: str
    points: tuple[Point, ...]
    mark: Mark = Mark.LINE
    colour: int | None = None


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Curves and clouds over two axes."""

    x: str
    y: str
    series: tuple[Series, ...]
    log_x: bool = False
    log_y: bool = False
    equal: bool = False  # the same length for one unit on both axes


@dataclass(frozen=True, kw_only=True)
class Bars:
    """Horizontal bars in rows; `groups` has one value per row for each name: (value) or (value, standard error)."""

    value: str
    rows: tuple[str, ...]
    groups: Mapping[str, tuple[Point, ...]]
    log: bool = False


@dataclass(frozen=True, kw_only=True)
class Field:
    """A map of values (rows, columns), from the lowest to the highest in shades; with paths over it, in its units.

    Attributes:
        extent: (left, right, bottom, top) of the map; row 0 is the top.
    """

    x: str
    y: str
    values: tuple[tuple[float, ...], ...]
    extent: tuple[float, float, float, float]
    series: tuple[Series, ...] = ()


Panel = Chart | Bars | Field


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One picture of one or few panels, each under its title, and what to see in it."""

    caption: str
    panels: tuple[tuple[str, Panel], ...]


def series(
    name: str, x: Iterable[float], y: Iterable[float], errors: Iterable[float] | None = None, *,
    mark: Mark = Mark.LINE, colour: int | None = None,
) -> Series:  # fmt: skip
    """A series from columns of equal length."""
    columns = [[float(value) for value in column] for column in (x, y, *([] if errors is None else [errors]))]
    return Series(name=name, points=tuple(zip(*columns, strict=True)), mark=mark, colour=colour)


def chart(caption: str, *curves: Series, x: str, y: str, **more: Any) -> Figure:
    """A figure of one chart; `more`: log_x, log_y, equal."""
    return Figure(caption=caption, panels=(("", Chart(x=x, y=y, series=curves, **more)),))


def bars(caption: str, rows: Sequence[str], *, value: str, log: bool = False, **groups: Sequence[Any]) -> Figure:
    """A figure of bars: one keyword per group, with a value, (value, error) or `Number` for each row.

    A group called `only` stands alone, without a legend.
    """
    made = {name.replace("_", " "): tuple(map(_point, values)) for name, values in groups.items()}
    assert all(len(points) == len(rows) for points in made.values()), "a group has one value per row"
    return Figure(caption=caption, panels=(("", Bars(value=value, rows=tuple(rows), groups=made, log=log)),))


def field(x: str, y: str, values_HW: np.ndarray, *, extent: Sequence[float], curves: Sequence[Series] = ()) -> Field:
    """A map from an array; row 0 is the top."""
    left, right, bottom, top = map(float, extent)
    rows = tuple(tuple(map(float, row)) for row in np.asarray(values_HW))
    return Field(x=x, y=y, values=rows, extent=(left, right, bottom, top), series=tuple(curves))


def panels(caption: str, **titled: Panel | Figure) -> Figure:
    """Panels side by side under their titles (underscores become spaces); a figure gives its one panel."""
    pairs = ((name.replace("_", " "), each.panels[0][1] if isinstance(each, Figure) else each)
             for name, each in titled.items())  # fmt: skip
    return Figure(caption=caption, panels=tuple(pairs))


def _point(value: Any) -> Point:
    if hasattr(value, "value"):
        return (float(value.value),) if value.error is None else (float(value.value), float(value.error))
    return tuple(map(float, value)) if isinstance(value, tuple) else (float(value),)
