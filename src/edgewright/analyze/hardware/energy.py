"""Energy of a network, and how much of it is spent on moving data.

    compute     = MACs x pJ per MAC              elementwise = operations x pJ per MAC / 2
    weights     = bytes x pJ per byte            activations = bytes x pJ per byte

On a device, every byte costs what its file says. Without one, the chip has two memories: an SRAM of a stated size and a
DRAM beside it. An operator's activations move through the SRAM when all that it reads and writes fits there together,
else through the DRAM. Weights come from the DRAM once per run, unless all weights of the network and the largest
activations fit in the SRAM side by side: then they stay there. Bytes are those of ideal reuse, as in the profile.

Source: Horowitz 2014 (operations); Han 2016 (bytes). An estimate: control, clock and leakage are not in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ...errors import ConfigError
from ...technology import NM45, PICO, Technology
from ...types import Device, ModelProfile, OpProfile
from ..pricing import energy_parts, pj_per_mac
from ..views import share

PARTS = ("compute_j", "elementwise_j", "weight_movement_j", "activation_movement_j")


@dataclass(frozen=True, kw_only=True)
class Memories:
    """A chip with an SRAM of `sram_bytes` and a DRAM beside it, in a process."""

    sram_bytes: int = 1024 * 1024
    sram_pj_per_byte: float | None = None  # None: the technology's, which is that of a small bank
    dram_pj_per_byte: float | None = None
    technology: Technology = NM45

    def __post_init__(self) -> None:
        if self.sram_bytes < 0:
            raise ConfigError(f"Memories.sram_bytes is 0 or more, got {self.sram_bytes}.")
        for name in ("sram_pj_per_byte", "dram_pj_per_byte"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ConfigError(f"Memories.{name} is 0 or more, got {value}.")

    def pj_per_byte(self, memory: str) -> float:
        """pJ of a byte to or from "SRAM" or "DRAM"."""
        own = {"SRAM": self.sram_pj_per_byte, "DRAM": self.dram_pj_per_byte}[memory]
        theirs = {"SRAM": self.technology.sram_pj_per_byte, "DRAM": self.technology.dram_pj_per_byte}[memory]
        return theirs if own is None else own


@dataclass(frozen=True, kw_only=True)
class OperatorEnergy:
    """Joules of one operator, for the profile's batch."""

    name: str
    layer: str
    op: str
    macs: int
    compute_j: float
    elementwise_j: float
    weight_movement_j: float
    activation_movement_j: float
    weights_in: str  # SRAM, DRAM, or the device's name
    activations_in: str

    @property
    def energy_j(self) -> float:
        return sum(getattr(self, part) for part in PARTS)

    @property
    def share_of_data_movement(self) -> float | None:
        return share(self.weight_movement_j + self.activation_movement_j, self.energy_j)


@dataclass(frozen=True, kw_only=True)
class Energy:
    """Joules of a network, one row per operator in the order of execution, fused ones included."""

    rows: tuple[OperatorEnergy, ...]
    dtype: str
    source: str  # whose pJ these are: a process or a device
    pj_per_mac: float
    weights_fit: bool | None  # whether the weights stay in the SRAM; None on a device

    def of(self, part: str) -> float:
        """The sum of one of `PARTS` over all operators."""
        return sum(getattr(row, part) for row in self.rows)

    @property
    def energy_j(self) -> float:
        return sum(self.of(part) for part in PARTS)

    @property
    def share_of_data_movement(self) -> float | None:
        return share(self.of("weight_movement_j") + self.of("activation_movement_j"), self.energy_j)

    def by_layer(self) -> list[dict[str, Any]]:
        """Rows of plain data, each with its share of the whole."""
        whole = self.energy_j
        return [
            {
                "name": row.name, "layer": row.layer, "op": row.op, "macs": row.macs,
                **{part: getattr(row, part) for part in PARTS}, "energy_j": row.energy_j,
                "share_of_energy": share(row.energy_j, whole), "share_of_data_movement": row.share_of_data_movement,
                "weights_in": row.weights_in, "activations_in": row.activations_in,
            }
            for row in self.rows
        ]  # fmt: skip

    def total(self) -> dict[str, Any]:
        """The sums in one row of plain data."""
        return {
            "dtype": self.dtype, "source": self.source, "pj_per_mac": self.pj_per_mac,
            "macs": sum(row.macs for row in self.rows),
            **{part: self.of(part) for part in PARTS}, "energy_j": self.energy_j,
            "share_of_data_movement": self.share_of_data_movement, "weights_fit": self.weights_fit,
        }  # fmt: skip


def energy_of(profile: ModelProfile, *, device: Device | None = None, memories: Memories | None = None) -> Energy:
    """Where the joules of one run go.

    Args:
        profile: at the type that is to be priced.
        device: whose pJ per MAC and byte count; a type without kernels costs what float32 does, as in the profile.
        memories: the chip that stands in for a device: the 45 nm table and 1 MiB of SRAM unless said.

    Raises:
        ConfigError: both were given, or the technology does not know the profile's type.
    """
    if device is not None and memories is not None:
        raise ConfigError("Energy takes a device or memories, got both: a device brings its own pJ per byte.")
    return _on_device(profile, device) if device is not None else _on_chip(profile, memories or Memories())


def _on_device(profile: ModelProfile, device: Device) -> Energy:
    per_mac = pj_per_mac(device, profile.dtype)
    home = (device.name, device.pj_per_byte)
    rows = tuple(_priced(row, per_mac, home, home) for row in profile.rows)
    return Energy(rows=rows, dtype=profile.dtype, source=device.name, pj_per_mac=per_mac, weights_fit=None)


def _on_chip(profile: ModelProfile, chip: Memories) -> Energy:
    per_mac = chip.technology.mac_pj(profile.dtype)
    resident = profile.weight_bytes + profile.peak_ram_bytes <= chip.sram_bytes
    room = chip.sram_bytes - (profile.weight_bytes if resident else 0)
    rows = []
    for row in profile.rows:
        homes = ("SRAM" if resident else "DRAM", "SRAM" if row.activation_bytes <= room else "DRAM")
        weights, activations = ((home, chip.pj_per_byte(home)) for home in homes)
        rows.append(_priced(row, per_mac, weights, activations))
    return Energy(
        rows=tuple(rows), dtype=profile.dtype, source=chip.technology.name, pj_per_mac=per_mac, weights_fit=resident
    )


def _priced(
    row: OpProfile, per_mac: float, weights: tuple[str, float], activations: tuple[str, float]
) -> OperatorEnergy:
    """`weights` and `activations`: where they are, and pJ per byte there."""
    return OperatorEnergy(
        name=row.name,
        layer=row.layer,
        op=row.op,
        macs=row.macs,
        **energy_parts(row, pj_per_mac=per_mac, weight_pj=weights[1], activation_pj=activations[1]),
        weights_in=weights[0],
        activations_in=activations[0],
    )


def compare_energy(
    profiles: Iterable[ModelProfile], *, device: Device | None = None, memories: Memories | None = None
) -> list[dict[str, Any]]:
    """The totals of one network at several types, one row each, with how many times less than the first it takes."""
    totals = [energy_of(each, device=device, memories=memories).total() for each in profiles]
    return [{**row, "times_less": share(totals[0]["energy_j"], row["energy_j"])} for row in totals]


def mac_array(
    num_macs: int, dtype: str, *, accumulator: str | None = None, technology: Technology = NM45
) -> dict[str, Any]:
    """Area and energy per cycle of `num_macs` multipliers and adders: arithmetic alone, no registers and no wires.

    Raises:
        ConfigError: fewer than one, or a type that the technology does not know.
    """
    if num_macs < 1:
        raise ConfigError(f"An array has at least one MAC, got {num_macs}.")
    area = technology.mac_um2(dtype, accumulator=accumulator)
    per_mac = technology.mac_pj(dtype, accumulator=accumulator)
    return {
        "dtype": dtype, "accumulator": accumulator or technology.accumulator.get(dtype, dtype), "num_macs": num_macs,
        "mac_um2": area, "area_um2": num_macs * area, "energy_per_cycle_j": PICO * num_macs * per_mac,
    }  # fmt: skip
