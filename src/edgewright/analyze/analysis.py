"""Everything that is known about one model's cost, as plain data: what `--json` writes and the page shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import nn

from .. import __version__
from ..errors import EdgewrightError
from ..types import ANALYSIS_FORMAT, BYTES_PER_ELEMENT, Check, Device, ModelProfile, plain
from .fitting import fit_checks
from .hardware import Memories, bit_operations, bit_serial, energy_of, total_bit_operations, two_four
from .latency import table_source
from .memory import Moment, timeline
from .memory_variants import memory_variants
from .operators import schedule
from .profiling import profile_of, traced
from .receptive import by_shape
from .roofline import roofline
from .tracing import Trace
from .views import by_layer, by_module, by_type, total

ENERGY_DTYPES = tuple(Memories().technology.multiply_pj)  # the process table knows no int4


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """One model, one input, one type, perhaps one device. Parts are worked out when they are asked for."""

    model: nn.Module
    name: str
    input_shape: tuple[int, ...]
    batch: int = 1
    dtype: str = "float32"
    device: Device | None = None

    @cached_property
    def calls(self) -> Trace:
        return traced(self.model, self.input_shape, batch=self.batch)

    @cached_property
    def profile(self) -> ModelProfile:
        return profile_of(self.calls, device=self.device, dtype=self.dtype)

    @cached_property
    def timeline(self) -> tuple[Moment, ...]:
        return timeline(schedule(self.calls), self.dtype)

    @cached_property
    def at_each_dtype(self) -> tuple[ModelProfile, ...]:
        """The profile at every type, the widest first."""
        return tuple(
            self.profile if dtype == self.dtype else profile_of(self.calls, device=self.device, dtype=dtype)
            for dtype in BYTES_PER_ELEMENT
        )

    def by_dtype(self) -> list[dict[str, Any]]:
        """One row per type: weights, peak, and with a device time and energy."""
        names = ("dtype", "weight_bytes", "activation_bytes", "peak_ram_bytes", "latency_s", "energy_j")
        return [{name: total(each)[name] for name in names} for each in self.at_each_dtype]

    def fits(self) -> tuple[Check, ...]:
        """Whether it fits the device's memories; nothing without a device."""
        if self.device is None:
            return ()
        moment = max(self.timeline, key=lambda each: each.num_bytes)
        others = [each for each in self.at_each_dtype if BYTES_PER_ELEMENT[each.dtype] < BYTES_PER_ELEMENT[self.dtype]]
        return fit_checks(self.profile, self.device, moment=moment, others=others)

    @property
    def prices_whole_chip(self) -> bool:
        """Whether the device's pJ per MAC holds its memory too: that of a microcontroller is supply current over MACs.

        What moving data takes is then not known.
        """
        return self.device is not None and self.device.kind == "mcu"

    def energy_by_layer(self) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Joules by what they are spent on, of each operator and of all, on the device or in the 45 nm table.

        Raises:
            ConfigError: no device, and a type that the table does not know.
        """
        found = energy_of(self.profile, device=self.device)
        hidden = {"share_of_data_movement": None} if self.prices_whole_chip else {}
        return [{**row, **hidden} for row in found.by_layer()], {**found.total(), **hidden}

    def energy(self) -> dict[str, Any] | None:
        """The joules of all operators; None where the 45 nm table has no such type."""
        if self.device is None and self.dtype not in ENERGY_DTYPES:
            return None
        return self.energy_by_layer()[1]

    def bit_operations(self) -> dict[str, Any]:
        """Rows and totals of bit operations and effective MACs."""
        rows = bit_operations(self.model, self.profile)
        return {"rows": rows, "totals": total_bit_operations(rows)}

    def two_four(self) -> dict[str, Any]:
        """Rows and totals of 2:4 sparsity."""
        found = two_four(self.model, self.profile, device=self.device)
        return {"rows": found.by_layer(), "totals": found.total()}

    def bit_serial(self) -> dict[str, Any]:
        """Rows and totals of a bit-serial engine at the bits that the model's quantizers have."""
        found = bit_serial(self.model, self.profile)
        return {"rows": found.by_layer(), "totals": found.total()}

    def latency_source(self) -> str:
        """How the latency on the device was found, and how far off it may be; "" without a device."""
        if self.device is None:
            return ""
        if self.device.latency_table is None:
            return "estimated from the data sheet, roofline"
        return table_source(self.profile, self.device.latency_table, batch=self.batch)

    def _totals(self) -> dict[str, Any]:
        found = total(self.profile)
        return found if self.device is None else {**found, "how": {**found["how"], "latency_s": self.latency_source()}}

    def content(self) -> dict[str, Any]:
        """All that is cheap to know, JSON-able: no training, no compressed columns and no groups of channels.

        A part that the model does not allow is None.
        """
        return {
            "format": ANALYSIS_FORMAT,
            "model": self.name,
            "input_shape": list(self.input_shape),
            "batch": self.batch,
            "dtype": self.dtype,
            "versions": {"edgewright": __version__, "torch": torch.__version__},
            "device": _without_table(self.device),
            "totals": {**self._totals(), "by_dtype": self.by_dtype()},
            "operators": by_layer(self.profile),
            "modules": by_module(self.profile),
            "types": by_type(self.profile),
            "shapes": by_shape(self.calls),
            "memory": {
                "variants": memory_variants(self.calls, self.dtype),
                "timeline": [plain(each) for each in self.timeline],
            },
            "roofline": roofline(self.profile, self.device) if self.device else None,
            "energy": self.energy(),
            "energy_by_layer": _if_possible(lambda: self.energy_by_layer()[0]),
            "bit_operations": _if_possible(self.bit_operations),
            "two_four": _if_possible(self.two_four),
            "bit_serial": _if_possible(self.bit_serial),
            "fits": [plain(each) for each in self.fits()],
        }


def _if_possible(part: Callable[[], Any]) -> Any:
    """One view of a model must not keep the others from being written."""
    try:
        return part()
    except EdgewrightError:
        return None


def _without_table(device: Device | None) -> dict[str, Any] | None:
    """The facts of a device; measured points are thousands of numbers that nobody reads here."""
    if device is None:
        return None
    facts = plain(device)
    if device.latency_table is not None:
        facts["latency_table"] = {key: value for key, value in facts["latency_table"].items() if key != "points"}
    return facts
