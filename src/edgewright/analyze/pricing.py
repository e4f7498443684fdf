"""What an operator costs on a device: time by its table or the roofline, energy by operations and bytes.

    latency = max(MACs / peak, bytes / bandwidth) + overhead          per operator; nothing for what is fused
    energy  = (2 MACs + elementwise) x pJ per MAC / 2 + bytes x pJ per byte

A calibrated device has measured times of operators: they replace the roofline wherever its table has an answer. Bytes
are those of ideal reuse: input, weights and output once. A MAC is two operations, so one operation is charged half the
energy of a MAC. Elementwise operations cost no time of their own: they are done while the bytes move.
Source: Williams 2009 (roofline); Horowitz 2014 (energy per operation and byte).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from ..technology import PICO
from ..types import Cost, Device, How, ModelProfile, OpProfile
from .latency import table_latency

Bound = Literal["compute", "memory", "overhead"]


def priced(row: OpProfile, device: Device, dtype: str) -> OpProfile:
    """`row` with latency, energy and what bounds it on `device`."""
    energy = _energy_j(row, device, dtype)
    if row.fused_into is not None:
        return replace(row, latency_s=0.0, energy_j=energy)
    times = _times(row, device, dtype)
    latency = _from_table(row, device, dtype)
    if latency is None:
        latency = max(times["compute"], times["memory"]) + times["overhead"]
    bound = max(times, key=lambda name: times[name])
    return replace(row, latency_s=latency, energy_j=energy, bound=bound)


def _from_table(row: OpProfile, device: Device, dtype: str) -> float | None:
    return None if device.latency_table is None else table_latency(row, device.latency_table, dtype)


def _times(row: OpProfile, device: Device, dtype: str) -> dict[Bound, float]:
    moved = row.weight_bytes + row.activation_bytes
    return {
        "compute": row.macs / device.macs_per_second(dtype),
        "memory": moved / device.bandwidth_bytes_s,
        "overhead": device.overhead_s,
    }


def _energy_j(row: OpProfile, device: Device, dtype: str) -> float:
    pj_per_mac = device.pj_per_mac.get(dtype, device.pj_per_mac["float32"])
    operations = 2 * row.macs + row.elementwise
    moved = row.weight_bytes + row.activation_bytes
    return PICO * (operations * pj_per_mac / 2 + moved * device.pj_per_byte)


def total_cost(profile: ModelProfile, device: Device | None) -> Cost:
    """The sum over a priced profile's rows, every figure estimated.

    Weights are flash. On a microcontroller they are read from there, so RAM is the activations' peak; elsewhere they
    are loaded, so RAM is both. Code and stack are not part of either.
    """
    weights = int(profile.weight_bytes)
    loaded = device is not None and device.kind != "mcu"
    values: dict[str, Any] = {
        "macs": profile.macs,
        "params": profile.params,
        "ram_bytes": profile.peak_ram_bytes + (weights if loaded else 0),
        "flash_bytes": weights,
    }
    if device is not None:
        per_call = device.latency_table.call_overhead_s if device.latency_table else 0.0
        values["latency_s"] = per_call + sum(row.latency_s or 0.0 for row in profile.rows)
        values["energy_j"] = sum(row.energy_j or 0.0 for row in profile.rows)
    how: dict[str, How] = dict.fromkeys(values, "estimated")
    return Cost(**values, how=how)
