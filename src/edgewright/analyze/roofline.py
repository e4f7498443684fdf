"""Which resource binds each operator, how far from the machine's roof it is, and what would help.

    attainable = min(peak, bandwidth x intensity)      ridge = peak / bandwidth

Intensity is in MACs per byte and rates in MACs per second, so that the two fit together. Source: Williams 2009.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ..types import Device, ModelProfile, OpProfile
from .pricing import roof

WEIGHTS, ACTIVATIONS = "memory: weights", "memory: activations"
CAUSES = ("compute", WEIGHTS, ACTIVATIONS, "overhead")
REMEDIES = {
    "compute": "fewer MACs (prune, smaller images), or a type with faster kernels",
    WEIGHTS: "fewer weight bytes (prune, fewer bits), or a larger batch that reads them once",
    ACTIVATIONS: "fewer activation bytes (smaller type), or fusing the operator with its neighbour",
    "overhead": "fewer operators: fuse small ones, or a larger batch",
}


def roofline(profile: ModelProfile, device: Device) -> dict[str, Any]:
    """The machine's roof at the profile's dtype, one point per operator that multiplies, and what would help."""
    peak = device.macs_per_second(profile.dtype)
    points = [_point(row, device, peak) for row in profile.rows if row.macs and row.intensity]
    return {
        "device": device.name,
        "dtype": profile.dtype,
        "peak_macs_s": peak,
        "bandwidth_bytes_s": device.bandwidth_bytes_s,
        "ridge_macs_per_byte": peak / device.bandwidth_bytes_s,
        "points": points,
        "remedies": remedies(profile, device),
    }


def _point(row: OpProfile, device: Device, peak: float) -> dict[str, Any]:
    intensity = row.intensity or 0.0
    attainable = min(peak, device.bandwidth_bytes_s * intensity)
    return {
        "name": row.name,
        "layer": row.layer,
        "op": row.op,
        "macs": row.macs,
        "intensity_macs_per_byte": intensity,
        "attainable_macs_s": attainable,
        "share_of_peak": attainable / peak,
        "estimated_macs_s": row.macs / row.latency_s if row.latency_s else None,
        "bound": row.bound,
    }


def remedies(profile: ModelProfile, device: Device) -> list[dict[str, Any]]:
    """What binds the model's time, the largest share first: how many operators, how long, and what would help.

    `without_s` is the latency of the model if that resource were free: the most that the remedy can bring.
    """
    running = [row for row in profile.rows if row.fused_into is None]
    total = sum(row.latency_s or 0.0 for row in running)
    rows = []
    for cause in CAUSES:
        bound = [row for row in running if cause_of(row) == cause]
        if bound:
            seconds = sum(row.latency_s or 0.0 for row in bound)
            share = seconds / total if total else None
            rows.append(
                {"bound": cause, "operators": len(bound), "latency_s": seconds, "share_of_latency": share,
                 "without_s": _without(running, device, profile.dtype, cause), "remedy": REMEDIES[cause]}
            )  # fmt: skip
    return sorted(rows, key=lambda row: -row["latency_s"])


def cause_of(row: OpProfile) -> str | None:
    """What binds an operator; memory is told apart by what it is that moves. None without a device."""
    if row.bound != "memory":
        return row.bound
    return WEIGHTS if row.weight_bytes > row.activation_bytes else ACTIVATIONS


def _without(rows: Iterable[OpProfile], device: Device, dtype: str, cause: str) -> float:
    free: dict[str, dict[str, Any]] = {
        "compute": {"macs": 0},
        WEIGHTS: {"weight_bytes": 0.0},
        ACTIVATIONS: {"activation_bytes": 0.0},
        "overhead": {},
    }
    machine = replace(device, overhead_s=0.0) if cause == "overhead" else device
    total = 0.0
    for row in rows:  # a measured time shrinks as the roofline's does
        before, _ = roof(row, device, dtype)
        after, _ = roof(replace(row, **free[cause]), machine, dtype)
        total += (row.latency_s or 0.0) * after / before if before else 0.0
    return total
