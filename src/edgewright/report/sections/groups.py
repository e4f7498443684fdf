"""Measured sensitivity: what cutting one group of coupled channels does to score and loss, all else untouched."""

from __future__ import annotations

from typing import Any

from ..plots import Curve, sensitivity_panel
from ..source import Content, entries, number, text, texts
from ..units import number_text


def sensitivity(content: Content) -> dict[str, Any] | None:
    """One small plot per group, the most sensitive first; by score where it was measured, else by loss."""
    by_score, by_loss = _curves(content, "score"), _curves(content, "loss")
    curves, name = (by_score, "score") if by_score else (by_loss, "loss")
    if not curves:
        return None
    sign = 1 if name == "score" else -1
    curves = sorted(curves, key=lambda curve: sign * min(curve.points)[1])
    values = [value for curve in curves for _, value in curve.points]
    low, high = _limits(values, score=name == "score")
    baseline = _baseline(curves)
    plots = [
        {"title": curve.group, "svg": sensitivity_panel(curve, low=low, high=high, baseline=baseline, y_name=name)}
        for curve in curves
    ]
    cut = any(number(each, "kept") is not None for each in entries(content, "groups"))
    return {"plots": plots, "by": name, "groups": _groups(content), "cut": cut}


def _groups(content: Content) -> list[dict[str, str]]:
    """Every group of coupled channels: what a run that cuts once left of it, and why it is not cut if it is not."""
    return [
        {
            "group": text(each, "group"),
            "classes": number_text(number(each, "classes")),
            "channels": number_text(number(each, "channels_per_class")),
            "kept": number_text(number(each, "kept")),
            "rise": number_text(number(each, "rise")),
            "layers": ", ".join(texts(each, "layers")),
            "locked": text(each, "locked"),
        }
        for each in entries(content, "groups")
    ]


def _curves(content: Content, name: str) -> list[Curve]:
    groups: dict[str, list[tuple[float, float]]] = {}
    for entry in entries(content, "sensitivity"):
        keep, value = number(entry, "keep"), number(entry, name)
        if keep is not None and value is not None and 0 <= keep <= 1:
            groups.setdefault(text(entry, "group"), []).append((keep, value))
    return [Curve(group=group, points=points) for group, points in groups.items()]


def _limits(values: list[float], *, score: bool) -> tuple[float, float]:
    """A common range with air around it; a score never reaches past 100."""
    low, high = min(values), max(values)
    air = max(0.08 * (high - low), 0.5 if score else 1e-6 + 0.01 * abs(high))
    return low - air, min(high + air, 100.0 + air / 2) if score else high + air


def _baseline(curves: list[Curve]) -> float | None:
    """The value of the uncut model, when the scan holds it."""
    return next((value for curve in curves for keep, value in curve.points if keep == 1), None)
