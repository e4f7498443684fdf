"""How much the score suffers when one group of channels is cut: one small plot per group, all on the same axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ..units import number_text, points_text
from .scales import Linear
from .svg import NOTHING, Panel, element, hover, line, path_through

PANEL = Panel(width=170, height=126, left=30, right=8, top=8, bottom=34)


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One group: (keep, value) pairs; keep is the share of channels that stays."""

    group: str
    points: Sequence[tuple[float, float]]


def sensitivity_panel(curve: Curve, *, low: float, high: float, baseline: float | None, y_name: str) -> Markup:
    """Keep to the right from 0 to 1, score (or loss) upwards between `low` and `high`; the uncut model is dashed."""
    x = Linear(low=0, high=1, start=PANEL.x_start, stop=PANEL.x_stop, num_ticks=3)
    y = Linear(low=low, high=high, start=PANEL.y_start, stop=PANEL.y_stop, num_ticks=2)
    axes = PANEL.axes(x, y, x_text=number_text, y_text=lambda value: f"{value:g}", x_title="keep", y_title="")
    rule = line(PANEL.x_start, y(baseline), PANEL.x_stop, y(baseline), "limit") if baseline is not None else NOTHING
    ordered = sorted(curve.points)
    stroke = element("path", d=path_through((x(keep), y(value)) for keep, value in ordered), class_="curve")
    dots = [_dot(x(keep), y(value), f"keep {keep:g}: {y_name} {points_text(value)}") for keep, value in ordered]
    return PANEL.draw(f"Sensitivity of {curve.group}", axes, rule, stroke, *dots)


def _dot(px: float, py: float, text: str) -> Markup:
    return element("circle", hover(text), cx=px, cy=py, r=2.6, class_="dot after")
