"""A profile seen four ways, as rows of plain data that a table, JSON or a page shows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..types import ModelProfile, OpProfile, plain

SUMS = ("macs", "elementwise", "params", "weight_bytes", "activation_bytes", "latency_s", "energy_j")


def by_layer(profile: ModelProfile) -> list[dict[str, Any]]:
    """One row per operator in the order of execution, fused ones included; None for what no formula tells."""
    rows = []
    for row in profile.rows:
        moved = {"intensity_macs_per_byte": row.intensity, "share_of_macs": share(row.macs, profile.macs)}
        not_known = {} if row.counted else dict.fromkeys(("macs", "elementwise", *moved))
        rows.append({**plain(row), **moved, **not_known})
    return rows


def by_type(profile: ModelProfile) -> list[dict[str, Any]]:
    """One row per operator type, the one with the most MACs first."""
    groups: dict[str, list[OpProfile]] = {}
    for row in profile.rows:
        groups.setdefault(row.op, []).append(row)
    rows = [{"op": op, **_sums(members, profile)} for op, members in groups.items()]
    return sorted(rows, key=lambda row: (-row["macs"], -row["elementwise"], row["op"]))


def by_module(profile: ModelProfile, *, depth: int | None = None) -> list[dict[str, Any]]:
    """One row per module of the user's model, each with all that is below it; "" is the whole model.

    A function stands with the module that calls it; a captured graph no longer knows that, so there it stands with the
    layer before it: a sum after `layer1.0.bn2` is work of `layer1.0`.

    Args:
        profile: what to show.
        depth: leave out modules deeper than this; None shows all.
    """
    groups: dict[str, list[OpProfile]] = {"": []}
    for row in profile.rows:
        for module in _with_parents(row.layer or row.module):
            groups.setdefault(module, []).append(row)
    rows = [
        {"module": module, "depth": _depth(module), **_sums(members, profile)} for module, members in groups.items()
    ]
    return [row for row in rows if depth is None or row["depth"] <= depth]


def total(profile: ModelProfile) -> dict[str, Any]:
    """The totals in one row. FLOPs are two per MAC; elementwise operations are beside them."""
    names = ("dtype", "device", "params", "buffers", "macs", "elementwise", "weight_bytes", "peak_ram_bytes", "peak_at")
    facts = {name: getattr(profile, name) for name in names}
    running = [row for row in profile.rows if row.fused_into is None]
    activation_bytes = sum(row.activation_bytes for row in running)
    return {
        **facts,
        "flops": 2 * profile.macs,
        "operators": len(running),
        "activation_bytes": activation_bytes,
        "intensity_macs_per_byte": share(profile.macs, profile.weight_bytes + activation_bytes),
        "peak_tensors": list(profile.peak_tensors),
        "unknown": list(profile.unknown),
        "latency_s": profile.cost.latency_s,
        "energy_j": profile.cost.energy_j,
        "how": dict(profile.cost.how),
    }


def _sums(rows: Iterable[OpProfile], profile: ModelProfile) -> dict[str, Any]:
    members = list(rows)
    sums = {name: sum_known(getattr(row, name) for row in members) for name in SUMS}
    counts = {
        "operators": sum(row.fused_into is None for row in members),
        "uncounted": sum(not row.counted for row in members),
    }
    return {**counts, **sums, "share_of_macs": share(sums["macs"], profile.macs)}


def sum_known(values: Iterable[float | None]) -> float | None:
    """The sum of what is known, None where nothing is (no device was given)."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def share(part: float | None, whole: float | None) -> float | None:
    """`part` of `whole`, None where one of them is not known or the whole is nothing."""
    return part / whole if part is not None and whole else None


def _with_parents(module: str) -> list[str]:
    """`a.b.c` with everything it is in: "", a, a.b, a.b.c."""
    parts = module.split(".") if module else []
    return [".".join(parts[:length]) for length in range(len(parts) + 1)]


def _depth(module: str) -> int:
    return len(module.split(".")) if module else 0
