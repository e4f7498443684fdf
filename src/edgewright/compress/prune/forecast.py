"""What a cut model will weigh, take and need, followed through every width without cutting.

MACs and parameters are exact (`cost`). Here the tensors and constants of the model as it is are scaled by the widths
that they hold, and each operator is priced anew: by its table of measured times where the device has one, else by the
roofline. What decides is always the cost of the model that was cut (`quantities`); a forecast only says where to look.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from torch import fx

from ...analyze import profile_of, schedule, stored, timeline, traced
from ...analyze.operators import Operator
from ...analyze.pricing import call_overhead_s, priced
from ...analyze.weights import Constant
from ...types import Device, OpProfile
from .cost import CutCost
from .widths import ONE, Choice


@dataclass(frozen=True, kw_only=True)
class Share:
    """What part of its full size something has: the product of two widths over their product in the whole model."""

    first: int = ONE
    second: int = ONE
    whole: int = 1

    def at(self, widths: np.ndarray) -> np.ndarray:
        """The part (C,) at each of C choices, given all widths (W, C)."""
        return widths[self.first] * widths[self.second] / self.whole


WHOLE = Share()


class Forecaster:
    """Forecasts for all cuts of one model.

    Args:
        cost: its MACs and parameters, which hold the widths of its layers.
        device: where it is to run.
        dtype: how weights and activations are stored.
    """

    def __init__(self, cost: CutCost, device: Device, dtype: str) -> None:
        self.cost, self.device, self.dtype = cost, device, dtype
        self._calls = traced(cost.net)
        self._plan = schedule(self._calls)
        self._nodes = {node.name: node for node in cost.net.graph.nodes}

    @cached_property
    def bytes(self) -> Parts:
        """Bytes of the constants that ship."""
        unique = {each.key: (each, op) for op in self._plan.operators for each in op.constants}
        parts = [part for each, op in unique.values() for part in self._constant_parts(each, op)]
        return Parts(self.cost, parts)

    @cached_property
    def ram(self) -> PeakRam:
        """Peak bytes of activations, and of the weights where they are loaded."""
        moments = [moment.live for moment in timeline(self._plan, self.dtype)]
        names = sorted({name for live in moments for name in live})
        live = np.array([[each.get(name, 0) for name in names] for each in moments], dtype=float)
        shares = [self.share(name) for name in names]
        return PeakRam(self.cost, live, shares, None if self.device.kind == "mcu" else self.bytes)

    @cached_property
    def latency(self) -> Latency:
        """Seconds of one call."""
        rows = profile_of(self._calls, dtype=self.dtype).rows
        running = [(op, row) for op, row in zip(self._plan.operators, rows, strict=True) if op.fused_into is None]
        return Latency(self.cost, [self._timed(op, row) for op, row in running], call_overhead_s(self.device))

    def share(self, name: str) -> Share:
        """How the tensor that a node makes depends on widths."""
        node = self._nodes.get(name)
        width, size = (ONE, 1) if node is None else self.cost.extent(node)
        return Share(first=width, whole=size)

    def _constant_parts(self, constant: Constant, operator: Operator) -> list[tuple[float, Share]]:
        """(bytes, share) of the weights and of the vectors and scales of a constant."""
        matrix, vector = self._constant_shares(constant, operator)
        whole = stored([constant], self.dtype)
        return [(float(whole.weights), matrix), (float(whole.vectors + whole.scales), vector)]

    def _constant_shares(self, constant: Constant, operator: Operator) -> tuple[Share, Share]:
        if operator.call.layer is not None:
            first, second, whole = self.cost.weight_extent(operator.call.path)
            made, size = self.cost.vector_extent(operator.call.path)
            return Share(first=first, second=second, whole=whole), Share(first=made, whole=size)
        loose, axis = self.share(constant.key), self._axis(self._nodes.get(constant.key))
        scaled = bool(constant.vectors) or (axis is not None and axis[0] == 0)  # a matrix has a scale per first entry
        return loose, loose if scaled else WHOLE

    def _timed(self, operator: Operator, row: OpProfile) -> TimedRow:
        node = self._nodes[row.name]
        reads = [(float(view.num_bytes(self.dtype)), self.share(self._plan.names[view.buffer]))
                 for view in (*operator.reads, *operator.writes)]  # fmt: skip
        source = node.all_input_nodes[0] if node.all_input_nodes else None
        return TimedRow(
            row=row, moved=reads, stored=[part for each in operator.constants for part in
                                          self._constant_parts(each, operator)],
            work=self._work(node, row.macs), axes=(self._axis(source), self._axis(node)),
            groups=self.cost.group_extent(node), price=self._seconds,
        )  # fmt: skip

    def _seconds(self, row: OpProfile) -> float:
        return priced(row, self.device, self.dtype).latency_s or 0.0

    def _work(self, node: fx.Node, macs: int) -> list[tuple[float, Share]]:
        found = self.cost.terms_of(node, macs) if macs else ()
        return [(factor / divisor, Share(first=first, second=second)) for factor, first, second, divisor in found]

    def _axis(self, node: fx.Node | None) -> tuple[int, int] | None:
        """The axis of a tensor along which its channels lie, and their width; None where they lie along none or two."""
        return None if node is None else self.cost.channel_axis(node)


def _total(parts: Sequence[tuple[float, Share]], widths: np.ndarray) -> np.ndarray:
    return sum((full * share.at(widths) for full, share in parts), np.zeros(widths.shape[1]))


class Parts:
    """A sum of things that shrink with their widths."""

    def __init__(self, cost: CutCost, parts: Sequence[tuple[float, Share]]) -> None:
        self._choice = Choice(cost.widths)
        self._full = np.array([full / share.whole for full, share in parts])
        self._first = np.array([share.first for _, share in parts], dtype=np.int64)
        self._second = np.array([share.second for _, share in parts], dtype=np.int64)

    def at(self, kept: Sequence[int]) -> float:
        """The sum when group g keeps `kept[g]` classes."""
        return float(self.over(self._choice.at(kept)[:, None])[0])

    def vary(self, kept: Sequence[int], group: int, counts: np.ndarray) -> np.ndarray:
        """The sums (C,) when `group` keeps each of `counts` (C,)."""
        return self.over(self._choice.vary(kept, group, counts))

    def over(self, widths: np.ndarray) -> np.ndarray:
        """The sums (C,) under each of C choices, given all widths (W, C)."""
        return self._full @ (widths[self._first] * widths[self._second])


class PeakRam:
    """The largest sum of live bytes over all moments, and the weights beside it if there are any.

    Args:
        live_MB: bytes of each buffer at each moment in the whole model.
        shares: of the buffers.
    """

    def __init__(self, cost: CutCost, live_MB: np.ndarray, shares: Sequence[Share], weights: Parts | None) -> None:
        self._choice, self._weights = Choice(cost.widths), weights
        self._live_MB = live_MB / np.array([share.whole for share in shares])
        self._width_B = np.array([share.first for share in shares], dtype=np.int64)

    def at(self, kept: Sequence[int]) -> float:
        """Bytes when group g keeps `kept[g]` classes."""
        return float(self._over(self._choice.at(kept)[:, None])[0])

    def vary(self, kept: Sequence[int], group: int, counts: np.ndarray) -> np.ndarray:
        """Bytes (C,) when `group` keeps each of `counts` (C,)."""
        return self._over(self._choice.vary(kept, group, counts))

    def _over(self, widths: np.ndarray) -> np.ndarray:
        peaks = (self._live_MB @ widths[self._width_B]).max(axis=0)
        return peaks if self._weights is None else peaks + self._weights.over(widths)


class TimedRow:
    """One operator whose sizes follow the widths, priced once for each of their values."""

    def __init__(
        self, *, row: OpProfile, moved: Sequence[tuple[float, Share]], stored: Sequence[tuple[float, Share]],
        work: Sequence[tuple[float, Share]], axes: tuple[tuple[int, int] | None, tuple[int, int] | None],
        groups: tuple[int, int], price: Callable[[OpProfile], float],
    ) -> None:  # fmt: skip
        self._row, self._moved, self._stored, self._work = row, moved, stored, work
        self._axes, self._groups, self._price = axes, groups, price
        shares = [share for _, share in (*moved, *stored, *work)]
        used = {width for share in shares for width in (share.first, share.second)}
        used |= {axis[1] for axis in axes if axis is not None} | {groups[0]}
        self.uses = sorted(used)
        self._known: dict[tuple[int, ...], float] = {}

    def seconds(self, widths: np.ndarray) -> np.ndarray:
        """Seconds (C,) under each of C choices, given all widths (W, C)."""
        keys = list(zip(*widths[self.uses].tolist(), strict=True))
        for place, key in enumerate(keys):
            if key not in self._known:
                self._known[key] = self._price(self._row_at(widths[:, place : place + 1]))
        return np.array([self._known[key] for key in keys])

    def _row_at(self, widths: np.ndarray) -> OpProfile:
        """The operator at one choice, widths (W, 1)."""
        row, moved = self._row, float(_total(self._moved, widths)[0])
        shrunk = moved / row.activation_bytes if row.activation_bytes else 1.0
        window = row.window
        if window is not None and self._groups[0] != ONE:
            window = replace(window, groups=round(window.groups * widths[self._groups[0], 0] / self._groups[1]))
        return replace(
            row, macs=round(float(_total(self._work, widths)[0])), weight_bytes=float(_total(self._stored, widths)[0]),
            activation_bytes=moved, elementwise=math.ceil(row.elementwise * shrunk), window=window,
            shape_in=_resized(row.shape_in, self._axes[0], widths),
            shape_out=_resized(row.shape_out, self._axes[1], widths),
        )  # fmt: skip


def _resized(shape: tuple[int, ...], axis: tuple[int, int] | None, widths: np.ndarray) -> tuple[int, ...]:
    if axis is None or axis[0] >= len(shape):
        return shape
    return (*shape[: axis[0]], int(widths[axis[1], 0]), *shape[axis[0] + 1 :])


class Latency:
    """Seconds of one call: those of its operators, and what the runtime takes beside them."""

    def __init__(self, cost: CutCost, rows: Sequence[TimedRow], overhead_s: float) -> None:
        self._rows, self._overhead_s = rows, overhead_s
        self._choice = Choice(cost.widths)
        most = max((len(row.uses) for row in rows), default=0)
        padded = np.array([row.uses + [ONE] * (most - len(row.uses)) for row in rows], dtype=np.int64)
        self._touched = self._choice.touching(*padded.T)
        self._seen: tuple[tuple[int, ...], np.ndarray] | None = None  # what was asked last

    def at(self, kept: Sequence[int]) -> float:
        """Seconds when group g keeps `kept[g]` classes."""
        return self._overhead_s + float(self._each(kept).sum())

    def vary(self, kept: Sequence[int], group: int, counts: np.ndarray) -> np.ndarray:
        """Seconds (C,) when `group` keeps each of `counts` (C,)."""
        touched, each = self._touched[group], self._each(kept)
        rest = self._overhead_s + each.sum() - each[touched].sum()
        widths = self._choice.vary(kept, group, counts)
        return sum((self._rows[place].seconds(widths) for place in touched), np.full(len(counts), rest))

    def _each(self, kept: Sequence[int]) -> np.ndarray:
        """Seconds (R,) of every operator."""
        if self._seen is None or self._seen[0] != tuple(kept):
            widths = self._choice.at(kept)[:, None]
            self._seen = tuple(kept), np.array([row.seconds(widths)[0] for row in self._rows])
        return self._seen[1]
