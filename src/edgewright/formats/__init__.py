"""Number formats, bit by bit: floating point of any split of bits, and fixed point. Plain Python and NumPy."""

from .fixed import OVERFLOWS, ROUNDINGS, FixedFormat, q_format
from .floating import BF16, E4M3, E5M2, FLOAT_FORMATS, FP16, FP32, Fields, FloatFormat

__all__ = [
    "BF16",
    "E4M3",
    "E5M2",
    "FLOAT_FORMATS",
    "FP16",
    "FP32",
    "OVERFLOWS",
    "ROUNDINGS",
    "Fields",
    "FixedFormat",
    "FloatFormat",
    "q_format",
]
