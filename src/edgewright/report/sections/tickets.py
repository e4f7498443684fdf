"""Lottery tickets against their controls: the sentences, score against weights left, the rounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..plots import KeepCurve, keep_panel
from ..source import Content, entries, mapping, number, texts
from ..units import DASH, change_text, number_text, points_text, share_text

KINDS: Mapping[str, str] = {"ticket": "ticket", "reinit": "re-initialized", "random": "random mask"}
COMPARED: Mapping[str, str] = {"reinit": "re-initialized", "random": "random mask", "dense": "dense"}


def tickets(content: Content) -> dict[str, Any] | None:
    """One row a round; the round whose ticket is the run's model is marked."""
    found = mapping(content, "tickets")
    rounds = [each for each in entries(found, "rounds") if number(each, "keep")]
    if not rounds:
        return None
    return {
        "rows": [_row(each, number(found, "best_round")) for each in rounds],
        "num": len(rounds),
        "num_seeds": number_text(number(found, "num_seeds")),
        "rewind": number_text(number(found, "rewind")),
        "sentences": texts(found, "sentences"),
        "dense": _with_error(mapping(rounds[0], "scores", "dense")),
        "kinds": list(KINDS.items()),
        "compared": list(COMPARED.values()),
        "plot": _plot(rounds),
    }


def _row(each: Content, best: float | None) -> dict[str, Any]:
    return {
        "round": number_text(number(each, "round")),
        "best": number(each, "round") == best,
        "keep": share_text(number(each, "keep")),
        "scores": [_with_error(mapping(each, "scores", kind)) for kind in KINDS],
        "differences": [_difference(mapping(each, "differences", kind)) for kind in COMPARED],
        "epochs": [_epochs(number(each, "epochs_to_best", kind)) for kind in (*KINDS, "dense")],
    }


def _with_error(spread: Content) -> str:
    error = number(spread, "std_error")
    return points_text(number(spread, "mean")) + ("" if error is None else f" ± {points_text(error)}")


def _difference(spread: Content) -> dict[str, str]:
    """The mean with its standard error; good or bad where the 95 % interval leaves 0 out."""
    mean, error, half = (number(spread, name) for name in ("mean", "std_error", "half_width"))
    if mean is None:
        return {"text": DASH, "tone": ""}
    sure = half is not None and abs(mean) > half
    text = change_text(mean) + ("" if error is None else f" ± {points_text(error)}")
    return {"text": text, "tone": ("better" if mean > 0 else "worse") if sure else ""}


def _epochs(value: float | None) -> str:
    return DASH if value is None else f"{value:.1f}"


def _plot(rounds: list[Content]) -> dict[str, Any]:
    curves = [
        KeepCurve(label=label, kind=kind, points=points)
        for kind, label in KINDS.items()
        if (points := [point for each in rounds if (point := _point(each, kind)) is not None])
    ]
    baseline = number(rounds[0], "scores", "dense", "mean")
    title = "Score on test against the share of weights left"
    return {"title": title, "svg": keep_panel(title, curves, baseline=baseline)}


def _point(each: Content, kind: str) -> tuple[float, float, float | None] | None:
    keep, mean = number(each, "keep"), number(each, "scores", kind, "mean")
    if not keep or keep < 0 or mean is None:
        return None
    return keep, mean, number(each, "scores", kind, "std_error")
