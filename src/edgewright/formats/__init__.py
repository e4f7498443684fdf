"""Formats, bit by bit: floating point of any split of bits, fixed point, sparse matrices. Plain Python and NumPy."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .fixed import OVERFLOWS, ROUNDINGS, FixedFormat, q_format
from .floating import BF16, E4M3, E5M2, FLOAT_FORMATS, FP16, FP32, Fields, FloatFormat

if TYPE_CHECKING:
    from .bits import pack_bits, unpack_bits
    from .n_of_m import HARDWARE, Packed, Pattern, follows, pack_n_of_m, parse_pattern
    from .sparse import FORMS, Bitmap, Compressed, Relative, bitmap, csc, csr, is_stored, relative

ON_ARRAYS = {
    "bits": ("pack_bits", "unpack_bits"),
    "n_of_m": ("HARDWARE", "Packed", "Pattern", "follows", "pack_n_of_m", "parse_pattern"),
    "sparse": ("FORMS", "Bitmap", "Compressed", "Relative", "bitmap", "csc", "csr", "is_stored", "relative"),
}  # fetched on first use: `edgewright calc` must answer without NumPy

__all__ = [
    "BF16",
    "E4M3",
    "E5M2",
    "FLOAT_FORMATS",
    "FORMS",
    "FP16",
    "FP32",
    "HARDWARE",
    "OVERFLOWS",
    "ROUNDINGS",
    "Bitmap",
    "Compressed",
    "Fields",
    "FixedFormat",
    "FloatFormat",
    "Packed",
    "Pattern",
    "Relative",
    "bitmap",
    "csc",
    "csr",
    "follows",
    "is_stored",
    "pack_bits",
    "pack_n_of_m",
    "parse_pattern",
    "q_format",
    "relative",
    "unpack_bits",
]


def __getattr__(name: str) -> Any:
    for module, names in ON_ARRAYS.items():
        if name in names:
            return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
