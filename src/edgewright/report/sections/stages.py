"""How the result came about: what each stage added, the rounds that were tried, and the field they span."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..facts import facts
from ..figures import limits
from ..plots import Bar, Candidate, bar_panel, lowest_in_sight, pareto_panel, score_panel
from ..scores import pareto_start, read_score, score_floor, score_text, scores
from ..source import Content, chosen_path, entries, look, mapping, number, text, texts
from ..units import (
    Formatter,
    bytes_text,
    change_text,
    count_text,
    joules_text,
    number_text,
    points_text,
    seconds_text,
    share_text,
)

PANELS: Sequence[tuple[str, str, Formatter]] = (
    ("macs", "MACs", count_text),
    ("flash_bytes", "Flash", bytes_text),
    ("ram_bytes", "Peak RAM", bytes_text),
    ("latency_s", "Latency on the device", seconds_text),
    ("energy_j", "Energy per image", joules_text),
)
PARETO_AXES: Sequence[tuple[str, str, Formatter]] = (
    ("macs", "MACs", count_text),
    ("flash_bytes", "flash", bytes_text),
    ("latency_s", "latency on the device", seconds_text),
)


def stages(content: Content) -> dict[str, Any] | None:
    """The table of stages on the way to the final model, score and cost after each as small plots, and the others."""
    every, path = entries(content, "stages"), chosen_path(content)
    if not every:
        return None
    found, others = scores(content), [stage for stage in every if not any(stage is each for each in path)]
    return {
        "order": texts(content, "order"),
        "rows": _stage_rows(path),
        "plots": _stage_plots(content, path),
        "seconds": _seconds_of(path),
        "others": _stage_rows(others),
        "other_seconds": _seconds_of(others),
        "final": f"{score_text(found.before)} → {score_text(found.after)}" if found.after else "",
        "final_split": found.after.split if found.after else "",
    }


def _seconds_of(found: Sequence[Content]) -> str:
    return seconds_text(sum(number(stage, "seconds") or 0.0 for stage in found))


def _stage_rows(found: Sequence[Content]) -> list[dict[str, Any]]:
    rows, previous = [], None
    for position, stage in enumerate(found, start=1):
        score = read_score(stage)
        comparable = score and previous and (score.metric, score.split) == (previous.metric, previous.split)
        rows.append(
            {
                "index": number_text(number(stage, "index") or position),
                "name": text(stage, "name"),
                "title": text(stage, "title") or text(stage, "name"),
                "score": score_text(score),
                "split": f"{score.split}, {score.num_samples:,} images" if score else "",
                "change": change_text(score.value - previous.value) if comparable and score and previous else "",
                "macs": count_text(number(stage, "cost", "macs")),
                "flash": bytes_text(number(stage, "cost", "flash_bytes")),
                "ram": bytes_text(number(stage, "cost", "ram_bytes")),
                "latency": seconds_text(number(stage, "cost", "latency_s")),
                "seconds": seconds_text(number(stage, "seconds")),
                "cached": look(stage, "cached") is True,
                "notes": texts(stage, "notes"),
                "settings": facts(mapping(stage, "settings")),
                "details": facts(mapping(stage, "details")),
            }
        )
        previous = score or previous
    return rows


def _stage_plots(content: Content, found: Sequence[Content]) -> list[dict[str, Any]]:
    """Score first, then each cost that at least two stages know."""
    names = [text(stage, "name") or text(stage, "title") for stage in found]
    reached = [read_score(stage) for stage in found]
    plots = []
    if sum(score is not None for score in reached) > 1:
        bars = [
            Bar(label=name, value=score.value if score else None, error=score.std_error if score else 0.0)
            for name, score in zip(names, reached, strict=True)
        ]
        off = any(bar.value is not None and bar.value < lowest_in_sight(bars) for bar in bars)
        title = "Score, ± one standard error" + (" (arrow: lower, off the axis)" if off else "")
        start = next(bar.value for bar in bars if bar.value is not None)
        floor = score_floor(content, pareto_start(content) or start)
        plots.append({"title": title, "svg": score_panel("Score after each stage", bars, floor=floor)})
    allowed = limits(content)
    for field, title, format_ in PANELS:
        values = [number(stage, "cost", field) for stage in found]
        bars = [Bar(label=name, value=value) for name, value in zip(names, values, strict=True) if value is not None]
        if len(bars) > 1:
            svg = bar_panel(f"{title} after each stage", bars, format_=format_, limit=allowed.get(field))
            plots.append({"title": title, "svg": svg})
    return plots


def rounds(content: Content) -> dict[str, Any] | None:
    """Each target the solver tried, and why it was taken or refused."""
    found = entries(content, "rounds")
    if not found:
        return None
    rows = [
        {
            "round": number_text(number(each, "round")),
            "target": share_text(number(each, "target_keep_macs")),
            "keep": share_text(number(each, "keep_macs")),
            "score": points_text(number(each, "score_val")),
            "drop": points_text(number(each, "drop_val")),
            "accepted": look(each, "accepted") is True,
            "reason": text(each, "reason"),
            "macs": count_text(number(each, "cost", "macs")),
            "flash": bytes_text(number(each, "cost", "flash_bytes")),
            "ram": bytes_text(number(each, "cost", "ram_bytes")),
            "latency": seconds_text(number(each, "cost", "latency_s")),
        }
        for each in found
    ]
    return {"rows": rows, "num": len(rows), "num_accepted": sum(bool(row["accepted"]) for row in rows)}


def pareto(content: Content) -> dict[str, Any] | None:
    """Score against MACs, flash and latency, one plot each; left out below two points."""
    plots = []
    for field, title, format_ in PARETO_AXES:
        candidates = _candidates(content, field)
        if len(candidates) > 1:
            svg = pareto_panel(candidates, cost_title=title, format_=format_, floor=_pareto_floor(content))
            plots.append({"title": f"Score against {title}", "svg": svg})
    return {"plots": plots, "num": len(entries(content, "pareto"))} if plots else None


def _candidates(content: Content, field: str) -> list[Candidate]:
    found = []
    for point in entries(content, "pareto"):
        score, cost = number(point, "score"), number(point, field)
        if score is not None and cost is not None and cost > 0:
            label = text(point, "label") or text(point, "kind")
            found.append(Candidate(label=label, kind=text(point, "kind"), score=score, cost=cost))
    return found


def _pareto_floor(content: Content) -> float | None:
    """The lowest score accepted, counted from the plot's own starting point (its split may differ from the gate's)."""
    return score_floor(content, pareto_start(content))
