"""Ways to quantize one model, side by side: score, file, time and effort of each."""

from __future__ import annotations

from typing import Any

from ..source import Content, entries, number, text
from ..units import DASH, bytes_text, change_text, number_text, points_text, seconds_text, share_text

FLOAT_BITS = 32  # not rounded


def comparison(content: Content) -> dict[str, Any] | None:
    """One row per way; the first is the model as given, which all others are compared with."""
    found = entries(content, "comparison")
    if len(found) < 2:
        return None
    first, best = found[0], text(content, "comparison_best")
    return {
        "rows": [_row(each, first, best) for each in found],
        "num": len(found),
        "runtime": text(first, "runtime"),
        "refused": [
            {"name": text(each, "name"), "reason": text(each, "reason")}
            for each in entries(content, "comparison_refused")
        ],
    }


def _row(each: Content, first: Content, best: str) -> dict[str, Any]:
    is_first = each is first
    return {
        "name": text(each, "name"),
        "best": text(each, "name") == best,
        "bits": "float" if is_first else f"{_bits(each, 'weight_bits')} / {_bits(each, 'activation_bits')}",
        "val": points_text(number(each, "score_val")),
        "drop": DASH if is_first else _change(each, first, "score_val"),
        "test": points_text(number(each, "score_test", "value")),
        "test_drop": DASH if is_first else _change(each, first, "score_test", "value"),
        "bytes": bytes_text(number(each, "file_bytes")),
        "share": share_text(_share(each, first, "file_bytes")),
        "latency": seconds_text(number(each, "latency_s")),
        "ratio": number_text(number(each, "latency_ratio")),
        "seconds": seconds_text(number(each, "seconds")),
    }


def _bits(each: Content, key: str) -> str:
    bits = number(each, key)
    return "float" if bits == FLOAT_BITS else number_text(bits)


def _change(each: Content, first: Content, *keys: str) -> str:
    after, before = number(each, *keys), number(first, *keys)
    return DASH if after is None or before is None else change_text(after - before)


def _share(each: Content, first: Content, key: str) -> float | None:
    part, whole = number(each, key), number(first, key)
    return part / whole if part is not None and whole else None
