"""Numbers as a reader wants them: three digits, the unit that fits, and the same form everywhere on the page.

Bytes are binary (1 KiB = 1024 B), as memories are built; counts and SI units are decimal. An unknown number is a dash.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

DASH = "–"  # what is unknown, never 0
MINUS = "\N{MINUS SIGN}"
TIMES = "\N{MULTIPLICATION SIGN}"
MICRO = "\N{MICRO SIGN}"
SI_SMALL = ((1.0, ""), (1e-3, "m"), (1e-6, MICRO), (1e-9, "n"), (1e-12, "p"))
SI_LARGE = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))
BINARY = ((1024.0**4, "TiB"), (1024.0**3, "GiB"), (1024.0**2, "MiB"), (1024.0, "KiB"), (1.0, "B"))

Formatter = Callable[[float | None], str]


def digits_text(value: float, *, digits: int = 3) -> str:
    """`value` with `digits` significant digits and without an exponent: 1234.5 -> 1,234; 0.01234 -> 0.0123."""
    if value == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    rounded = round(value, places)
    if rounded and math.floor(math.log10(abs(rounded))) > math.floor(math.log10(abs(value))):
        places = max(0, places - 1)  # 9.996 became 10.00: one decimal less
    return f"{value:,.{places}f}".replace("-", MINUS)


def count_text(value: float | None) -> str:
    """A count: 640 -> 640; 52,138 -> 52.1 k; 568,740,352 -> 569 M."""
    if value is None:
        return DASH
    if abs(value) < 1000 and float(value).is_integer():
        return f"{value:.0f}".replace("-", MINUS)
    return _scaled(value, SI_LARGE, "")


def bytes_text(value: float | None) -> str:
    """A size: 512 -> 512 B; 327,680 -> 320 KiB."""
    if value is None:
        return DASH
    if abs(value) < 1024:
        return f"{number_text(value)} B"
    step, unit = next((step, unit) for step, unit in BINARY if abs(value) >= step)
    return f"{_whole_or_digits(value / step)} {unit}"


def seconds_text(value: float | None) -> str:
    """A time: 0.00123 -> 1.23 ms; 75 -> 75.0 s; 190 -> 3 min 10 s."""
    if value is None:
        return DASH
    if value >= 120:
        minutes, seconds = divmod(round(value), 60)
        return f"{minutes} min {seconds} s" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
    return _scaled(value, SI_SMALL, "s")


def joules_text(value: float | None) -> str:
    """An energy: 0.00123 -> 1.23 mJ."""
    return DASH if value is None else _scaled(value, SI_SMALL, "J")


def points_text(value: float | None) -> str:
    """A score in points, two decimals: 91.666 -> 91.67."""
    return DASH if value is None else f"{value:.2f}".replace("-", MINUS)


def change_text(value: float | None) -> str:
    """A difference of scores, always with its sign: -0.2777 -> −0.28."""
    if value is None:
        return DASH
    text = f"{value:+.2f}".replace("-", MINUS)
    return "0.00" if text[1:] == "0.00" else text


def share_text(value: float | None) -> str:
    """A share in [0, 1] as a percentage: 0.995 -> 99.5 %. A share just short of 1 never rounds up to 100 %."""
    if value is None:
        return DASH
    percent = 100 * value
    places = 1
    while percent < 100 and places < 4 and f"{percent:.{places}f}" == f"{100:.{places}f}":
        places += 1
    return "100 %" if percent == 100 else f"{percent:.{places}f} %".replace("-", MINUS)


def times_text(value: float | None) -> str:
    """A ratio: 3.906 -> 3.91×."""
    return DASH if value is None else f"{digits_text(value)}{TIMES}"


def number_text(value: float | None) -> str:
    """A number without a unit that we know."""
    if value is None:
        return DASH
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{value:,.0f}".replace("-", MINUS)
    return f"{value:.2e}".replace("-", MINUS) if 0 < abs(value) < 1e-4 else short(digits_text(value, digits=4))


def short(text: str) -> str:
    """A formatted number without the zeros that close its decimals, for axes: 20.0 M -> 20 M; 1.50 ms -> 1.5 ms."""
    return re.sub(r"\.(\d*?)0+(?!\d)", lambda found: f".{found[1]}" if found[1] else "", text)


def exact_text(value: float | None) -> str:
    """All digits, for the text that appears on hover."""
    if value is None:
        return "not known"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.9g}"


UNITS: Mapping[str, Formatter] = {
    "bytes": bytes_text, "B": bytes_text, "byte": bytes_text,
    "s": seconds_text, "seconds": seconds_text,
    "J": joules_text, "joules": joules_text,
    "points": lambda value: _with_unit(points_text(value), "points"),
    "pp": lambda value: _with_unit(points_text(value), "points"),
    "MACs": lambda value: _with_unit(count_text(value), "MACs"),
    "share": share_text, "%": lambda value: DASH if value is None else f"{number_text(value)} %",
    "x": times_text, "times": times_text, TIMES: times_text, "ratio": times_text,
    "": number_text,
}  # fmt: skip


def quantity_text(value: float | None, unit: str) -> str:
    """`value` in `unit`, in the form this module has for it; a unit it does not know stands behind the number.

    A unit that starts with "of" makes the number a share: 0.114 of the fp32 file -> 11.4 % of the fp32 file.
    """
    if unit.startswith("of "):
        return _with_unit(share_text(value), unit)
    return UNITS[unit](value) if unit in UNITS else _with_unit(number_text(value), unit)


def _with_unit(text: str, unit: str) -> str:
    return text if text == DASH else f"{text} {unit}"


def _scaled(value: float, steps: tuple[tuple[float, str], ...], unit: str) -> str:
    if value == 0:
        return f"0 {unit}".strip()
    step, prefix = next((each for each in steps if abs(value) >= each[0] * 0.9995), steps[-1])
    return f"{_three(value / step)} {prefix}{unit}".strip()


def _three(value: float) -> str:
    return digits_text(value) if abs(value) >= 0.001 else f"{value:.1e}".replace("-", MINUS)


def _whole_or_digits(value: float) -> str:
    """320.0 -> 320, the number a data sheet prints; 127.9 -> 128; 3.906 -> 3.91."""
    return f"{value:,.0f}" if float(value).is_integer() else digits_text(value)
