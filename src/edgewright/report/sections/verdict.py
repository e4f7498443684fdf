"""The answer: passed or failed, the numbers it stands on, each check, and for an impossible budget what would help."""

from __future__ import annotations

from typing import Any

from ..figures import Figure, figures
from ..limits import asked_limits, factor_text, limit_title, limit_value
from ..scores import Scores, score_text, scores
from ..source import Content, entries, is_judged, look, mapping, number, text
from ..units import (
    bytes_text,
    change_text,
    count_text,
    exact_text,
    joules_text,
    points_text,
    quantity_text,
    seconds_text,
)

COSTS_OF_A_POINT = (
    ("score", "score", points_text), ("macs", "MACs", count_text), ("ram_bytes", "peak RAM", bytes_text),
    ("flash_bytes", "flash", bytes_text), ("latency_s", "latency", seconds_text), ("energy_j", "energy", joules_text),
)  # fmt: skip


def verdict(content: Content) -> dict[str, Any]:
    """The sentence, what was asked, and before and after at a glance."""
    found = scores(content)
    return {
        "passed": look(content, "verdict", "passed") is True,
        "judged": is_judged(content),
        "sentence": text(content, "verdict", "sentence"),
        "asked": asked(content),
        "cards": [*_score_cards(found), *(_card(figure) for figure in figures(content) if figure.name != "params")],
        "remark": found.remark,
    }


def asked(content: Content) -> list[tuple[str, list[str]]]:
    """Model, data, device and limits, as they were asked for; one line each."""
    device = mapping(content, "device")
    device_name = text(content, "asked", "device") or text(device, "name")
    title = text(device, "title")
    parts = [
        ("Model", [text(content, "asked", "model")]),
        ("Data", [text(content, "asked", "data")]),
        ("Device", list(dict.fromkeys([device_name, title]))),
        ("Budget", (asked_limits(content) or ["no limit of its own"]) if is_judged(content) else []),
    ]
    shown = [(name, [line for line in lines if line]) for name, lines in parts]
    return [(name, lines) for name, lines in shown if lines]


def _score_cards(found: Scores) -> list[dict[str, Any]]:
    known = found.after or found.before
    if known is None:
        return []
    drop, over = found.change, found.floor is not None and found.after is not None and found.after.value < found.floor
    return [
        {
            "title": f"Score, {known.metric} on {known.split or 'held-out images'}",
            "before": score_text(found.before),
            "after": score_text(found.after),
            "change": "" if drop is None else f"{change_text(drop)} points",
            "tone": "worse" if over else "better" if (drop or 0) > 0 else "",  # an allowed drop is no alarm
            "how": f"measured on {known.num_samples:,} images, ± one standard error",
            "limit": "" if found.floor is None else f"accepted from {points_text(found.floor)}",
            "meter": None,
            "over": over,
            "exact": "",
        }
    ]


def _card(figure: Figure) -> dict[str, Any]:
    tones = {True: "better", False: "worse", None: ""}
    return {
        "title": figure.title,
        "before": figure.before_text,
        "after": figure.after_text,
        "change": figure.change,
        "tone": tones[figure.improved],
        "how": figure.how,
        "limit": figure.limit_text,
        "meter": None if figure.spent is None else min(100.0, 100 * figure.spent),
        "over": figure.spent is not None and figure.spent > 1,
        "exact": f"{exact_text(figure.before)} → {exact_text(figure.after)}",
    }


def checks(content: Content) -> dict[str, Any] | None:
    """Every verdict of the gate, the failed ones first."""
    found = [_check_row(check) for check in entries(content, "checks")]
    if not found:
        return None
    num_failed = sum(not check["passed"] for check in found)
    return {"rows": sorted(found, key=lambda check: bool(check["passed"])), "num_failed": num_failed, "num": len(found)}


def _check_row(check: Content) -> dict[str, Any]:
    value, limit, unit = number(check, "value"), number(check, "limit"), text(check, "unit")
    return {
        "name": limit_title(text(check, "name")),
        "passed": look(check, "passed") is True,
        "informs": limit is None,  # nothing to hold the value against
        "value": quantity_text(value, unit),
        "limit": quantity_text(limit, unit),
        "exact": f"{exact_text(value)} against {exact_text(limit)} {unit}",
        "how": text(check, "how"),
        "blame": text(check, "blame"),
    }


def infeasible(content: Content) -> dict[str, Any] | None:
    """Which limits bind, the nearest point that was reached, and what relaxing each limit would buy."""
    answer = mapping(content, "verdict")
    binding = [
        {
            "title": limit_title(text(each, "limit_name")),
            "value": limit_value(text(each, "limit_name"), number(each, "value")),
            "limit": limit_value(text(each, "limit_name"), number(each, "limit")),
            "factor": factor_text(number(each, "value"), number(each, "limit"), number(each, "factor")),
        }
        for each in entries(answer, "binding")
    ]
    relax = [
        {
            "title": limit_title(text(each, "limit_name")),
            "needed": limit_value(text(each, "limit_name"), number(each, "needed")),
            "sentence": text(each, "sentence"),
        }
        for each in entries(answer, "relax")
    ]
    nearest = describe_point(mapping(answer, "nearest"))
    return {"binding": binding, "relax": relax, "nearest": nearest} if binding or relax or nearest else None


def describe_point(point: Content) -> list[tuple[str, str]]:
    """What is known of one candidate, as (name, value) texts."""
    values = [(title, format_, number(point, name)) for name, title, format_ in COSTS_OF_A_POINT]
    known = [(title, format_(value)) for title, format_, value in values if value is not None]
    label = [("model", text(point, "label"))] if text(point, "label") else []
    return label + known if known else []
