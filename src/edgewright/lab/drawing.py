"""Figures as SVG in one style: the same axes, six colours that are apart for every common colour blindness."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import singledispatch

from markupsafe import Markup

from ..report.plots.scales import Linear, Log, Scale, linear_over, log_over
from ..report.plots.svg import NOTHING, Panel, element, hover, join, label, line, path_through
from .figures import Bars, Chart, Field, Mark, Point, Series

NUM_COLOURS = 6
HEIGHT, WIDTH, ROW, MAX_LABEL = 280.0, 440.0, 18.0, 26
MAX_DOTS = 1500  # a page stays light; a cloud says no more with more of them
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@singledispatch
def draw(panel: Chart | Bars | Field, name: str) -> Markup:
    """The panel as SVG, called `name` for those who do not see it."""
    raise TypeError(f"{type(panel).__name__} is no panel")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of a legend: a name, and the classes of its swatch."""

    name: str
    look: str


@singledispatch
def legend(panel: Chart | Bars | Field) -> tuple[Entry, ...]:
    """What the colours of a panel mean; nothing where there is only one."""
    raise TypeError(f"{type(panel).__name__} is no panel")


@draw.register
def _(panel: Chart, name: str) -> Markup:
    frame = Panel(width=WIDTH, height=HEIGHT, left=58, right=14, bottom=44)
    points = [point for each in panel.series for point in each.points if _shown(point, panel)]
    x = _scale([point[0] for point in points], (frame.x_start, frame.x_stop), log=panel.log_x)
    y = _scale(list(_ends(points, panel.log_y)), (frame.y_start, frame.y_stop), log=panel.log_y)
    if panel.equal:
        x, y = _equal(x, y)
    axes = frame.axes(x, y, x_text=tick_text, y_text=tick_text, x_title=panel.x, y_title=panel.y)
    curves = (_series(each, place, x, y, panel) for place, each in enumerate(panel.series))
    return frame.draw(name, axes, *curves)


@legend.register
def _(panel: Chart) -> tuple[Entry, ...]:
    return _entries(panel.series)


@draw.register
def _(panel: Field, name: str) -> Markup:
    left, right, bottom, top = panel.extent
    frame = Panel(width=WIDTH, height=HEIGHT, left=58, right=14, bottom=44)
    x = _exactly(left, right, frame.x_start, frame.x_stop)
    y = _exactly(bottom, top, frame.y_start, frame.y_stop)
    axes = frame.axes(x, y, x_text=tick_text, y_text=tick_text, x_title=panel.x, y_title=panel.y)
    chart = Chart(x=panel.x, y=panel.y, series=panel.series)
    curves = (_series(each, place, x, y, chart) for place, each in enumerate(panel.series))
    return frame.draw(name, _cells(panel, frame), axes, *curves)


@legend.register
def _(panel: Field) -> tuple[Entry, ...]:
    return _entries(panel.series) if panel.series else ()


@draw.register
def _(panel: Bars, name: str) -> Markup:
    frame = Panel(width=WIDTH, height=48 + _row_height(panel) * len(panel.rows), left=_room(panel.rows), right=62)
    values = [point[0] for points in panel.groups.values() for point in points if math.isfinite(point[0])]
    ends = values if panel.log else [0.0, *values]
    x = _scale(ends, (frame.x_start, frame.x_stop), log=panel.log)
    ticks = [line(x(value), frame.y_start, x(value), frame.y_stop, "grid") for value in x.ticks()]
    words = [label(tick_text(value), x(value), frame.y_start + 15) for value in x.ticks()]
    title = label(panel.value, (frame.x_start + frame.x_stop) / 2, frame.height - 6, class_="axis-title")
    rows = (_bar_row(panel, index, x, frame) for index in range(len(panel.rows)))
    return frame.draw(name, *ticks, *words, title, *rows)


@legend.register
def _(panel: Bars) -> tuple[Entry, ...]:
    if len(panel.groups) == 1:
        return ()
    return tuple(Entry(name=name, look=f"swatch block c{place % NUM_COLOURS}")
                 for place, name in enumerate(panel.groups))  # fmt: skip


def tick_text(value: float) -> str:
    """A number as short as it can be: 0.05, 20, 10⁻⁶."""
    if value == 0:
        return "0"
    power = math.floor(math.log10(abs(value)) + 1e-9)
    if -3 <= power < 5:
        return f"{value:.5g}"
    factor = value / 10.0**power
    return ("" if abs(factor - 1) < 1e-9 else f"{factor:.3g}·") + f"10{str(power).translate(SUPERSCRIPT)}"


def _shown(point: Point, panel: Chart) -> bool:
    x, y = point[:2]
    return math.isfinite(x) and math.isfinite(y) and (x > 0 or not panel.log_x) and (y > 0 or not panel.log_y)


def _ends(points: Iterable[Point], log: bool) -> Iterable[float]:
    """Where the points and their error bars end; those that leave a logarithmic axis do not widen it."""
    for point in points:
        error = point[2] if len(point) > 2 and math.isfinite(point[2]) else 0.0
        yield from (end for end in (point[1] - error, point[1] + error) if end > 0 or not log)


def _scale(values: Sequence[float], ends: tuple[float, float], *, log: bool) -> Scale:
    present = list(values) or ([1.0, 10.0] if log else [0.0, 1.0])
    make = log_over if log else linear_over
    return make(present, start=ends[0], stop=ends[1])


def _exactly(low: float, high: float, start: float, stop: float) -> Scale:
    return Linear(low=low, high=high, start=start, stop=stop)


def _equal(x: Scale, y: Scale) -> tuple[Scale, Scale]:
    """Both linear scales about their middles, with as many pixels for a unit as the tighter one has."""
    per_unit = min(abs(x(1.0) - x(0.0)), abs(y(1.0) - y(0.0)))
    made = []
    for scale in (x, y):
        start, stop, low, high = scale.start, scale.stop, scale.low, scale.high  # type: ignore[attr-defined]
        half = abs(stop - start) / per_unit / 2
        made.append(_exactly((low + high) / 2 - half, (low + high) / 2 + half, start, stop))
    return made[0], made[1]


def _series(each: Series, place: int, x: Scale, y: Scale, panel: Chart) -> Markup:
    colour = _colour(each, place)
    kept = [point for point in each.points if _shown(point, panel)]
    parts = []
    if each.mark is not Mark.DOTS:
        dashes = " dashes" if each.mark is Mark.DASHES else ""
        parts += [element("path", d=path_through(run), class_=f"curve {colour}{dashes}")
                  for run in _runs(each, x, y, panel)]  # fmt: skip
    parts += [_error(point, x, y, colour, panel) for point in kept if len(point) > 2]
    if each.mark in {Mark.DOTS, Mark.BOTH}:
        stride = math.ceil(len(kept) / MAX_DOTS) or 1
        radius = 3.2 if len(kept) <= 60 else 1.8
        parts += [_dot(point, x, y, f"dot {colour}", (radius, each.name)) for point in kept[::stride]]
    return join(parts)


def _runs(each: Series, x: Scale, y: Scale, panel: Chart) -> Iterable[list[tuple[float, float]]]:
    """The line in pieces: a point that cannot be shown interrupts it."""
    run: list[tuple[float, float]] = []
    for point in each.points:
        if not _shown(point, panel):
            if len(run) > 1:
                yield run
            run = []
            continue
        here = (x(point[0]), y(point[1]))
        if each.mark is Mark.STEPS and run:
            run.append((here[0], run[-1][1]))
        run.append(here)
    if len(run) > 1:
        yield run


def _error(point: Point, x: Scale, y: Scale, colour: str, panel: Chart) -> Markup:
    low, high = point[1] - point[2], point[1] + point[2]
    if not math.isfinite(point[2]) or (panel.log_y and low <= 0):
        return NOTHING
    return line(x(point[0]), y(low), x(point[0]), y(high), f"error {colour}")


def _dot(point: Point, x: Scale, y: Scale, look: str, of: tuple[float, str]) -> Markup:
    radius, name = of
    text = hover(f"{name}: {tick_text(point[0])}, {tick_text(point[1])}")
    return element("circle", text, cx=x(point[0]), cy=y(point[1]), r=radius, class_=look)


def _cells(panel: Field, frame: Panel) -> Markup:
    flat = [value for row in panel.values for value in row if math.isfinite(value)]
    low, high = min(flat), max(flat)
    height = (frame.y_start - frame.y_stop) / len(panel.values)
    width = (frame.x_stop - frame.x_start) / len(panel.values[0])
    cells = []
    for index, row in enumerate(panel.values):
        for place, value in enumerate(row):
            if not math.isfinite(value):
                continue
            share = (value - low) / (high - low) if high > low else 0.5
            cells.append(_cell(frame, (place * width, index * height), (width, height), share))
    return join(cells)


def _cell(frame: Panel, at: tuple[float, float], size: tuple[float, float], share: float) -> Markup:
    overlap = 0.5  # no seams between neighbours
    return element(
        "rect", x=frame.x_start + at[0], y=frame.y_stop + at[1], width=size[0] + overlap, height=size[1] + overlap,
        class_="cell", style=f"opacity:{share:.2f}",
    )  # fmt: skip


def _room(rows: Sequence[str]) -> float:
    return 16 + 6.0 * min(MAX_LABEL, max(map(len, rows), default=0))


def _row_height(panel: Bars) -> float:
    return 10 + ROW * len(panel.groups) * (1.0 if len(panel.groups) == 1 else 0.72)


def _bar_row(panel: Bars, index: int, x: Scale, frame: Panel) -> Markup:
    top = frame.y_stop + index * _row_height(panel) + 4
    name = panel.rows[index]
    shown = name if len(name) <= MAX_LABEL else name[: MAX_LABEL - 1] + "…"
    middle = top + (_row_height(panel) - 8) / 2
    parts = [label(shown, frame.x_start - 8, middle + 4, class_="row-label", anchor="end")]
    step = (_row_height(panel) - 10) / len(panel.groups)
    zero = x.low if isinstance(x, Log) else 0.0
    for place, (group, points) in enumerate(panel.groups.items()):
        point, y = points[index], top + place * step
        if not math.isfinite(point[0]):
            continue
        start, end = sorted((x(zero), x(point[0])))
        bar = element("rect", hover(f"{name}, {group}: {tick_text(point[0])}"), x=start, y=y, rx=1.5,
                      width=max(1.0, end - start), height=step - 2, class_=f"bar c{place % NUM_COLOURS}")  # fmt: skip
        parts += [bar, _bar_end(point, x, y + step / 2)]
    return join(parts)


def _bar_end(point: Point, x: Scale, y: float) -> Markup:
    """The error bar, and the value behind what is drawn."""
    error = point[1] if len(point) > 1 and math.isfinite(point[1]) else 0.0
    low = point[0] - error
    bar = line(x(low), y, x(point[0] + error), y, "error") if error and (low > 0 or not isinstance(x, Log)) else NOTHING
    right = x(max(point[0] + error, 0.0 if not isinstance(x, Log) else point[0]))
    return join([bar, label(tick_text(float(f"{point[0]:.3g}")), right + 5, y + 3.5, class_="value", anchor="start")])


def _entries(many: Sequence[Series]) -> tuple[Entry, ...]:
    if len(many) == 1 and many[0].mark is not Mark.DASHES:
        return ()
    return tuple(
        Entry(name=each.name, look=f"swatch {each.mark} {_colour(each, place)}") for place, each in enumerate(many)
    )


def _colour(each: Series, place: int) -> str:
    return f"c{(place if each.colour is None else each.colour) % NUM_COLOURS}"
