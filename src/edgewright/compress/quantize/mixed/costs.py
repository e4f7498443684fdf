"""What bits cost: bytes of packed weights, peak bytes of activations, bit operations, seconds.

weight bytes      packed: ceil(n / 8) x b, see `model.packed`; biases and scales, which no choice changes,
                  are not part of it
activation bytes  the largest sum of live tensors over all execution points, b bits a value
bit operations    MACs x weight bits x activation bits
latency           by the device's time for each type that it has kernels for
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields

from torch import fx

from ....analyze import profile, schedule, timeline, trace
from ....errors import ConfigError
from ....model.packed import packed_bytes
from ....types import Device
from ..flow import Flow
from ..placement import Plan
from ..precision import Precision
from .probe import members_of

FLOAT_BYTES = 4
Seconds = Callable[[str, int, int], float]  # layer, bits of its weights, bits of what it reads -> seconds


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a choice of bits may cost; None for no limit."""

    weight_bytes: int | None = None
    activation_bytes: int | None = None
    bit_operations: int | None = None
    latency_s: float | None = None

    def __post_init__(self) -> None:
        for name, limit in self.given().items():
            if not (limit > 0 and math.isfinite(limit)):
                raise ConfigError(f"Limits.{name} must be greater than 0, got {limit}: leave it out for no limit.")

    def given(self) -> dict[str, float]:
        """The limits that are set, by name."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What a choice of bits costs, in the words of `Limits`."""

    weight_bytes: int
    activation_bytes: int
    bit_operations: int
    latency_s: float | None

    def within(self, limits: Limits) -> bool:
        """Whether no limit is broken."""
        return all(getattr(self, name) <= limit for name, limit in limits.given().items())


@dataclass(frozen=True, kw_only=True)
class Alive:
    """One execution point: bytes that no choice changes, and values of quantized tensors, by point."""

    fixed_bytes: int = 0
    values: Mapping[str, int] = field(default_factory=dict)

    def num_bytes(self, bits: Callable[[str], int]) -> int:
        """The bytes alive when each point has `bits(point)` bits, packed."""
        return self.fixed_bytes + sum(math.ceil(count * bits(point) / 8) for point, count in self.values.items())


@dataclass(frozen=True, kw_only=True)
class BitCosts:
    """The facts of a network from which the cost of any choice of bits follows.

    Attributes:
        reads: layer -> the point that it reads.
        weights: layer -> how many it has.
        macs: layer -> multiply-accumulates per image.
        leader: point -> the first of those that share its grid, and so its bits.
        moments: what is alive at each execution point.
        seconds: of a layer at given bits; None: latency is unknown.
        other_seconds: of everything that has no bits to choose.
    """

    reads: Mapping[str, str]
    weights: Mapping[str, int]
    macs: Mapping[str, int]
    leader: Mapping[str, str]
    moments: tuple[Alive, ...] = ()
    seconds: Seconds | None = None
    other_seconds: float = 0.0

    def of_layer(self, layer: str, bits: int, read_bits: int) -> dict[str, float]:
        """What one layer adds to each cost that is a sum."""
        found: dict[str, float] = {
            "weight_bytes": packed_bytes(self.weights[layer], bits),
            "bit_operations": self.macs[layer] * bits * read_bits,
        }
        if self.seconds is not None:
            found["latency_s"] = self.seconds(layer, bits, read_bits)
        return found

    def weight_bytes_at(self, mean_bits: float) -> int:
        """The limit on weight bytes that stands for so many bits per weight on average, rounded down."""
        return int(sum(self.weights.values()) * mean_bits / 8)

    def spent(self, precision: Precision) -> Spent:
        """What a choice costs."""
        each = [
            self.of_layer(layer, precision.of_layer(layer), precision.of_point(point))
            for layer, point in self.reads.items()
        ]
        live = [moment.num_bytes(precision.of_point) for moment in self.moments]
        known = self.seconds is not None
        return Spent(
            weight_bytes=int(sum(row["weight_bytes"] for row in each)),
            activation_bytes=max(live, default=0),
            bit_operations=int(sum(row["bit_operations"] for row in each)),
            latency_s=self.other_seconds + sum(row["latency_s"] for row in each) if known else None,
        )


def bit_costs(net: fx.GraphModule, plan: Plan, *, device: Device | None = None) -> BitCosts:
    """The costs of a folded net, for one image.

    Args:
        net: folded, in float.
        plan: where its integers are.
        device: gives the latency; None leaves it unknown.
    """
    rows = {row.name: row for row in profile(net).rows}
    nodes = {node.name: node for node in net.graph.nodes}
    leader = {member: lead for lead, members in members_of(plan).items() for member in members}
    seconds, other = _latency(net, plan, device) if device is not None else (None, 0.0)
    return BitCosts(
        reads=dict(plan.layers),
        weights={name: net.get_submodule(str(nodes[name].target)).weight.numel() for name in plan.layers},  # type: ignore[operator, union-attr]
        macs={name: rows[name].macs for name in plan.layers},
        leader=leader,
        moments=_moments(net, plan),
        seconds=seconds,
        other_seconds=other,
    )


# --- latency --------------------------------------------------------------------------------------------------------

TYPES = (("int4", 4), ("int8", 8), ("float32", 32))  # what may have kernels, and the widest operands that it takes


def _latency(net: fx.GraphModule, plan: Plan, device: Device) -> tuple[Seconds, float]:
    """Seconds of a layer at given bits, and of all that is no layer: what fits no integer kernel runs in float."""
    kernels = [(dtype, widest) for dtype, widest in TYPES if dtype in device.macs_per_cycle]
    times: dict[int, dict[str, float]] = {}
    totals: dict[int, float] = {}
    for dtype, widest in kernels:
        profiled = profile(net, device=device, dtype=dtype)
        times[widest] = {row.name: row.latency_s or 0.0 for row in profiled.rows}
        totals[widest] = profiled.cost.latency_s or 0.0
    whole = 8 if 8 in times else 32  # everything else runs at the type of the network

    def seconds(layer: str, bits: int, read_bits: int) -> float:
        return next(times[widest][layer] for widest in times if widest >= max(bits, read_bits))

    return seconds, totals[whole] - sum(times[whole][name] for name in plan.layers)


# --- activations ----------------------------------------------------------------------------------------------------


def _moments(net: fx.GraphModule, plan: Plan) -> tuple[Alive, ...]:
    """The execution points of a net; those whose live tensors are all alive at another one too are left out."""
    point_of, found = _point_of_buffer(net, plan), dict[frozenset[str], Alive]()
    for moment in timeline(schedule(trace(net)), "int8"):  # at int8 a byte is a value
        fixed, values = 0, dict[str, int]()
        for name, count in moment.live.items():
            point = point_of.get(name)
            if point is None:
                fixed += FLOAT_BYTES * count
            else:
                values[point] = values.get(point, 0) + count
        found.setdefault(frozenset(moment.live), Alive(fixed_bytes=fixed, values=values))
    return tuple(alive for key, alive in found.items() if not any(key < other for other in found))


def _point_of_buffer(net: fx.GraphModule, plan: Plan) -> dict[str, str]:
    """The quantized tensor that lies in a buffer, by the node which wrote it first: its own, or the one it moves."""
    flow = Flow(net)
    points = {node.name: flow.point(flow.origin(node)).name for node in flow.nodes if node.op != "output"}
    return {name: point for name, point in points.items() if point in plan.points}
