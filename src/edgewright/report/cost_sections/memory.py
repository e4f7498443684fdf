"""Memory over time: what is alive while each operator runs, where the peak is, and what other conventions give."""

from __future__ import annotations

from typing import Any

from ..plots.memory import Moment, bands, memory_panel
from ..source import Content, entries, mapping, number, text
from ..units import bytes_text, share_text
from .bounds import bar_width
from .cells import part_text

IN_REACH = 4.0  # a limit farther above the peak than this would press the plot flat


def memory(content: Content) -> dict[str, Any] | None:
    """The plot with its legend, and the table of conventions."""
    moments = [_moment(row) for row in entries(content, "memory", "timeline")]
    variants = [_variant(row) for row in entries(content, "memory", "variants")]
    if not moments and not variants:
        return None
    return {
        "plot": _plot(moments, content) if any(each.num_bytes for each in moments) else None,
        "variants": variants,
    }


def _moment(row: Content) -> Moment:
    sizes = {name: number({"bytes": size}, "bytes") for name, size in mapping(row, "live").items()}
    live = {name: size for name, size in sizes.items() if size is not None and size > 0}
    return Moment(operator=text(row, "operator"), live=live)


def _plot(moments: list[Moment], content: Content) -> dict[str, Any]:
    top = max(moments, key=lambda each: each.num_bytes)
    limit, limit_title = _limit(content)
    shown = bands(moments)
    in_reach = limit is not None and 0 < limit <= IN_REACH * top.num_bytes
    return {
        "svg": memory_panel(moments, shown, limit=limit if in_reach else None),
        "keys": [{"class_": band.class_, "text": band.title} for band in shown],
        "peak": bytes_text(top.num_bytes),
        "at": top.operator,
        "num_operators": len(moments),
        "limit": f"{limit_title} {bytes_text(limit)}" if limit is not None else "",
        "in_reach": in_reach,
        "share": part_text(top.num_bytes / limit) if limit is not None and limit > 0 else "",
    }


def _limit(content: Content) -> tuple[float | None, str]:
    """What the device has for activations. Only a microcontroller runs weights from flash; elsewhere they take RAM."""
    device, ram = mapping(content, "device"), number(content, "device", "ram_bytes")
    if ram is None:
        return None, ""
    if text(device, "kind") == "mcu":
        return ram, "the device's RAM,"
    return ram - (number(content, "totals", "weight_bytes") or 0.0), "the device's RAM beside the weights,"


def _order(row: Content) -> str:
    """given order, no order needs less."""
    order = text(row, "order")
    words = [f"{order} order" if order else "", "no order needs less" if row.get("is_optimal") is True else ""]
    return ", ".join(word for word in words if word)


def _variant(row: Content) -> dict[str, Any]:
    share = number(row, "share_of_default")
    return {
        "name": text(row, "variant"),
        "order": _order(row),
        "peak": bytes_text(number(row, "peak_bytes")),
        "share": share_text(share),
        "bar": bar_width(share),
        "at": text(row, "peak_at"),
    }
