"""Floating point of any split of bits: numbers to codes and back, exact to the bit.

    code = sign | exponent field E | mantissa field M        value = (-1)^s * 1.M * 2^(E - bias)      E > 0, normal
                                                             value = (-1)^s * 0.M * 2^(1 - bias)      E = 0, subnormal

Of the largest E an IEEE-like format makes infinity (M = 0) and NaN; a finite one (E4M3) spends it on numbers, only
M of all ones is NaN. Source: IEEE 754-2019, section 3.4; Micikevicius et al. 2022, arXiv:2209.05433 (8-bit formats).
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ..errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

Overflow = Literal["special", "saturate"]


@dataclass(frozen=True, kw_only=True)
class Fields:
    """A code taken apart. `kind` says what it stands for: zero, subnormal, normal, infinity or nan."""

    sign: int
    exponent: int
    mantissa: int
    kind: str
    power: int | None  # of two, that the significand is multiplied by; None for infinity and NaN
    value: float


@dataclass(frozen=True, kw_only=True)
class FloatFormat:
    """How the bits of a floating-point number are split.

    Args:
        bias: what is taken from the exponent field; 2^(exponent_bits - 1) - 1 in every common format.
        kind: "ieee" has infinities; "finite" has none, and one NaN per sign.
    """

    name: str
    exponent_bits: int
    mantissa_bits: int
    bias: int
    kind: Literal["ieee", "finite"] = "ieee"

    def __post_init__(self) -> None:
        if self.exponent_bits < 2 or self.mantissa_bits < 1 or self.bits > 32:
            raise ConfigError(
                f"A float format has 2 or more exponent bits, 1 or more mantissa bits and 32 bits at most with its "
                f"sign, got {self.exponent_bits} and {self.mantissa_bits}."
            )
        if self.kind not in ("ieee", "finite"):
            raise ConfigError(f"The kind of a float format is ieee or finite, got {self.kind!r}.")

    @property
    def bits(self) -> int:
        return 1 + self.exponent_bits + self.mantissa_bits

    @property
    def least_power(self) -> int:
        """Exponent of the smallest normal number, and of every subnormal one."""
        return 1 - self.bias

    @property
    def top_code(self) -> int:
        """Code of the largest finite number."""
        if self.kind == "finite":
            return (1 << (self.bits - 1)) - 2
        return self.infinity_code - 1

    @property
    def infinity_code(self) -> int:
        """Code of positive infinity in an IEEE-like format."""
        return ((1 << self.exponent_bits) - 1) << self.mantissa_bits

    @property
    def nan_code(self) -> int:
        """Code of the quiet NaN without a sign."""
        if self.kind == "finite":
            return (1 << (self.bits - 1)) - 1
        return self.infinity_code | 1 << (self.mantissa_bits - 1)

    @property
    def largest(self) -> float:
        return self.decode(self.top_code)

    @property
    def smallest_normal(self) -> float:
        return math.ldexp(1.0, self.least_power)

    @property
    def smallest_subnormal(self) -> float:
        return math.ldexp(1.0, self.least_power - self.mantissa_bits)

    def encode(self, value: float, *, overflow: Overflow = "special") -> int:
        """The code nearest to `value`, ties to the even one.

        Args:
            overflow: what a value becomes that rounds beyond the largest number: "special" gives infinity (NaN where
                the format has none), "saturate" the largest number, for infinity too.
        """
        _check_overflow(overflow)
        sign = (1 << (self.bits - 1)) if math.copysign(1.0, value) < 0 else 0
        if math.isnan(value):
            return sign | self.nan_code
        code = self.top_code + 1 if math.isinf(value) else self._nearest(abs(value))
        if code > self.top_code:
            special = self.infinity_code if self.kind == "ieee" else self.nan_code
            code = self.top_code if overflow == "saturate" else special
        return sign | code

    def _nearest(self, magnitude: float) -> int:
        """The code as if exponents had no end: a carry out of the mantissa runs into the exponent field by itself."""
        power = max(math.frexp(magnitude)[1] - 1, self.least_power) if magnitude else self.least_power
        units = round(math.ldexp(magnitude, self.mantissa_bits - power))  # exact until round, which is half to even
        return units + ((power - self.least_power) << self.mantissa_bits)

    def explain(self, code: int) -> Fields:
        """The fields of a code and what it stands for.

        Raises:
            ConfigError: the code has more bits than the format.
        """
        code = operator.index(code)  # NumPy's integers are welcome
        if not 0 <= code < 1 << self.bits:
            raise ConfigError(f"A code of {self.name} lies in [0, {(1 << self.bits) - 1:#x}], got {code:#x}.")
        sign = code >> (self.bits - 1)
        exponent = code >> self.mantissa_bits & ((1 << self.exponent_bits) - 1)
        mantissa = code & ((1 << self.mantissa_bits) - 1)
        kind = self._kind(code & ((1 << (self.bits - 1)) - 1), exponent)
        power = None if kind in ("infinity", "nan") else max(exponent, 1) - self.bias
        value = math.nan if kind == "nan" else math.inf
        if power is not None:
            hidden = (exponent > 0) << self.mantissa_bits
            value = math.ldexp(hidden | mantissa, power - self.mantissa_bits)
        signed = -value if sign else value
        return Fields(sign=sign, exponent=exponent, mantissa=mantissa, kind=kind, power=power, value=signed)

    def _kind(self, magnitude: int, exponent: int) -> str:
        if magnitude > self.top_code:
            return "infinity" if self.kind == "ieee" and magnitude == self.infinity_code else "nan"
        if exponent:
            return "normal"
        return "subnormal" if magnitude else "zero"

    def decode(self, code: int) -> float:
        """The number that a code stands for."""
        return self.explain(code).value

    def round(self, values: Any, *, overflow: Overflow = "special") -> np.ndarray:
        """Every value as the nearest number of the format, float64: `decode(encode(value))` of a whole array."""
        import numpy as np  # here: single numbers are explained without it

        _check_overflow(overflow)
        values = np.asarray(values, dtype=np.float64)
        power = np.maximum(np.frexp(values)[1] - 1, self.least_power)
        rounded = np.ldexp(np.rint(np.ldexp(values, self.mantissa_bits - power)), power - self.mantissa_bits)
        beyond = np.abs(rounded) > self.largest
        special = np.inf if self.kind == "ieee" else np.nan
        return np.where(beyond, np.copysign(self.largest if overflow == "saturate" else special, values), rounded)


def _check_overflow(overflow: str) -> None:
    if overflow not in ("special", "saturate"):
        raise ConfigError(f"overflow is special or saturate, got {overflow!r}.")


FP32 = FloatFormat(name="fp32", exponent_bits=8, mantissa_bits=23, bias=127)
FP16 = FloatFormat(name="fp16", exponent_bits=5, mantissa_bits=10, bias=15)
BF16 = FloatFormat(name="bf16", exponent_bits=8, mantissa_bits=7, bias=127)
E4M3 = FloatFormat(name="fp8-e4m3", exponent_bits=4, mantissa_bits=3, bias=7, kind="finite")
E5M2 = FloatFormat(name="fp8-e5m2", exponent_bits=5, mantissa_bits=2, bias=15)
FLOAT_FORMATS = {each.name: each for each in (FP32, FP16, BF16, E4M3, E5M2)}
