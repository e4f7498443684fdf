"""Pieces of C: names, numbers, arrays and initializers. The same input gives the same bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

C_TYPES = {"int8": "int8_t", "int16": "int16_t", "int32": "int32_t", "float32": "float", "float64": "double"}
LINE_WIDTH = 116


class Name(str):
    """A name of C in the place of a number."""


def identifier(name: str) -> str:
    """A name with what C forbids replaced; it is always the end of a longer one, so digits and keywords are no harm."""
    return re.sub(r"\W", "_", name, flags=re.ASCII)


def c_type(values: np.ndarray) -> str:
    """The C type of an array's values."""
    return C_TYPES[values.dtype.name]


def number(value: Any, dtype: np.dtype[Any]) -> str:
    """One number; a float with as many digits as bring it back to the bit."""
    if dtype.kind != "f":
        return _integer(int(value))
    digits = f"{float(value):.9g}" if dtype.itemsize == 4 else repr(float(value))
    digits = digits if re.search(r"[.en]", digits) else f"{digits}.0"
    return f"{digits}f" if dtype.itemsize == 4 else digits


def _integer(value: int) -> str:
    return f"({value + 1} - 1)" if value == -(2**31) else str(value)  # C has no literal of that value


def array_body(values: np.ndarray) -> str:
    """All values, comma by comma, in lines."""
    return "\n".join(_lines(number(value, values.dtype) for value in values.ravel()))


def _lines(pieces: Iterator[str]) -> Iterator[str]:
    line = "   "
    for piece in pieces:
        if len(line) + len(piece) + 2 > LINE_WIDTH:
            yield line
            line = "   "
        line += f" {piece},"
    yield line


def initializer(fields: Mapping[str, Any]) -> str:
    """{.name = value, ...}; a mapping is a struct, a tuple an array."""
    parts = []
    for name, value in fields.items():
        if isinstance(value, Mapping):
            parts.append(f".{name} = {initializer(value)}")
        elif isinstance(value, tuple):
            parts.append(f".{name} = {{{', '.join(_integer(int(each)) for each in value)}}}")
        else:
            parts.append(f".{name} = {value if isinstance(value, Name) else _integer(int(value))}")
    return "{" + ", ".join(parts) + "}"


def lines_of(fields: Mapping[str, Any]) -> str:
    """An initializer inside a function, one line for each field that is a struct, and for all numbers between two."""
    lines, line = [], ""
    for name, value in fields.items():
        piece = f"{initializer({name: value})[1:-1]},"
        if line and (isinstance(value, Mapping) or len(line) + len(piece) > LINE_WIDTH - 8):
            lines.append(line)
            line = ""
        line = f"{line} {piece}".strip()
        if isinstance(value, Mapping):
            lines.append(line)
            line = ""
    return "{\n" + "\n".join(f"        {each}" for each in [*lines, line] if each) + "\n    }"
