"""What binds: the operators under the device's roof, and what would help those that each limit holds back."""

from __future__ import annotations

from typing import Any

from ..plots import Roof, RoofPoint, roofline_panel
from ..plots.roofline import window
from ..source import Content, entries, mapping, number, text
from ..units import count_text, digits_text, number_text, seconds_text
from .cells import name_of, part_text

KINDS = ("compute", "memory", "overhead")
MAX_POINTS = 600  # the largest ones; more only cover each other, and each costs bytes


def bounds(content: Content) -> dict[str, Any] | None:
    """The roofline plot, its numbers, and a table from bound to remedy."""
    found = mapping(content, "roofline")
    peak, bandwidth = number(found, "peak_macs_s"), number(found, "bandwidth_bytes_s")
    remedies = [_remedy(row) for row in entries(found, "remedies")]
    if not peak or not bandwidth or min(peak, bandwidth) <= 0:
        return {"plot": None, "facts": [], "remedies": remedies, "left_out": 0, "kinds": []} if remedies else None
    points, roof = _points(content), Roof(peak_macs_s=peak, bandwidth_bytes_s=bandwidth)
    shown = points[:MAX_POINTS]
    return {
        "plot": roofline_panel(text(found, "dtype"), roof, shown, window([roof], shown)) if shown else None,
        "facts": _facts(found, roof),
        "remedies": remedies,
        "left_out": len(points) - len(shown),
        "kinds": [kind for kind in KINDS if kind in {each.bound for each in shown}],
    }


def _facts(found: Content, roof: Roof) -> list[tuple[str, str]]:
    return [
        ("peak", f"{count_text(roof.peak_macs_s)}MAC/s at {text(found, 'dtype')}"),
        ("bandwidth", f"{count_text(roof.bandwidth_bytes_s)}B/s"),
        ("ridge", f"{digits_text(roof.ridge)} MAC/B"),
    ]


def _points(content: Content) -> list[RoofPoint]:
    """Operators with a place on the plane, those that take most of the latency first."""
    total = number(content, "totals", "latency_s")
    times = {text(row, "name"): number(row, "latency_s") for row in entries(content, "operators")}
    placed = [_point(row, times.get(text(row, "name")), total) for row in entries(content, "roofline", "points")]
    return sorted((each for each in placed if each is not None), key=lambda each: -(each.share or 0.0))


def _point(row: Content, latency_s: float | None, total_s: float | None) -> RoofPoint | None:
    at = number(row, "intensity_macs_per_byte")
    rate = number(row, "estimated_macs_s") or number(row, "attainable_macs_s")
    if not at or not rate or min(at, rate) <= 0:
        return None
    share = min(1.0, max(0.0, latency_s / total_s)) if latency_s is not None and total_s else None
    label = f"{name_of(row)} ({text(row, 'op')})"
    return RoofPoint(label=label, bound=text(row, "bound"), intensity=at, macs_s=rate, share=share)


def _remedy(row: Content) -> dict[str, Any]:
    share = number(row, "share_of_latency")
    return {
        "bound": text(row, "bound"),
        "operators": number_text(number(row, "operators")),
        "latency": seconds_text(number(row, "latency_s")),
        "share": part_text(share),
        "bar": bar_width(share),
        "remedy": text(row, "remedy"),
    }


def bar_width(share: float | None) -> float:
    """Per cent of a bar's full width, for a share that may be unknown or more than the whole."""
    return round(100 * min(1.0, max(0.0, share or 0.0)), 1)
