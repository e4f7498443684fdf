"""Fixed point: an integer that counts steps of 2^-n.

    value = code * 2^-n        Qm.n: m integer bits, n fraction bits, and a sign bit besides when signed

so Q3.4 has 8 bits and reaches from -8 to 7.9375, Q0.15 has 16 and reaches from -1 to 1 - 2^-15. (Some authors count the
sign as one of the m bits; here it never is.)
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from ..errors import ConfigError

HALF = Fraction(1, 2)

ROUNDINGS: dict[str, Callable[[Fraction], int]] = {
    "half-even": round,
    "half-up": lambda exact: math.floor(exact + HALF),
    "half-away": lambda exact: math.floor(exact + HALF) if exact >= 0 else math.ceil(exact - HALF),
    "truncate": math.floor,
    "toward-zero": math.trunc,
}
"""To the nearest code, where ties go to the even one, upwards, or away from zero; or without looking: `truncate` drops
the bits below (what a shift to the right does, towards minus infinity), `toward-zero` is what a division in C does."""

OVERFLOWS = ("saturate", "wrap")


@dataclass(frozen=True, kw_only=True)
class FixedFormat:
    """Qm.n.

    Args:
        integer_bits: m, the sign not counted.
        fraction_bits: n.
        signed: two's complement with a sign bit; otherwise from 0.
    """

    integer_bits: int
    fraction_bits: int
    signed: bool = True

    def __post_init__(self) -> None:
        if self.integer_bits < 0 or self.fraction_bits < 0 or not 1 <= self.bits <= 64:
            raise ConfigError(
                f"Qm.n has m and n of 0 or more and 1 to 64 bits with its sign, got m={self.integer_bits} and "
                f"n={self.fraction_bits}."
            )

    @property
    def name(self) -> str:
        return f"{'' if self.signed else 'U'}Q{self.integer_bits}.{self.fraction_bits}"

    @property
    def bits(self) -> int:
        return self.integer_bits + self.fraction_bits + self.signed

    @property
    def low(self) -> int:
        """The least code."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        """The largest code."""
        return (1 << (self.bits - self.signed)) - 1

    @property
    def step(self) -> float:
        return math.ldexp(1.0, -self.fraction_bits)

    def encode(
        self,
        value: float | Fraction,
        *,
        rounding: str = "half-even",
        overflow: Literal["saturate", "wrap"] = "saturate",
    ) -> int:
        """The code of `value`.

        Args:
            rounding: one of `ROUNDINGS`.
            overflow: beyond the range, "saturate" takes the nearest end, "wrap" drops the high bits.

        Raises:
            ConfigError: the value is NaN, or infinite and would have to wrap; an unknown mode.
        """
        _check_modes(rounding, overflow)
        if isinstance(value, float) and not math.isfinite(value):
            if math.isnan(value) or overflow == "wrap":
                raise ConfigError(f"{value} has no code in {self.name}: give a finite number, or saturate.")
            return self.high if value > 0 else self.low
        return self._fit(ROUNDINGS[rounding](Fraction(value) * (1 << self.fraction_bits)), overflow)

    def _fit(self, code: int, overflow: str) -> int:
        if overflow == "saturate":
            return min(max(code, self.low), self.high)
        return (code - self.low) % (1 << self.bits) + self.low

    def decode(self, code: int) -> float:
        """The number that a code stands for; exact up to 53 bits.

        Raises:
            ConfigError: the code lies outside the format.
        """
        return float(self._exact(code))

    def _exact(self, code: int) -> Fraction:
        if not self.low <= code <= self.high:
            raise ConfigError(f"A code of {self.name} lies in [{self.low}, {self.high}], got {code}.")
        return Fraction(code, 1 << self.fraction_bits)

    def pattern(self, code: int) -> int:
        """The bits of a code as they are stored, two's complement."""
        self._exact(code)
        return code & ((1 << self.bits) - 1)

    # -- arithmetic: exact in a wider format, then brought back by `convert` ------------------------------------------
    @property
    def sum_format(self) -> FixedFormat:
        """Holds every sum of two codes: one integer bit more."""
        return FixedFormat(integer_bits=self.integer_bits + 1, fraction_bits=self.fraction_bits, signed=self.signed)

    @property
    def product_format(self) -> FixedFormat:
        """Holds every product of two codes: twice the bits. (Signed, one of them serves low * low alone.)"""
        return FixedFormat(
            integer_bits=2 * self.integer_bits + self.signed, fraction_bits=2 * self.fraction_bits, signed=self.signed
        )

    def add(self, first: int, second: int) -> int:
        """The code of the sum in `sum_format`; exact."""
        return self.sum_format.encode(self._exact(first) + self._exact(second))

    def multiply(self, first: int, second: int) -> int:
        """The code of the product in `product_format`; exact."""
        return self.product_format.encode(self._exact(first) * self._exact(second))

    def convert(
        self,
        code: int,
        target: FixedFormat,
        *,
        rounding: str = "half-even",
        overflow: Literal["saturate", "wrap"] = "saturate",
    ) -> int:
        """The code in `target` of what `code` stands for here."""
        return target.encode(self._exact(code), rounding=rounding, overflow=overflow)


def q_format(text: str) -> FixedFormat:
    """The format that `3.4`, `Q3.4` or `UQ3.4` names.

    Raises:
        ConfigError: it names none.
    """
    found = re.fullmatch(r"(U?)Q?(\d+)\.(\d+)", text.strip(), re.I)
    if found is None:
        raise ConfigError(f"A fixed-point format is written m.n, Qm.n or UQm.n, such as 3.4, got {text!r}.")
    return FixedFormat(integer_bits=int(found[2]), fraction_bits=int(found[3]), signed=not found[1])


def _check_modes(rounding: str, overflow: str) -> None:
    if rounding not in ROUNDINGS:
        raise ConfigError(f"rounding is one of {', '.join(ROUNDINGS)}, got {rounding!r}.")
    if overflow not in OVERFLOWS:
        raise ConfigError(f"overflow is one of {', '.join(OVERFLOWS)}, got {overflow!r}.")
