"""The numbers of a device file that are not times of operators: memory, clock, bandwidth, and what is taken over."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ..devices.machine import clock_hz, cpu_name, ram_bytes
from ..types import Device, LatencyTable
from .shapes import LONG_CHAIN, SHORT_CHAIN, TINY_SHAPE

COPIED_BYTES = 256 * 2**20  # far more than any cache holds
COPIES = 5
MULTIPLY = ("conv", "linear")  # kinds whose work is MACs


def copy_bandwidth(clock: Callable[[], float] = time.thread_time) -> float:
    """Bytes per second, read and written, of a copy from memory to memory on one thread."""
    source, target = np.ones(COPIED_BYTES, np.uint8), np.empty(COPIED_BYTES, np.uint8)
    np.copyto(target, source)
    seconds = []
    for _ in range(COPIES):
        began = clock()
        np.copyto(target, source)
        seconds.append(clock() - began)
    return 2 * COPIED_BYTES / min(seconds)


def peak_rate(points: Mapping[str, Sequence[Sequence[float]]]) -> float:
    """MACs per second that one in ten convolutions and linear layers of a table reaches.

    The very fastest are small images whose padding counts as work and is none.
    """
    rates = [row[0] / row[-1] for kind, rows in points.items() if kind.startswith(MULTIPLY) for row in rows]
    return float(np.percentile(rates, 90))


def described(name: str, base: Device, table: LatencyTable, *, bandwidth: float, overhead_s: float) -> Device:
    """This machine as a device; what cannot be measured here is the base's, and says so in its source."""
    rate = peak_rate(table.points["float32"])
    clock = clock_hz() or base.clock_hz
    others = {dtype: per for dtype, per in base.macs_per_cycle.items() if dtype != "float32"}
    scale = rate / clock / base.macs_per_cycle["float32"]
    how = f"measured: {table.runtime}, {_threads(table.threads)}"
    tiny = "x".join(map(str, TINY_SHAPE))
    sources = {
        "clock_hz": "stated by the system" if clock_hz() else f"not stated by the system: {_taken(base)}",
        "ram_bytes": "stated by the system: main memory" if ram_bytes() else _taken(base),
        "bandwidth_bytes_s": f"measured: copy of a {COPIED_BYTES // 2**20} MiB array, one thread, read + written",
        "overhead_s": f"{how}, {LONG_CHAIN} against {SHORT_CHAIN} chained 1x1 convolutions on {tiny} values",
        "pj_per_byte": f"{_taken(base)}: {base.sources['pj_per_byte']}",
        "round_to": f"{_taken(base)}: {base.sources['round_to']}",
        "macs_per_cycle.float32": f"{how}, one convolution or linear layer in ten reaches: {rate / 1e9:.1f} G/s",
        **{f"macs_per_cycle.{each}": f"not measured: {_taken(base)}, times what float32 differs" for each in others},
        **{f"pj_per_mac.{each}": f"{_taken(base)}: {base.sources[f'pj_per_mac.{each}']}" for each in base.pj_per_mac},
    }
    return Device(
        name=name,
        title=f"{cpu_name()}, {_threads(table.threads)}, measured",
        kind="cpu",
        clock_hz=clock,
        ram_bytes=ram_bytes() or base.ram_bytes,
        flash_bytes=None,
        macs_per_cycle={"float32": short(rate / clock), **{each: short(per * scale) for each, per in others.items()}},
        bandwidth_bytes_s=short(bandwidth),
        overhead_s=overhead_s,
        pj_per_mac=base.pj_per_mac,
        pj_per_byte=base.pj_per_byte,
        round_to=base.round_to,
        runtimes=("onnxruntime",),
        host=platform.machine(),
        sources=sources,
        latency_table=table,
    )


def short(value: float) -> float:
    """Five digits: more than a timing holds, and a file that can be read."""
    return float(f"{value:.5g}")


def _threads(threads: int) -> str:
    return "one thread" if threads == 1 else f"{threads} threads"


def _taken(base: Device) -> str:
    return f"taken from {base.name}"
