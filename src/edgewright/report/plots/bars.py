"""One quantity after each stage: a bar per stage for costs, a point with its standard error per stage for scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ..units import DASH, Formatter, points_text
from .scales import Linear, linear_over
from .svg import NOTHING, Panel, element, hover, join, label, line, path_through

WIDTH, ROW, LEFT, RIGHT, TOP = 340.0, 26.0, 84.0, 66.0, 18.0
MAX_LABEL = 13  # characters that fit left of the bars
REACH = 10.0  # points below the best score that the axis of scores shows


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One stage: its label, its value, and for scores the standard error."""

    label: str
    value: float | None
    error: float = 0.0


def bar_panel(name: str, bars: Sequence[Bar], *, format_: Formatter, limit: float | None = None) -> Markup:
    """Bars from zero, the last one in the colour of the result; a dashed line marks the limit when it is in sight.

    Args:
        name: what is shown, for the accessible name.
        limit: the largest value allowed, drawn only within four times the largest value: farther, it says nothing.
    """
    values = [bar.value for bar in bars if bar.value is not None]
    top = max(values, default=0) or 1.0
    in_sight = limit is not None and limit <= 4 * top
    panel = _panel(len(bars), limit_row=in_sight)
    x = Linear(low=0, high=max(top, limit or 0) if in_sight else top, start=panel.x_start, stop=panel.x_stop)
    rows = [_bar_row(bar, _row_y(index), x, format_, last=index == len(bars) - 1) for index, bar in enumerate(bars)]
    mark = _vertical(panel, x(limit), f"limit {format_(limit)}") if in_sight and limit is not None else NOTHING
    return panel.draw(name, *rows, mark)


def score_panel(name: str, bars: Sequence[Bar], *, floor: float | None) -> Markup:
    """Points with one standard error to each side, on an axis that shows only the range in use.

    A score more than `REACH` points under the best would squeeze all others together: it becomes an arrow at the edge.
    The accepted score is dashed, unless it is that far away too.
    """
    lowest = lowest_in_sight(bars)
    shown = [(bar.value, bar.error) for bar in bars if bar.value is not None and bar.value >= lowest]
    reach = [value + side * error for value, error in shown for side in (-1, 1)]
    floor = floor if floor is not None and floor >= lowest else None
    panel = _panel(len(bars), limit_row=floor is not None)
    ends = [*reach, *([floor] if floor is not None else [])] or [0, 100]
    x = linear_over(ends, start=panel.x_start, stop=panel.x_stop, least=1.0)
    rows = [_score_row(bar, _row_y(index), x, lowest, last=index == len(bars) - 1) for index, bar in enumerate(bars)]
    mark = _vertical(panel, x(floor), f"accepted from {points_text(floor)}") if floor is not None else NOTHING
    return panel.draw(name, *rows, mark)


def lowest_in_sight(bars: Sequence[Bar]) -> float:
    """The smallest score that the axis of `score_panel` has room for."""
    return max((bar.value for bar in bars if bar.value is not None), default=0.0) - REACH


def _panel(num_rows: int, *, limit_row: bool) -> Panel:
    top = TOP if limit_row else 4.0
    return Panel(width=WIDTH, height=TOP + num_rows * ROW + 4, left=LEFT, right=RIGHT, top=top, bottom=4)


def _row_y(index: int) -> float:
    return TOP + (index + 0.5) * ROW


def _bar_row(bar: Bar, y: float, x: Linear, format_: Formatter, *, last: bool) -> Markup:
    parts = [_row_label(bar.label, y)]
    end = x.start
    if bar.value is not None:
        end = x(bar.value)
        size = {"x": x.start, "y": y - 7, "width": max(1.0, end - x.start), "height": 14.0}
        parts.append(element("rect", class_="bar after" if last else "bar before", rx=1.5, **size))
    parts.append(label(format_(bar.value), end + 5, y + 4, class_="value", anchor="start"))
    return element("g", hover(f"{bar.label}: {format_(bar.value)}"), *parts)


def _score_row(bar: Bar, y: float, x: Linear, lowest: float, *, last: bool) -> Markup:
    parts = [_row_label(bar.label, y), line(x.start, y, x.stop, y, "grid")]
    side = "after" if last else "before"
    if bar.value is not None and bar.value < lowest:
        corners = [(x.start, y), (x.start + 9, y - 5), (x.start + 9, y + 5)]
        parts.append(element("path", d=path_through(corners), class_=f"arrow {side}"))
    elif bar.value is not None:
        parts.append(line(x(bar.value - bar.error), y, x(bar.value + bar.error), y, f"error {side}"))
        parts.append(element("circle", cx=x(bar.value), cy=y, r=4.0, class_=f"dot {side}"))
    text = DASH if bar.value is None else points_text(bar.value)
    parts.append(label(text, WIDTH - RIGHT + 8, y + 4, class_="value", anchor="start"))
    return element("g", hover(f"{bar.label}: {text} ± {points_text(bar.error)}"), *parts)


def _row_label(text: str, y: float) -> Markup:
    shown = text if len(text) <= MAX_LABEL else text[: MAX_LABEL - 1] + "…"
    return label(shown, LEFT - 8, y + 4, class_="row-label", anchor="end")


def _vertical(panel: Panel, x: float, text: str) -> Markup:
    inside = x < panel.x_start + 0.6 * (panel.x_stop - panel.x_start)
    words = label(text, x + 4 if inside else x - 4, TOP - 6, class_="limit-text", anchor="start" if inside else "end")
    return join([line(x, TOP - 14, x, panel.height - panel.bottom, "limit"), words])
