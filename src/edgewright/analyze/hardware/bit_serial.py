"""Cycles of a bit-serial accelerator: a layer whose activations need p bits takes p/16 of a 16-bit engine's time.

Ideal, every multiplier always busy, with M MACs in a layer and L multipliers:

    bit-parallel M / L          bit-serial M / L x p / 16          speed-up sum M_l / sum(M_l p_l / 16)

On the array, a cycle of the bit-parallel engine takes one window of a convolution, `lanes` input channels at one place
of the kernel, and all filters of all tiles; the bit-serial engine takes `windows` windows at once, one bit of each:

    bit-parallel = g x windows                          x ceil(F / filters) x K x ceil(C / lanes)
    bit-serial   = g x ceil(windows / array's) x p      x ceil(F / filters) x K x ceil(C / lanes)

with F filters and C input channels of each of the g groups, K places in the kernel. Groups run one after another, since
all filters read the same inputs: so a depthwise convolution leaves nearly all of the array idle. Memory is never
waited for. A convolution with too few windows runs at the bit-parallel rate, other filters in the idle columns. So do
linear layers, which have one window, unless `linear` says otherwise: then they take p/16 of the bit-parallel cycles.

Sources: Judd 2016, MICRO (Stripes: 16 tiles of 16 filters x 16 windows x 16 lanes, against DaDianNao: 16 tiles of 16
filters x 16 lanes, Chen 2014); Delmas 2017 (Tartan, which speeds up linear layers too). Groups, few windows and the
rounding of lanes are our model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

from torch import nn

from ...errors import ConfigError
from ...technology import BIT_PARALLEL_BITS
from ...types import ModelProfile, OpProfile
from .bits import Bits, activation_bits, bits_per_layer
from .products import Product, products, unseen


@dataclass(frozen=True, kw_only=True)
class SerialArray:
    """The engine. The default is that of Stripes; `windows` must reach `parallel_bits` for the ideal speed-up."""

    tiles: int = 16
    filters_per_tile: int = 16
    lanes: int = 16  # input channels that one filter takes in a cycle
    windows: int = 16  # that the bit-serial engine takes at once
    parallel_bits: int = BIT_PARALLEL_BITS

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if not isinstance(value, int) or value < 1:
                raise ConfigError(f"SerialArray.{each.name} is a whole number of at least 1, got {value!r}.")

    @property
    def filters(self) -> int:
        return self.tiles * self.filters_per_tile

    @property
    def multipliers(self) -> int:
        """Of the bit-parallel engine."""
        return self.filters * self.lanes


@dataclass(frozen=True, kw_only=True)
class SerialLayer:
    """One operator on both engines, for the profile's batch."""

    name: str
    layer: str
    op: str
    macs: int
    bits: int  # of the activations; the engine's full width where nothing is sped up
    ideal_parallel_cycles: float
    ideal_serial_cycles: float
    parallel_cycles: int
    serial_cycles: int
    utilization: float  # share of the bit-parallel engine's multipliers at work


@dataclass(frozen=True, kw_only=True)
class BitSerial:
    """A network on both engines."""

    rows: tuple[SerialLayer, ...]
    array: SerialArray
    unseen: tuple[str, ...] = ()  # operators whose weights no layer holds: full width, all lanes busy

    @property
    def ideal_speed_up(self) -> float | None:
        """Of every operator that multiplies, by the closed form."""
        return self._ratio("ideal_parallel_cycles", "ideal_serial_cycles")

    @property
    def speed_up(self) -> float | None:
        """The same with idle lanes counted, in both engines."""
        return self._ratio("parallel_cycles", "serial_cycles")

    def _ratio(self, above: str, below: str) -> float | None:
        slow, fast = (sum(getattr(row, name) for row in self.rows) for name in (above, below))
        return slow / fast if fast else None

    def by_layer(self) -> list[dict[str, Any]]:
        """Rows of plain data."""
        return [
            {
                **{each.name: getattr(row, each.name) for each in fields(row)},
                "ideal_speed_up": row.ideal_parallel_cycles / row.ideal_serial_cycles,
                "speed_up": row.parallel_cycles / row.serial_cycles,
            }
            for row in self.rows
        ]

    def total(self) -> dict[str, Any]:
        """The sums in one row of plain data."""
        macs = sum(row.macs for row in self.rows)
        cycles = sum(row.parallel_cycles for row in self.rows)
        names = ("ideal_parallel_cycles", "ideal_serial_cycles", "parallel_cycles", "serial_cycles")
        return {
            "macs": macs,
            "mean_bits": sum(row.macs * row.bits for row in self.rows) / macs if macs else None,
            **{name: sum(getattr(row, name) for row in self.rows) for name in names},
            "ideal_speed_up": self.ideal_speed_up, "speed_up": self.speed_up,
            "utilization": macs / (cycles * self.array.multipliers) if cycles else None,
            "unseen": list(self.unseen),
        }  # fmt: skip


def bit_serial(
    net: nn.Module, profile: ModelProfile, *, bits: Bits = None, linear: bool = False, array: SerialArray | None = None
) -> BitSerial:
    """A network on a bit-serial engine and on the bit-parallel one of the same width.

    Args:
        net: the model that was profiled.
        profile: at any type; its MACs and shapes count.
        bits: of the activations that each layer reads, one number or by layer (`needed_bits` finds them); None takes
            those of the model's quantizers. A layer without takes the full width.
        linear: speed up linear layers too.
        array: the engine; that of Stripes unless said.

    Raises:
        ConfigError: bits for a layer that is not there, or outside 1 to the engine's width.
        ModelError: the profile is of another model.
    """
    engine = array or SerialArray()
    found = {each.row.name: each for each in products(net, profile)}
    layers = list(dict.fromkeys(each.row.layer for each in found.values()))
    widths = bits_per_layer(bits, activation_bits(net), layers, otherwise=engine.parallel_bits)
    for layer, width in widths.items():
        if width > engine.parallel_bits:
            raise ConfigError(f"The engine is {engine.parallel_bits} bits wide, got {width} bits for '{layer}'.")
    rows = [
        _layer(found[row.name], widths[row.layer], engine, linear=linear)
        if row.name in found
        else _product_of_activations(row, engine)
        for row in profile.rows
        if row.macs
    ]
    return BitSerial(rows=tuple(rows), array=engine, unseen=unseen(profile, found.values()))


def _layer(product: Product, bits: int, engine: SerialArray, *, linear: bool) -> SerialLayer:
    used = bits if product.is_convolution or linear else engine.parallel_bits
    share = used / engine.parallel_bits
    filters, lanes = math.ceil(product.rows / engine.filters), math.ceil(product.channels / engine.lanes)
    steps = product.groups * filters * product.places * lanes
    parallel = product.positions * steps
    serial = math.ceil(parallel * share)
    if product.is_convolution:
        serial = min(parallel, math.ceil(product.positions / engine.windows) * used * steps)
    ideal = product.row.macs / engine.multipliers
    return SerialLayer(
        name=product.row.name, layer=product.row.layer, op=product.row.op, macs=product.row.macs, bits=used,
        ideal_parallel_cycles=ideal, ideal_serial_cycles=ideal * share,
        parallel_cycles=parallel, serial_cycles=serial, utilization=ideal / parallel,
    )  # fmt: skip


def _product_of_activations(row: OpProfile, engine: SerialArray) -> SerialLayer:
    """Attention and the like: bit-parallel on both engines, all lanes busy."""
    ideal = row.macs / engine.multipliers
    cycles = math.ceil(ideal)
    return SerialLayer(
        name=row.name, layer=row.layer, op=row.op, macs=row.macs, bits=engine.parallel_bits,
        ideal_parallel_cycles=ideal, ideal_serial_cycles=ideal, parallel_cycles=cycles, serial_cycles=cycles,
        utilization=ideal / cycles,
    )  # fmt: skip
