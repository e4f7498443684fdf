"""Does the artifact do what was simulated, and how fast: parity per tensor and latency in the runtime."""

from __future__ import annotations

from typing import Any

from ..figures import runs_on_device
from ..source import Content, entries, look, number, text
from ..timings import timings
from ..units import DASH, count_text, digits_text, number_text, seconds_text, share_text, times_text


def parity(content: Content) -> dict[str, Any] | None:
    """Differences between simulation and runtime, tensor by tensor, in steps of the tensor's own scale."""
    found = entries(content, "parity")
    if not found:
        return None
    rows = [
        {
            "tensor": text(row, "tensor"),
            "max": number_text(number(row, "max_steps")),
            "mean": _mean_text(number(row, "mean_steps")),
            "share": share_text(number(row, "share_equal")),
            "own": number_text(number(row, "own_max_steps")),
            "sort": [number(row, name) for name in ("max_steps", "mean_steps", "share_equal", "own_max_steps")],
            "off": (number(row, "own_max_steps") or 0) > 1,
        }
        for row in found
    ]
    worst = max((number(row, "max_steps") or 0.0 for row in found), default=0.0)
    equal = sum((number(row, "max_steps") or 0.0) == 0 for row in found)
    return {"rows": rows, "num": len(rows), "worst": number_text(worst), "num_equal": equal}


def _mean_text(steps: float | None) -> str:
    """Below a ten-thousandth of a step the digits say nothing."""
    if steps is None:
        return DASH
    return "below 0.0001" if 0 < steps < 1e-4 else digits_text(steps)


def latency(content: Content) -> dict[str, Any] | None:
    """What was timed, artifact by artifact, and how much faster each is than fp32 in the same setting."""
    rows = []
    for timing in timings(content):
        base = number(timing.entries.get("fp32"), "median_s")
        longest = max((number(entry, "p95_s") or 0.0 for entry in timing.entries.values()), default=0.0)
        for artifact, entry in sorted(timing.entries.items()):  # fp32 before int8
            median, p95 = number(entry, "median_s"), number(entry, "p95_s")
            rows.append(
                {
                    "artifact": artifact,
                    "setting": timing.title,
                    "turns": count_text(number(entry, "turns")),
                    "runs": count_text(number(entry, "runs")),
                    "median": seconds_text(median),
                    "p95": seconds_text(p95),
                    "bar": 100 * (median or 0.0) / longest if longest else 0.0,
                    "tail": 100 * (p95 or 0.0) / longest if longest else 0.0,
                    "ratio": _against(base, median) if artifact != "fp32" else "",
                    "by_turn": _by_turn(entry) if artifact != "fp32" else "",
                }
            )
    return {"rows": rows, "estimate": _estimate(content)} if rows else None


def _by_turn(entry: Content) -> str:
    """The range over the turns of the time against fp32's in the same turn."""
    listed = look(entry, "ratios")
    known = [number({"ratio": each}, "ratio") for each in listed] if isinstance(listed, list) else []
    ratios = [ratio for ratio in known if ratio is not None and ratio > 0]
    return f"{share_text(min(ratios))} to {share_text(max(ratios))} of its time, by turn" if ratios else ""


def _against(base: float | None, median: float | None) -> str:
    if not base or not median:
        return ""
    return f"{times_text(base / median)} faster" if base >= median else f"{times_text(median / base)} slower"


def _estimate(content: Content) -> str:
    """How far the device's numbers were off, where this machine counts as the device."""
    estimated, measured = (number(content, "estimate", name) for name in ("estimated_s", "measured_s"))
    if not runs_on_device(content) or not estimated or not measured:
        return ""
    return (
        f"The estimate from the device's numbers was {seconds_text(estimated)}, "
        f"measured were {seconds_text(measured)}: {times_text(measured / estimated)} the estimate."
    )
