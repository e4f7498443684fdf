"""Score against cost: where the run started, what it tried, what it chose, and which points nothing beats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ..units import Formatter, bytes_text, number_text, points_text, short
from .scales import Scale, linear_over, log_over
from .svg import NOTHING, Panel, element, hover, join, label, line, path_through

PANEL = Panel(width=340, height=250, left=50)
TITLED = ("start", "fp32", "chosen")  # kinds that carry their name on the plot


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One model: its score in points and one cost (lower is better, greater than 0)."""

    label: str
    kind: str
    score: float
    cost: float


def front(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates that no other one beats: no other is at least as good at both and better at one. By cost."""
    best: list[Candidate] = []
    for each in sorted(candidates, key=lambda one: (one.cost, -one.score)):
        if not best or each.score > best[-1].score:
            best.append(each)
    return best


def pareto_panel(
    candidates: Sequence[Candidate], *, cost_title: str, format_: Formatter, floor: float | None
) -> Markup:
    """Cost to the right on a logarithmic axis, score upwards; a dashed line marks the lowest score accepted."""
    x, y = _scales(candidates, floor, binary=format_ is bytes_text)
    axes = PANEL.axes(x, y, x_text=lambda value: short(format_(value)), y_text=number_text,
                      x_title=f"{cost_title} (log)", y_title="score")  # fmt: skip
    rule = line(PANEL.x_start, y(floor), PANEL.x_stop, y(floor), "limit") if floor is not None else NOTHING
    ordered = sorted(candidates, key=lambda each: TITLED.index(each.kind) if each.kind in TITLED else -1)
    points = [_point(each, x, y, format_) for each in ordered]
    return PANEL.draw(f"Score against {cost_title}", axes, rule, _front_line(front(candidates), x, y), *points)


def _scales(candidates: Sequence[Candidate], floor: float | None, *, binary: bool) -> tuple[Scale, Scale]:
    costs, values = [each.cost for each in candidates], [each.score for each in candidates]
    x = log_over(costs, start=PANEL.x_start, stop=PANEL.x_stop, max_ticks=4, binary=binary)
    y = linear_over(
        [*values, *([floor] if floor is not None else [])], start=PANEL.y_start, stop=PANEL.y_stop, least=1, num_ticks=3
    )
    return x, y


def _front_line(best: Sequence[Candidate], x: Scale, y: Scale) -> Markup:
    """Steps: between two candidates one gets the score of the cheaper."""
    corners: list[tuple[float, float]] = []
    for each in best:
        if corners:
            corners.append((x(each.cost), corners[-1][1]))
        corners.append((x(each.cost), y(each.score)))
    return element("path", d=path_through(corners), class_="front") if len(best) > 1 else NOTHING


def _point(each: Candidate, x: Scale, y: Scale, format_: Formatter) -> Markup:
    px, py = x(each.cost), y(each.score)
    text = hover(f"{each.label} ({each.kind}): {points_text(each.score)} at {format_(each.cost)}")
    if each.kind == "chosen":
        shape = element("rect", text, x=px - 5, y=py - 5, width=10.0, height=10.0, class_="dot after",
                        transform=f"rotate(45 {px:.1f} {py:.1f})")  # fmt: skip
    elif each.kind in TITLED:
        shape = element("circle", text, cx=px, cy=py, r=5.0, class_="ring")
    else:
        shape = element("circle", text, cx=px, cy=py, r=3.2, class_="dot tried")
    return join([shape, _name_beside(each.kind, px, py) if each.kind in TITLED else NOTHING])


def _name_beside(kind: str, px: float, py: float) -> Markup:
    """The name on the side that has room."""
    right = px < PANEL.width * 0.62
    return label(kind, px + 9 if right else px - 9, py + 4, class_="point-name", anchor="start" if right else "end")
