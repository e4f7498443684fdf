"""From values to pixels: linear and logarithmic axes, and the ticks a reader expects on them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

DECADE_STEPS = (1, 2, 5)


class Scale(Protocol):
    """Maps a value to a pixel and names the values to mark."""

    def __call__(self, value: float) -> float: ...
    def ticks(self) -> list[float]: ...


@dataclass(frozen=True, kw_only=True)
class Linear:
    """low -> start, high -> stop, straight in between."""

    low: float
    high: float
    start: float
    stop: float
    num_ticks: int = 4

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.stop - self.start)

    def ticks(self) -> list[float]:
        """Multiples of 1, 2 or 5 times a power of ten, of the largest step that gives at least `num_ticks` of them."""
        step = nice_step(self.high - self.low)
        while math.floor(self.high / step + 1e-9) - math.ceil(self.low / step - 1e-9) + 1 < self.num_ticks:
            step = nice_step(step * 0.4)  # 5 -> 2 -> 1 -> 0.5
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [round(index * step, 12) for index in range(first, last + 1)]


@dataclass(frozen=True, kw_only=True)
class Log:
    """low -> start, high -> stop, equal ratios at equal distances; all values must be greater than 0."""

    low: float
    high: float
    start: float
    stop: float
    max_ticks: int = 6
    binary: bool = False  # bytes: powers of two are the round numbers

    def __call__(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.stop - self.start)

    def ticks(self) -> list[float]:
        """Powers of ten, or of two; with few powers of ten in sight also 2 and 5 times these."""
        if self.binary:
            return self._powers_of_two()
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        inside = [step * 10.0**power for power in range(first, last + 1) for step in DECADE_STEPS]
        inside = [value for value in inside if self.low * (1 - 1e-9) <= value <= self.high * (1 + 1e-9)]
        powers = [value for value in inside if _is_power_of_ten(value)]
        if len(powers) >= 3 or len(inside) > self.max_ticks:
            return powers[:: math.ceil(len(powers) / self.max_ticks)] if powers else inside[:: len(inside) - 1 or 1]
        return inside

    def _powers_of_two(self) -> list[float]:
        first, last = math.ceil(math.log2(self.low)), math.floor(math.log2(self.high))
        stride = max(1, math.ceil((last - first + 1) / self.max_ticks))
        return [2.0**power for power in range(first, last + 1, stride)]


def nice_step(rough: float) -> float:
    """The smallest of 1, 2, 5, 10 times a power of ten that is not below `rough`."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= rough * 0.9999)


def linear_over(
    values: Iterable[float], *, start: float, stop: float, least: float = 0.0, num_ticks: int = 4
) -> Linear:
    """A linear scale with a margin around `values`, at least `least` wide, from its own low end."""
    present = list(values)
    low, high = min(present), max(present)
    spread = max(high - low, least, 1e-9 * max(abs(high), 1e-9))
    middle = (low + high) / 2
    half = spread * 0.58  # 8 % of air on each side
    return Linear(low=middle - half, high=middle + half, start=start, stop=stop, num_ticks=num_ticks)


def log_over(values: Iterable[float], *, start: float, stop: float, max_ticks: int = 6, binary: bool = False) -> Log:
    """A logarithmic scale with a margin around `values`, spanning at least a factor of 3."""
    present = list(values)
    low, high = min(present), max(present)
    widen = max(1.25, math.sqrt(3 / (high / low)) if high / low < 3 else 1.25)
    return Log(low=low / widen, high=high * widen, start=start, stop=stop, max_ticks=max_ticks, binary=binary)


def _is_power_of_ten(value: float) -> bool:
    exponent = math.log10(value)
    return abs(exponent - round(exponent)) < 1e-9
