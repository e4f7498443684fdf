"""Number formats by formula: a value as floating point or fixed point, bit by bit.

Source: IEEE 754-2019, section 3.4; Micikevicius 2022, arXiv:2209.05433 (8-bit floats).
"""

from __future__ import annotations

import math
from fractions import Fraction

from ..errors import ConfigError
from ..formats import FLOAT_FORMATS, ROUNDINGS, Fields, FixedFormat, FloatFormat, q_format
from .worked import Step, Worked, finite, one_of


def float_number(
    *, value: float | None = None, code: str | None = None, format: str = "fp32", saturate: bool = False
) -> Worked:
    """A value as a floating-point code, or a code read back.

    (-1)^s 1.M 2^(E - bias), and 0.M 2^(1 - bias) where E = 0; ties round to the even code.

    Args:
        value: the number to code.
        code: a code to read instead, such as 0x3E200000.
        format: fp32, fp16, bf16, fp8-e4m3 or fp8-e5m2.
        saturate: beyond the largest number take it, instead of infinity (or NaN where there is none).
    """
    form: FloatFormat = one_of("format", format, FLOAT_FORMATS)
    if (value is None) == (code is None):
        raise ConfigError("Give either value or code.")
    steps: tuple[Step, ...] = ()
    number = _integer(code) if code is not None else 0
    if value is not None:
        number = form.encode(finite("value", value), overflow="saturate" if saturate else "special")
        steps = _coding(form, value, number)
    fields = form.explain(number)
    steps += _reading(form, number, fields)
    result = {
        "code": number, "sign": fields.sign, "exponent": fields.exponent, "mantissa": fields.mantissa,
        "kind": fields.kind, "value": fields.value if math.isfinite(fields.value) else str(fields.value),
    }  # fmt: skip
    if value is not None and math.isfinite(fields.value):
        result["error"] = fields.value - value
        steps += (Step("error", "read - value", f"{fields.value:.17g} - {value:.17g}", result["error"]),)
    limits = (
        f"largest {form.largest:.8g}, least normal {form.smallest_normal:.8g}, subnormal {form.smallest_subnormal:.5g}"
    )
    return Worked(title=_title(form), steps=steps, result=result, notes=(limits,))


def _title(form: FloatFormat) -> str:
    return f"{form.name}: 1 sign, {form.exponent_bits} exponent, {form.mantissa_bits} mantissa bits, bias {form.bias}"


def _coding(form: FloatFormat, value: float, code: int) -> tuple[Step, ...]:
    """From the number to the code."""
    if not value:
        return ()
    power = max(math.frexp(value)[1] - 1, form.least_power)
    significand = math.ldexp(abs(value), -power)
    units = math.ldexp(significand, form.mantissa_bits)
    return (
        Step("exponent", "max(floor(log2|v|), 1 - bias)", f"floor({math.log2(abs(value)):.6g})", power),
        Step("significand", "|v| 2^-e", f"{abs(value):.10g} x 2^{-power}", significand),
        Step("units", f"rnd(significand 2^{form.mantissa_bits})", f"rnd({units:.10g})", round(units)),
        Step("code", "s | (e - (1 - bias)) 2^m + units", f"0b{code:0{form.bits}b}", f"{code:#0{form.bits // 4 + 2}x}"),
    )


def _reading(form: FloatFormat, code: int, fields: Fields) -> tuple[Step, ...]:
    """From the code to the number."""
    pattern = f"{code:0{form.bits}b}"
    mantissa = pattern[1 + form.exponent_bits :]
    exponent = pattern[1 : 1 + form.exponent_bits]
    steps = (
        Step("sign", "", pattern[0], fields.sign),
        Step("exponent field", "", f"0b{exponent}", fields.exponent, f"({fields.kind})"),
        Step("mantissa field", "", f"0b{mantissa}", fields.mantissa),
    )
    if fields.power is None:
        return (*steps, Step("value", "", "", str(fields.value)))
    formula = "(-1)^s 1.M 2^(E - bias)" if fields.exponent else "(-1)^s 0.M 2^(1 - bias)"
    hidden = 1 if fields.exponent else 0
    fraction = math.ldexp(fields.mantissa, -form.mantissa_bits)
    numbers = f"{'-' if fields.sign else ''}{hidden + fraction:.10g} x 2^{fields.power}"
    return (*steps, Step("value", formula, numbers, fields.value))


def fixed_number(
    *, value: float, q: str, rounding: str = "half-even", wrap: bool = False, times: float | None = None
) -> Worked:
    """A value as a fixed-point code in Qm.n.

    code = rnd(value 2^n); the sign is not one of the m bits.

    Args:
        value: the number to code.
        q: the format, such as 3.4 (8 bits with the sign) or UQ4.4.
        rounding: half-even, half-up, half-away, truncate or toward-zero.
        wrap: beyond the range drop the high bits instead of taking the nearest end.
        times: a second number: the product in the doubled format, and brought back.
    """
    form = q_format(q)
    one_of("rounding", rounding, ROUNDINGS)
    code = form.encode(finite("value", value), rounding=rounding, overflow="wrap" if wrap else "saturate")
    steps = _fixed_steps("value", form, value, code, rounding)
    result = {"code": code, "pattern": form.pattern(code), "value": form.decode(code)}
    result["error"] = form.decode(code) - value
    if times is not None:
        other = form.encode(finite("times", times), rounding=rounding, overflow="wrap" if wrap else "saturate")
        wide, product = form.product_format, form.multiply(code, other)
        narrow = wide.convert(product, form, rounding=rounding, overflow="wrap" if wrap else "saturate")
        steps += _fixed_steps("times", form, times, other, rounding)
        steps += (
            Step(f"product in {wide.name}", "code code", f"{code} x {other}", product, f"-> {wide.decode(product):g}"),
            Step(f"back in {form.name}", "product 2^-n", f"{product} / {1 << form.fraction_bits}", narrow,
                 f"-> {form.decode(narrow):g}"),
        )  # fmt: skip
        result |= {"product_code": product, "product": form.decode(narrow), "narrow_code": narrow}
    ends = f"[{form.decode(form.low):g}, {form.decode(form.high):g}]"
    return Worked(title=f"{form.name}: {form.bits} bits, {ends} in steps of {form.step:g}", steps=steps, result=result)


def _fixed_steps(what: str, form: FixedFormat, value: float, code: int, rounding: str) -> tuple[Step, ...]:
    exact = Fraction(value) * (1 << form.fraction_bits)
    unit = f"-> {form.decode(code):g}, bits {form.pattern(code):0{form.bits}b}"
    rounded = ROUNDINGS[rounding](exact)
    numbers = f"{rounding}({float(exact):.10g})" + ("" if rounded == code else f" = {rounded} beyond the range")
    return (Step(what, "rnd(v 2^n)", numbers, code, unit),)


def _integer(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError as error:
        raise ConfigError(f"code is a whole number such as 62 or 0x3E, got {text!r}.") from error
