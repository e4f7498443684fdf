"""Building SVG text safely: names become attributes, all text is escaped, numbers get one decimal."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from markupsafe import Markup, escape

from .scales import Scale

Piece = Markup | str
Words = Callable[[float], str]
NOTHING = Markup("")


def element(name: str, *children: Piece, **attributes: object) -> Markup:
    """`<name key="value">children</name>`; `class_` is class, `text_anchor` is text-anchor, None is left out."""
    given = [(key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items() if value is not None]
    opened = Markup("").join(Markup(' {}="{}"').format(key, _plain(value)) for key, value in given)
    inside = join(children)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), opened, inside)


def join(pieces: Iterable[Piece]) -> Markup:
    """The pieces one after the other, escaped where they are not markup already."""
    return Markup("").join(escape(piece) for piece in pieces)


def _plain(value: object) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)


def hover(text: str) -> Markup:
    """What the browser shows when the pointer rests on the element that holds this."""
    return element("title", text)


def path_through(points: Iterable[tuple[float, float]]) -> str:
    """Straight lines from point to point."""
    return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    return element("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), class_=class_)


def label(text: str, x: float, y: float, *, class_: str = "tick", anchor: str = "middle", turn: bool = False) -> Markup:
    """Text at (x, y); `turn` makes it run upwards."""
    where = {"transform": f"translate({x:.1f} {y:.1f}) rotate(-90)"} if turn else {"x": float(x), "y": float(y)}
    return element("text", text, class_=class_, text_anchor=anchor, **where)


@dataclass(frozen=True, kw_only=True)
class Panel:
    """The drawing area and the room for its axes, in pixels of the view box."""

    width: float
    height: float
    left: float = 44
    right: float = 12
    top: float = 10
    bottom: float = 40

    @property
    def x_start(self) -> float:
        return self.left

    @property
    def x_stop(self) -> float:
        return self.width - self.right

    @property
    def y_start(self) -> float:
        """Lower edge: y axes start here and grow upwards."""
        return self.height - self.bottom

    @property
    def y_stop(self) -> float:
        return self.top

    def draw(self, name: str, *children: Piece) -> Markup:
        """The whole picture, called `name` for those who do not see it."""
        box = f"0 0 {self.width:g} {self.height:g}"
        return element("svg", *children, viewBox=box, class_="plot", role="img", aria_label=name)

    def axes(self, x: Scale, y: Scale, *, x_text: Words, y_text: Words, x_title: str, y_title: str) -> Markup:
        """Grid lines, tick labels and titles."""
        across = [self._x_tick(x(value), x_text(value)) for value in x.ticks()]
        upward = [self._y_tick(y(value), y_text(value)) for value in y.ticks()]
        base = line(self.x_start, self.y_start, self.x_stop, self.y_start, "axis")
        middle = (self.x_start + self.x_stop) / 2
        titles = [label(x_title, middle, self.height - 6, class_="axis-title")] if x_title else []
        if y_title:
            titles.append(label(y_title, 11, (self.y_start + self.y_stop) / 2, class_="axis-title", turn=True))
        return join([*across, *upward, base, *titles])

    def _x_tick(self, x: float, text: str) -> Markup:
        return line(x, self.y_start, x, self.y_stop, "grid") + label(text, x, self.y_start + 15)

    def _y_tick(self, y: float, text: str) -> Markup:
        return line(self.x_start, y, self.x_stop, y, "grid") + label(text, self.x_start - 6, y + 4, anchor="end")
