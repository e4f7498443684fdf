"""The roofline of a device with a model's layers on it.

Attainable MAC/s = min(peak, bandwidth * intensity), both axes logarithmic. Left of the ridge (peak / bandwidth) a
layer waits for memory, right of it for arithmetic. Units are paired: MAC/B with MAC/s. Source: Williams et al. 2009.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ..units import count_text, digits_text, number_text, short
from .scales import Log, Scale
from .svg import Panel, element, hover, join, label, line, path_through

PANEL = Panel(width=400, height=290, left=56, top=14)


@dataclass(frozen=True, kw_only=True)
class Roof:
    """What the device can do at best with one type of number."""

    peak_macs_s: float
    bandwidth_bytes_s: float

    @property
    def ridge(self) -> float:
        """Intensity in MAC/B at which both limits meet."""
        return self.peak_macs_s / self.bandwidth_bytes_s

    def attainable(self, intensity: float) -> float:
        """MAC/s at `intensity` MAC/B."""
        return min(self.peak_macs_s, self.bandwidth_bytes_s * intensity)


@dataclass(frozen=True, kw_only=True)
class RoofPoint:
    """One layer: where it stands, and its share of the whole latency (None: not known)."""

    label: str
    bound: str
    intensity: float
    macs_s: float
    share: float | None


@dataclass(frozen=True, kw_only=True)
class Window:
    """The part of the plane that is shown; the same for two plots that are to be compared."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float


def window(roofs: Sequence[Roof], points: Sequence[RoofPoint]) -> Window:
    """All roofs' ridges and all points, with air around them."""
    across = [each.intensity for each in points] + [roof.ridge for roof in roofs]
    upward = [each.macs_s for each in points] + [roof.peak_macs_s for roof in roofs]
    return Window(x_low=min(across) / 2, x_high=max(across) * 4, y_low=min(upward) / 2, y_high=max(upward) * 2)


def roofline_panel(title: str, roof: Roof, points: Sequence[RoofPoint], view: Window) -> Markup:
    """One roof and its layers; the area of a point is its share of the latency."""
    x = Log(low=view.x_low, high=view.x_high, start=PANEL.x_start, stop=PANEL.x_stop, max_ticks=5)
    y = Log(low=view.y_low, high=view.y_high, start=PANEL.y_start, stop=PANEL.y_stop, max_ticks=5)
    axes = PANEL.axes(x, y, x_text=number_text, y_text=lambda value: short(count_text(value)),
                      x_title="MAC per byte moved", y_title="MAC/s")  # fmt: skip
    ordered = sorted(points, key=lambda each: -(each.share or 0))  # small ones in front
    layers = [_layer(each, x, y) for each in ordered]
    return PANEL.draw(f"Roofline, {title}", axes, _roof_lines(roof, view, x, y), *layers, _roof_labels(roof, x, y))


def roof_corners(roof: Roof, view: Window) -> list[tuple[float, float]]:
    """The roof as (intensity, MAC/s) corners: from the edge of the view up the slope to the ridge, then flat."""
    left = max(view.x_low, view.y_low / roof.bandwidth_bytes_s)
    inside = [(left, roof.attainable(left))] if left < roof.ridge else []
    return [*inside, (max(roof.ridge, view.x_low), roof.peak_macs_s), (view.x_high, roof.peak_macs_s)]


def _roof_lines(roof: Roof, view: Window, x: Scale, y: Scale) -> Markup:
    corners = [(x(intensity), y(macs_s)) for intensity, macs_s in roof_corners(roof, view)]
    ridge = line(x(roof.ridge), PANEL.y_start, x(roof.ridge), y(roof.peak_macs_s), "ridge")
    return ridge + element("path", d=path_through(corners), class_="roof")


def _roof_labels(roof: Roof, x: Scale, y: Scale) -> Markup:
    """Drawn last: a layer must not hide them."""
    at = x(roof.ridge)
    side, anchor = (5, "start") if at < PANEL.width * 0.6 else (-5, "end")
    name = f"ridge {digits_text(roof.ridge)} MAC/B"
    peak = f"{count_text(roof.peak_macs_s)}MAC/s"
    return join([
        label(name, at + side, PANEL.y_start - 7, class_="limit-text", anchor=anchor),
        label(peak, PANEL.x_stop - 2, y(roof.peak_macs_s) - 14, class_="point-name", anchor="end"),
    ])  # fmt: skip


def _layer(each: RoofPoint, x: Scale, y: Scale) -> Markup:
    size = 3.0 if each.share is None else 2.5 + 11 * each.share**0.5
    share = "" if each.share is None else f", {100 * each.share:.1f} % of the latency"
    text = f"{each.label}: {digits_text(each.intensity)} MAC/B, {count_text(each.macs_s)}MAC/s, {each.bound}{share}"
    kind = each.bound if each.bound in ("compute", "memory", "overhead") else "unknown"
    return element("circle", hover(text), cx=x(each.intensity), cy=y(each.macs_s), r=size, class_=f"layer {kind}")
