"""Score against the share of weights left, one curve for each kind of net, with standard errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ..units import number_text, points_text, share_text, short
from .scales import Scale, linear_over, log_over
from .svg import NOTHING, Panel, element, hover, join, line, path_through

PANEL = Panel(width=460, height=270, left=50)


@dataclass(frozen=True, kw_only=True)
class KeepCurve:
    """One kind of net: (keep, score, standard error or None); `kind` names its colour in the style sheet."""

    label: str
    kind: str
    points: Sequence[tuple[float, float, float | None]]


def keep_panel(name: str, curves: Sequence[KeepCurve], *, baseline: float | None) -> Markup:
    """Fewer weights to the right on a logarithmic axis, score upwards; the dense net's score is dashed."""
    found = [point for curve in curves for point in curve.points]
    x = log_over([keep for keep, _, _ in found], start=PANEL.x_stop, stop=PANEL.x_start)
    ends = [score + side * (error or 0) for _, score, error in found for side in (-1, 1)]
    y = linear_over(
        [*ends, *([baseline] if baseline is not None else [])], start=PANEL.y_start, stop=PANEL.y_stop, least=1
    )
    axes = PANEL.axes(x, y, x_text=lambda value: short(share_text(value)), y_text=number_text,
                      x_title="weights left (log)", y_title="score")  # fmt: skip
    rule = line(PANEL.x_start, y(baseline), PANEL.x_stop, y(baseline), "limit") if baseline is not None else NOTHING
    return PANEL.draw(name, axes, rule, *(_curve(curve, x, y) for curve in reversed(curves)))


def _curve(curve: KeepCurve, x: Scale, y: Scale) -> Markup:
    ordered = sorted(curve.points, reverse=True)
    path = path_through((x(keep), y(score)) for keep, score, _ in ordered)
    return join(
        [element("path", d=path, class_=f"curve {curve.kind}"), *(_point(each, curve, x, y) for each in ordered)]
    )


def _point(point: tuple[float, float, float | None], curve: KeepCurve, x: Scale, y: Scale) -> Markup:
    keep, score, error = point
    px = x(keep)
    text = f"{curve.label}: {points_text(score)} ± {points_text(error)} with {share_text(keep)} of the weights"
    bar = line(px, y(score - error), px, y(score + error), f"error {curve.kind}") if error is not None else NOTHING
    return join([bar, element("circle", hover(text), cx=px, cy=y(score), r=3.2, class_=f"dot {curve.kind}")])
