"""What an operator costs on a device: time by its table or the roofline, energy by operations and bytes.

    latency = max(MACs / peak, bytes / bandwidth) + overhead          per operator; nothing for what is fused
    energy  = (2 MACs + elementwise) x pJ per MAC / 2 + bytes x pJ per byte

A calibrated device has measured times of operators: they replace the roofline wherever its table has an answer. Bytes
are those of ideal reuse: input, weights and output once. A MAC is two operations, so one operation is charged half the
energy of a MAC. Elementwise operations cost no time of their own: they are done while the bytes move.
Source: Williams 2009 (roofline); Horowitz 2014 (energy per operation and byte).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Literal

from ..technology import PICO
from ..types import Cost, Device, How, ModelProfile, OpProfile
from .latency import table_latency

Bound = Literal["compute", "memory", "overhead"]


def priced(row: OpProfile, device: Device, dtype: str) -> OpProfile:
    """`row` with latency, energy and what bounds it on `device`."""
    joules = energy_parts(
        row, pj_per_mac=pj_per_mac(device, dtype), weight_pj=device.pj_per_byte, activation_pj=device.pj_per_byte
    )
    energy = sum(joules.values())
    if row.fused_into is not None:
        return replace(row, latency_s=0.0, energy_j=energy)
    latency, bound = roof(row, device, dtype)
    measured = None if device.latency_table is None else table_latency(row, device.latency_table, dtype)
    return replace(row, latency_s=latency if measured is None else measured, energy_j=energy, bound=bound)


def roof(row: OpProfile, device: Device, dtype: str, *, rate: float = 1.0) -> tuple[float, Bound]:
    """Seconds by the roofline alone, and which of its terms is the largest; fusion is not looked at.

    Args:
        row: what the operator computes and moves.
        device: where it runs; its measured times are not asked.
        dtype: of what is multiplied.
        rate: how many times the device's peak the operator's kernels reach.
    """
    times: dict[Bound, float] = {
        "compute": row.macs / (rate * device.macs_per_second(dtype)),
        "memory": (row.weight_bytes + row.activation_bytes) / device.bandwidth_bytes_s,
        "overhead": device.overhead_s,
    }
    return max(times["compute"], times["memory"]) + times["overhead"], max(times, key=lambda name: times[name])


def energy_parts(row: OpProfile, *, pj_per_mac: float, weight_pj: float, activation_pj: float) -> dict[str, float]:
    """Joules of an operator by what they are spent on; `weight_pj` and `activation_pj` are those of a byte."""
    return {
        "compute_j": PICO * row.macs * pj_per_mac,
        "elementwise_j": PICO * row.elementwise * pj_per_mac / 2,  # a MAC is two operations
        "weight_movement_j": PICO * row.weight_bytes * weight_pj,
        "activation_movement_j": PICO * row.activation_bytes * activation_pj,
    }


def pj_per_mac(device: Device, dtype: str) -> float:
    """A type that a device has no kernels for costs what float32 does."""
    return device.pj_per_mac.get(dtype, device.pj_per_mac["float32"])


def latency_of(rows: Iterable[OpProfile], device: Device) -> float:
    """Seconds of one call: those of its priced operators, and what the runtime takes beside them."""
    return call_overhead_s(device) + sum(row.latency_s or 0.0 for row in rows)


def call_overhead_s(device: Device) -> float:
    """What a call takes beside its operators: known where a device was measured."""
    return device.latency_table.call_overhead_s if device.latency_table else 0.0


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
        values["latency_s"] = latency_of(profile.rows, device)
        values["energy_j"] = sum(row.energy_j or 0.0 for row in profile.rows)
    how: dict[str, How] = dict.fromkeys(values, "estimated")
    return Cost(**values, how=how)
