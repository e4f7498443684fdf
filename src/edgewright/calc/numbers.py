"""Integer numbers by formula: scale, zero point, codes, the requantization multiplier.

rnd is round to nearest, half to even. Source: Jacob 2018, arXiv:1712.05877; Krishnamoorthi 2018, arXiv:1806.08342.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..errors import ConfigError
from .worked import Step, Worked, positive, shown, whole


def quantize(
    *,
    low: float,
    high: float,
    bits: int = 8,
    signed: bool = True,
    symmetric: bool = False,
    values: Sequence[float] = (),
) -> Worked:
    """Scale and zero point of a range; codes of values.

    The range is widened to hold 0, so that 0 is exact.

    Args:
        low: least real value.
        high: largest real value.
        bits: bits of a code.
        signed: codes from -2^(b-1) instead of from 0.
        symmetric: zero point 0 and codes from -(2^(b-1)-1).
        values: real numbers to code.
    """
    _check_range(low, high, bits)
    if symmetric and not signed:
        raise ConfigError("A symmetric quantizer is signed: leave out one of the two.")
    least, most = _codes(bits, signed, symmetric)
    scale, zero_point, steps = _symmetric(low, high, most) if symmetric else _affine(low, high, least, most)
    coded = [_code(value, scale, zero_point, least, most) for value in values]
    back = [scale * (code - zero_point) for code in coded]
    steps += tuple(
        Step(
            f"q({value:g})",
            "clamp(rnd(r/S) + Z)",
            f"clamp(rnd({value / scale:.5g}) + {zero_point}, {least}, {most})",
            code,
            f"-> {again:.6g}",
        )
        for value, code, again in zip(values, coded, back, strict=True)
    )
    result = {
        "scale": scale, "zero_point": zero_point, "lowest_code": least, "highest_code": most,
        "codes": coded, "values": back,
        "noise_variance": scale * scale / 12, "sine_sqnr_db": 20 * math.log10(2) * bits + 10 * math.log10(1.5),
    }  # fmt: skip
    steps += (
        Step("noise", "S^2 / 12", f"{scale:.7g}^2 / 12", scale * scale / 12, "variance"),
        Step("SQNR of a sine", "6.02 b + 1.76", f"6.0206 x {bits} + 1.7609", result["sine_sqnr_db"], "dB"),
    )
    kind = ("symmetric " if symmetric else "") + ("int" if signed else "uint") + str(bits)
    wasted = symmetric and (low >= 0 or high <= 0)
    notes = ("a symmetric range spends half of its codes on values that never come",) if wasted else ()
    return Worked(title=f"Quantize [{low:g}, {high:g}] to {kind}", steps=steps, result=result, notes=notes)


def requantize(*, multiplier: float) -> Worked:
    """A real multiplier as a 31-bit integer and a shift.

    M = M0 2^-n with M0 in [0.5, 1).

    Args:
        multiplier: S_x S_w / S_y, between 0 and 1.
    """
    if not 0 < positive("multiplier", multiplier) < 1:
        raise ConfigError(f"multiplier lies between 0 and 1, got {multiplier}.")
    mantissa, exponent = math.frexp(multiplier)
    shift = -exponent
    fixed = math.floor(mantissa * 2**31 + 0.5)
    if fixed == 2**31:  # rounded up to 1.0: the same value with one shift less
        mantissa, fixed, shift = 0.5, 2**30, shift - 1
    steps = (
        Step("shift", "-floor(log2 M) - 1", f"-floor(log2({multiplier:.15g})) - 1", shift),
        Step("M0", "M 2^n", f"{multiplier:.15g} x {2**shift}", mantissa),
        Step("Q31", "rnd(M0 2^31)", f"rnd({mantissa:.12g} x 2^31)", fixed),
    )
    return Worked(title="Requantization multiplier", steps=steps, result={"m0": mantissa, "shift": shift, "q31": fixed})


def integer_dot(
    *, codes_x: Sequence[int], zero_x: int, scale_x: float, codes_w: Sequence[int], scale_w: float, zero_w: int = 0
) -> Worked:
    """A dot product of codes, and what it stands for.

    sum (q_x - Z_x)(q_w - Z_w) in 32 bits, times S_x S_w.

    Args:
        codes_x: codes of the activations.
        zero_x: their zero point.
        scale_x: their scale.
        codes_w: codes of the weights.
        scale_w: their scale.
        zero_w: their zero point; 0 for symmetric weights.
    """
    if not codes_x or len(codes_x) != len(codes_w):
        raise ConfigError(f"codes_x and codes_w are lists of equal length, got {len(codes_x)} and {len(codes_w)}.")
    for name, codes in (("codes_x", codes_x), ("codes_w", codes_w), ("zero_x", [zero_x]), ("zero_w", [zero_w])):
        for code in codes:
            whole(name, code, least=-(2**31))
    scale = positive("scale_x", scale_x) * positive("scale_w", scale_w)
    total = sum((x - zero_x) * (w - zero_w) for x, w in zip(codes_x, codes_w, strict=True))
    if not -(2**31) <= total < 2**31:
        raise ConfigError(f"The sum {total} does not fit into the 32-bit accumulator: use fewer terms.")
    terms = " + ".join(f"({x} - {zero_x})({w} - {zero_w})" for x, w in zip(codes_x, codes_w, strict=True))
    steps = (
        Step("accumulator", "sum (q_x - Z_x)(q_w - Z_w)", terms, total),
        Step("value", "S_x S_w acc", f"{scale:.9g} x {shown(total)}", scale * total),
    )
    return Worked(title="Integer dot product", steps=steps, result={"accumulator": total, "value": scale * total})


def _check_range(low: float, high: float, bits: int) -> None:
    if not all(isinstance(end, (int, float)) and math.isfinite(end) for end in (low, high)):
        raise ConfigError(f"low and high are finite numbers, got {low!r} and {high!r}.")
    if low > high or low == high == 0:
        raise ConfigError(f"The range goes from low to a greater high, got [{low}, {high}].")
    if whole("bits", bits, least=2) > 32:
        raise ConfigError(f"bits is at most 32, got {bits}.")


def _codes(bits: int, signed: bool, symmetric: bool) -> tuple[int, int]:
    most = 2 ** (bits - 1) - 1 if signed else 2**bits - 1
    least = 0 if not signed else -most if symmetric else -most - 1
    return least, most


def _symmetric(low: float, high: float, most: int) -> tuple[float, int, tuple[Step, ...]]:
    largest = max(abs(low), abs(high))
    scale = largest / most
    step = Step("scale", "max|r| / (2^(b-1) - 1)", f"{largest:g} / {most}", scale)
    return scale, 0, (step, Step("zero point", "0", "symmetric", 0))


def _affine(low: float, high: float, least: int, most: int) -> tuple[float, int, tuple[Step, ...]]:
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / (most - least)
    exact = least - low / scale
    zero_point = max(least, min(most, round(exact)))
    numbers = f"({high:g} - {low:g}) / ({most} - {least})"
    first = Step("scale", "(rmax - rmin) / (qmax - qmin)", numbers, scale)
    second = Step("zero point", "clamp(rnd(qmin - rmin/S))", f"rnd({exact:.6g})", zero_point)
    return scale, zero_point, (first, second)


def _code(value: float, scale: float, zero_point: int, least: int, most: int) -> int:
    if not (isinstance(value, (int, float)) and math.isfinite(value)):
        raise ConfigError(f"values are finite numbers, got {value!r}.")
    return max(least, min(most, round(value / scale) + zero_point))
