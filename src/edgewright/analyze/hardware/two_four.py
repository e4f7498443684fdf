"""2:4 sparsity: which layers allow it, what it stores, and what it can gain on a device that has kernels for it.

Two of four values that lie side by side along the input channels are kept, at one place of the kernel and in one group
of the convolution: so a layer needs a multiple of 4 input channels per group. Matrix units then do twice the MACs per
second, and the weights take 36 of 64 bits per group of four at float16 (20 of 32 at int8):

    latency = max(MACs / 2 peak, (packed weights + activations) / bandwidth) + overhead

instead of the device's max(MACs / peak, (weights + activations) / bandwidth) + overhead. So no layer gains more than 2,
one that waits for its weights at most 64/36 = 1.778 at float16, and a network what the sum of its layers' times allows.

Where a device has a measured time of the dense operator, the packed one takes as much less as by these two formulas.

A device without such kernels gains nothing: zeros are multiplied like any other value. Nothing is claimed for it.

Source: Mishra 2021, arXiv:2104.08378 (format, twice the rate); Pool 2020 (direction of the groups in convolutions).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import nn

from ...errors import ConfigError
from ...technology import GROUP, KEPT, POSITION_BITS, VALUE_BITS
from ...types import Device, ModelProfile, OpProfile
from ..pricing import call_overhead_s, priced, roof
from ..views import share, sum_known
from .products import Product, kernel_places, products, unseen, weight_matrices

# How many times the dense rate the 2:4 kernels of a device reach at peak, by type. Those of float32 take 1:2 and those
# of int4 two pairs of eight: none for the pattern of this file.
SPARSE_RATE: Mapping[str, Mapping[str, float]] = {
    "cloud-gpu": {"float16": 2.0, "int8": 2.0},  # A100 white paper: sparse tensor cores; Mishra 2021
}
NO_KERNEL = "no kernel"
TIMES = ("latency_s", "sparse_latency_s")
_Times = tuple[float | None, float | None, str | None]  # dense, packed, what binds


@dataclass(frozen=True, kw_only=True)
class TwoFourLayer:
    """One operator. Times are None without a device, gains also without a kernel."""

    name: str
    layer: str
    op: str
    weights: int
    allowed: bool
    reason: str  # why not; "" where it is allowed
    is_two_four: bool  # whether the weights follow the pattern already
    dense_bytes: int  # of the weights alone, no bias
    packed_bytes: int  # the same where 2:4 is not allowed
    latency_s: float | None
    sparse_latency_s: float | None
    bound: str | None  # what binds the packed operator: compute, memory or overhead

    @property
    def speed_up(self) -> float | None:
        if self.latency_s is None or self.sparse_latency_s is None:
            return None
        return self.latency_s / self.sparse_latency_s if self.sparse_latency_s else 1.0


@dataclass(frozen=True, kw_only=True)
class TwoFour:
    """Every operator that takes time or holds weights, in the order of execution."""

    rows: tuple[TwoFourLayer, ...]
    dtype: str
    device: str | None
    rate: float | None  # of the sparse kernels against the dense ones; None: there are none
    call_s: float = 0.0  # what a call takes beside its operators
    unseen: tuple[str, ...] = ()  # operators whose weights no layer holds: taken as dense

    @property
    def kernel(self) -> str:
        """What makes use of the pattern."""
        return NO_KERNEL if self.rate is None else f"{self.rate:g}x dense rate"

    def by_layer(self) -> list[dict[str, Any]]:
        """Rows of plain data, layers with weights only."""
        return [
            {**{each.name: getattr(row, each.name) for each in fields(row)}, "speed_up": row.speed_up}
            for row in self.rows
            if row.weights
        ]

    def total(self) -> dict[str, Any]:
        """The sums in one row of plain data; `share_of_latency` is what the allowed layers take of the dense time."""
        stored = {row.layer: row for row in self.rows if row.weights}.values()
        dense, packed = (sum(getattr(row, name) for row in stored) for name in ("dense_bytes", "packed_bytes"))
        dense_s, sparse_s = (self._whole(getattr(row, name) for row in self.rows) for name in TIMES)
        inside_s = sum_known(row.latency_s for row in self.rows if row.allowed)
        return {
            "dtype": self.dtype, "device": self.device, "kernel": self.kernel,
            "layers": len(stored), "allowed_layers": sum(row.allowed for row in stored),
            "dense_bytes": dense, "packed_bytes": packed, "times_smaller": dense / packed if packed else None,
            "latency_s": dense_s, "sparse_latency_s": sparse_s,
            "share_of_latency": share(inside_s, dense_s),
            "speed_up": dense_s / sparse_s if dense_s is not None and sparse_s else None,
            "unseen": list(self.unseen),
        }  # fmt: skip

    def _whole(self, times: Iterable[float | None]) -> float | None:
        """The latency of a call, None where that of its operators is not known."""
        known = sum_known(times)
        return None if known is None else self.call_s + known


def two_four(
    net: nn.Module, profile: ModelProfile, *, device: Device | None = None, rates: Mapping[str, float] | None = None
) -> TwoFour:
    """What 2:4 sparsity of every layer that allows it would store and gain: a bound, no measurement.

    Args:
        net: the model that was profiled.
        profile: at the type that is to be packed. Its times are not used: they are computed for `device`.
        device: where it is to run; None leaves out times.
        rates: how many times the dense rate the device's 2:4 kernels reach, by type; None looks the device up in
            `SPARSE_RATE`, {} says that it has none.

    Raises:
        ConfigError: a rate without a device, or below 1.
        ModelError: the profile is of another model.
    """
    if rates is not None and device is None:
        raise ConfigError("Rates of 2:4 kernels are those of a device, got none: pass device=.")
    if any(not rate >= 1 for rate in (rates or {}).values()):
        raise ConfigError(f"A 2:4 kernel is at least as fast as the dense one (rate 1), got {dict(rates or {})}.")
    known = SPARSE_RATE.get(device.name, {}) if rates is None and device is not None else (rates or {})
    rate = known.get(profile.dtype)
    found = {each.row.name: each for each in products(net, profile)}
    rows = [
        _layer(row, found.get(row.name), profile.dtype, device=device, rate=rate)
        for row in profile.rows
        if row.fused_into is None
    ]
    return TwoFour(
        rows=tuple(rows),
        dtype=profile.dtype,
        device=device.name if device is not None else None,
        rate=rate,
        call_s=call_overhead_s(device) if device is not None else 0.0,
        unseen=unseen(profile, found.values()),
    )


def _layer(
    row: OpProfile, product: Product | None, dtype: str, *, device: Device | None, rate: float | None
) -> TwoFourLayer:
    weights = product.num_weights if product is not None else 0
    reason = _why_not(product) if product is not None else "no weights"
    dense = packed_bytes(weights, dtype, sparse=False)
    packed = dense if reason else packed_bytes(weights, dtype)
    times: _Times = (None, None, None)
    if device is not None:
        fewer = replace(row, weight_bytes=row.weight_bytes - dense + packed)
        times = _times(row, fewer, device, dtype, rate=1.0 if rate is not None and reason else rate)
    return TwoFourLayer(
        name=row.name, layer=row.layer, op=row.op, weights=weights, allowed=not reason, reason=reason,
        is_two_four=product is not None and not reason and is_two_four(product.layer),
        dense_bytes=dense, packed_bytes=packed, latency_s=times[0], sparse_latency_s=times[1], bound=times[2],
    )  # fmt: skip


def _times(row: OpProfile, fewer: OpProfile, device: Device, dtype: str, *, rate: float | None) -> _Times:
    """Seconds of the dense and of the packed operator, and what binds the last of them that there is.

    Nobody has measured packed operators: against a measured dense time they are what they are by the roofline.
    """
    dense = priced(row, device, dtype)
    if rate is None or dense.latency_s is None:
        return dense.latency_s, None, dense.bound
    before, _ = roof(row, device, dtype)
    after, bound = roof(fewer, device, dtype, rate=rate)
    return dense.latency_s, dense.latency_s * after / before if before else 0.0, bound


def _why_not(product: Product) -> str:
    rest = product.channels % GROUP
    return f"{product.channels} input channels per group are no multiple of {GROUP}" if rest else ""


def packed_bytes(weights: int, dtype: str, *, sparse: bool = True) -> int:
    """Bytes of so many weights, packed 2:4 or dense."""
    bits = VALUE_BITS[dtype]
    group_bits = KEPT * bits + POSITION_BITS if sparse else GROUP * bits
    return math.ceil(weights * group_bits / (8 * GROUP))


def is_two_four(layer: nn.Module) -> bool:
    """Whether at most two of each four weights along the input channels of a layer are not zero."""
    by_channel = weight_matrices(layer).unflatten(-1, (-1, kernel_places(layer))).transpose(-1, -2)
    if by_channel.shape[-1] % GROUP:
        return False
    kept = torch.count_nonzero(by_channel.reshape(-1, GROUP), dim=1)
    return bool((kept <= KEPT).all())
