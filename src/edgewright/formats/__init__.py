"""Formats, bit by bit: floating point of any split of bits, fixed point, sparse matrices. Plain Python and NumPy."""

from .bits import pack_bits, unpack_bits
from .fixed import OVERFLOWS, ROUNDINGS, FixedFormat, q_format
from .floating import BF16, E4M3, E5M2, FLOAT_FORMATS, FP16, FP32, Fields, FloatFormat
from .n_of_m import HARDWARE, Packed, Pattern, pack_n_of_m, parse_pattern
from .sparse import FORMS, Bitmap, Compressed, Relative, bitmap, csc, csr, is_stored, relative

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
    "is_stored",
    "pack_bits",
    "pack_n_of_m",
    "parse_pattern",
    "q_format",
    "relative",
    "unpack_bits",
]
