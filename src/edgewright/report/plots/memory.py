"""Live bytes while each operator runs: a step per operator, split into the tensors of the peak and the others."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ..units import BINARY, bytes_text, number_text
from .scales import Linear
from .svg import NOTHING, Panel, element, hover, join, label, line, path_through

PANEL = Panel(width=400, height=280, left=52, top=24, right=14)
MAX_NAMED = 4  # tensors with a colour of their own
MAX_STEPS = 240  # more than the plot has room for: longer runs are told by the largest moment of each stretch
MAX_TOLD = 5  # tensors named on hover


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One operator and the bytes of each tensor that is alive while it runs."""

    operator: str
    live: Mapping[str, float]

    @property
    def num_bytes(self) -> float:
        return sum(self.live.values())


@dataclass(frozen=True, kw_only=True)
class Band:
    """One colour of the plot: a tensor that is alive at the peak, or (name None) all others together."""

    name: str | None
    title: str
    class_: str


@dataclass(frozen=True, kw_only=True)
class Step:
    """A stretch of operators [first, stop), shown by the one with the most bytes alive."""

    first: int
    stop: int
    moment: Moment


def bands(moments: Sequence[Moment]) -> list[Band]:
    """The tensors of the peak, the largest first and at the bottom, then the others."""
    top = max(moments, key=lambda each: each.num_bytes)
    largest = sorted(top.live.items(), key=lambda pair: (-pair[1], pair[0]))[:MAX_NAMED]
    named = [
        Band(name=name, title=f"{name} {bytes_text(size)}", class_=f"band{index}")
        for index, (name, size) in enumerate(largest)
    ]
    colored = {band.name for band in named}
    has_others = any(name not in colored for each in moments for name in each.live)
    return [*named, *([Band(name=None, title="all others", class_="band-others")] if has_others else [])]


def steps(moments: Sequence[Moment], *, most: int = MAX_STEPS) -> list[Step]:
    """At most `most` stretches of equal length; no peak is lost, because each shows its largest moment."""
    length = math.ceil(len(moments) / most)
    return [
        Step(
            first=first,
            stop=min(first + length, len(moments)),
            moment=max(moments[first : first + length], key=lambda each: each.num_bytes),
        )
        for first in range(0, len(moments), length)
    ]


def memory_panel(moments: Sequence[Moment], shown: Sequence[Band], *, limit: float | None = None) -> Markup:
    """The plot: bands from the bottom up, the total as a line, the peak marked.

    Args:
        moments: one per operator, in order; at least one with bytes.
        shown: the bands, from `bands`.
        limit: bytes that the device has, as a dashed line.
    """
    drawn = steps(moments)
    top = max(each.moment.num_bytes for each in drawn)
    unit, unit_name = next((step, name) for step, name in BINARY if top >= step or step == 1)
    x = Linear(low=0, high=len(moments), start=PANEL.x_start, stop=PANEL.x_stop)
    y = Linear(low=0, high=1.06 * max(top, limit or 0) / unit, start=PANEL.y_start, stop=PANEL.y_stop)
    axes = PANEL.axes(
        x, y, x_text=_whole, y_text=number_text, x_title="operators run", y_title=f"{unit_name} alive"
    )  # fmt: skip
    areas = [_area(band, drawn, heights, x, y, unit) for band, heights in _stacked(shown, drawn)]
    hits = [_hit(each, x) for each in drawn]
    lines = [_total(drawn, x, y, unit), NOTHING if limit is None else _limit(y(limit / unit))]
    return PANEL.draw("Live memory by operator", axes, *areas, *lines, *hits, _peak(drawn, x, y, unit))


def _limit(y: float) -> Markup:
    return line(PANEL.x_start, y, PANEL.x_stop, y, "limit")


def _whole(value: float) -> str:
    """A tick of the operators; between two of them there is nothing to name."""
    return number_text(value) if float(value).is_integer() else ""


def _stacked(shown: Sequence[Band], drawn: Sequence[Step]) -> Iterator[tuple[Band, list[tuple[float, float]]]]:
    """Each band with its lower and upper edge in bytes at every step."""
    floor = [0.0] * len(drawn)
    for band in shown:
        named = {each.name for each in shown}
        sizes = [_size(band, each.moment, named) for each in drawn]
        yield band, [(low, low + size) for low, size in zip(floor, sizes, strict=True)]
        floor = [low + size for low, size in zip(floor, sizes, strict=True)]


def _size(band: Band, moment: Moment, named: set[str | None]) -> float:
    if band.name is not None:
        return moment.live.get(band.name, 0.0)
    return sum(size for name, size in moment.live.items() if name not in named)


def _area(
    band: Band, drawn: Sequence[Step], edges: Sequence[tuple[float, float]], x: Linear, y: Linear, unit: float
) -> Markup:
    """The band as one path with a closed piece for each stretch in which its tensors are alive."""
    pieces = []
    for start, stop in _runs([high > low for low, high in edges]):
        upper, lower = [], []
        for step, (low, high) in zip(drawn[start:stop], edges[start:stop], strict=True):
            upper += [(x(step.first), y(high / unit)), (x(step.stop), y(high / unit))]
            lower += [(x(step.first), y(low / unit)), (x(step.stop), y(low / unit))]
        pieces.append(path_through([*upper, *reversed(lower)]) + "Z")
    return element("path", d="".join(pieces), class_=band.class_) if pieces else NOTHING


def _runs(alive: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Where `alive` is true without a gap, as (start, stop)."""
    start = None
    for index, each in enumerate([*alive, False]):
        if each and start is None:
            start = index
        elif not each and start is not None:
            yield start, index
            start = None


def _total(drawn: Sequence[Step], x: Linear, y: Linear, unit: float) -> Markup:
    corners = [
        (x(at), y(each.moment.num_bytes / unit)) for each in drawn for at in (each.first, each.stop)
    ]  # fmt: skip
    return element("path", d=path_through(corners), class_="total")


def _hit(each: Step, x: Linear) -> Markup:
    """A clear column that tells, on hover, what is alive there."""
    told = sorted(each.moment.live.items(), key=lambda pair: (-pair[1], pair[0]))
    names = [f"{name} {bytes_text(size)}" for name, size in told[:MAX_TOLD]]
    more = [f"and {len(told) - MAX_TOLD} more"] if len(told) > MAX_TOLD else []
    words = "\n".join([f"{each.moment.operator}: {bytes_text(each.moment.num_bytes)}", *names, *more])
    size = {"width": x(each.stop) - x(each.first), "height": PANEL.y_start - PANEL.y_stop}
    return element("rect", hover(words), x=x(each.first), y=float(PANEL.y_stop), class_="hit", **size)


def _peak(drawn: Sequence[Step], x: Linear, y: Linear, unit: float) -> Markup:
    """A ring on the peak, and its bytes above the drawing area, where nothing else is."""
    top = max(drawn, key=lambda each: each.moment.num_bytes)
    at, height = x((top.first + top.stop) / 2), y(top.moment.num_bytes / unit)
    side = "start" if at < PANEL.width * 0.35 else "end" if at > PANEL.width * 0.75 else "middle"
    words = label(f"peak {bytes_text(top.moment.num_bytes)}", at, PANEL.y_stop - 8, class_="point-name", anchor=side)
    return join([element("circle", cx=at, cy=height, r=4.0, class_="ring"), words])
