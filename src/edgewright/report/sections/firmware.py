"""The model as firmware: the plan of its memory, what was predicted beside what was measured, and each operation."""

from __future__ import annotations

import base64
from typing import Any

from ..figures import limits
from ..source import Content, entries, mapping, number, text
from ..units import DASH, bytes_text, count_text, digits_text, number_text, points_text, seconds_text, share_text


def firmware(content: Content) -> dict[str, Any] | None:
    """Everything about the C of a run; None for a run without, or whose network the kernels do not take."""
    found = mapping(content, "firmware")
    if not mapping(found, "need"):
        return None
    return {
        "lede": _lede(content, found), "picture": _picture(text(found, "picture")),
        "headline": text(found, "plan", "headline"), "memories": _memories(content, found),
        "layers": _layers(found), "scores": _scores(found), "dead": _dead(found), "told": _told(found),
    }  # fmt: skip


def _lede(content: Content, found: Content) -> str:
    """What was proven where."""
    rows, board = entries(found, "layers"), mapping(found, "board")
    differing = sum(number(row, "differing") or 0 for row in rows)
    compared = sum(number(row, "compared") or 0 for row in rows)
    core = text(board, "core")
    where = f"this machine and an emulated Cortex-{core}" if core else "this machine"
    verdict = "all are the integer reference's" if not differing else f"{number_text(differing)} differ"
    missing = f" Not run in the emulator: {text(found, 'missing')}." if text(found, "missing") else ""
    return (
        f"Plain C for {text(found, 'device') or text(content, 'device', 'name')}: {len(rows)} operations, "
        f"{text(found, 'kernels')} kernels, rounding {text(found, 'rounding')}. {number_text(compared)} bytes of all "
        f"operations were compared on {where}: {verdict}.{missing}"
    )


def _picture(svg: str) -> str:
    """As the address of an image: a picture in an image runs nothing and styles nothing but itself."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}" if svg.startswith("<svg") else ""


def _memories(content: Content, found: Content) -> list[dict[str, str]]:
    """RAM, flash and stack: predicted, measured, allowed."""
    need, board, allowed = mapping(found, "need"), mapping(found, "board"), limits(content)
    sizes = mapping(board, "sizes")
    ram = f"arena {_whole(need, 'arena')}, float outputs {_whole(need, 'floats')}, stack {_whole(need, 'stack')}"
    flash = f"weights and tables {_whole(need, 'tables')}, code about {_whole(need, 'code')}"
    used = f"variables {_whole(sizes, 'bss_bytes')}, stack {_whole(board, 'stack_bytes')} used" if board else ""
    linked = f"code and constants {_whole(sizes, 'text_bytes')}" if board else ""
    rows = (
        ("RAM", "ram_bytes", ram, used, allowed.get("ram_bytes")),
        ("Flash", "flash_bytes", flash, linked, allowed.get("flash_bytes")),
    )
    return [
        {
            "name": title, "predicted": bytes_text(number(need, name)), "parts": parts,
            "measured": bytes_text(number(board, name)) if board else DASH, "of": measured, "limit": bytes_text(limit),
        }
        for title, name, parts, measured, limit in rows
    ]  # fmt: skip


def _whole(content: Content, name: str) -> str:
    return number_text(number(content, name))


def _layers(found: Content) -> list[dict[str, Any]]:
    return [
        {
            "tensor": text(row, "tensor"), "kind": text(row, "kind"), "macs": count_text(number(row, "macs")),
            "instructions": count_text(number(row, "instructions")), "per_mac": _per_mac(number(row, "per_mac")),
            "differing": number_text(number(row, "differing")), "bad": bool(number(row, "differing")),
            "sort": [number(row, name) for name in ("macs", "instructions", "per_mac", "differing")],
        }
        for row in entries(found, "layers")
    ]  # fmt: skip


def _per_mac(value: float | None) -> str:
    return DASH if value is None else digits_text(value)


def _scores(found: Content) -> list[dict[str, str]]:
    return [
        {
            "name": text(row, "name"), "score": points_text(number(row, "score", "value")),
            "images": number_text(number(row, "score", "num_samples")),
        }
        for row in entries(found, "scores")
    ]  # fmt: skip


def _dead(found: Content) -> str:
    """What left because no input can change it."""
    dead = mapping(found, "dead")
    before, removed = number(dead, "macs_before"), number(dead, "macs_removed")
    if not before or not removed:
        return "No channel is dead: each can change with the input."
    names = ", ".join(text(row, "output") for row in entries(dead, "operations")[:5])
    share = share_text(removed / before)
    return f"Dead channels were removed without changing an output bit: {share} of the MACs ({names})."


def _told(found: Content) -> str:
    """Instructions and what they stand for."""
    board, latency_s = mapping(found, "board"), number(found, "latency_s")
    if not board:
        return ""
    macs, instructions = number(found, "macs"), number(board, "instructions")
    told = f"{number_text(instructions)} instructions, counted exactly"
    if macs and instructions:
        told += f" ({digits_text(instructions / macs)} per MAC)"
    label = text(board, "cycles", "label") or "estimated"
    estimated = f"; {seconds_text(latency_s)} at most, {label}" if latency_s else ""
    return f"One image takes {told}{estimated}. The emulator ({text(board, 'route')}) knows no wait states of flash."
