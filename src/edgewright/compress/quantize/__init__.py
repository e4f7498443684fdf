"""Integers instead of floats: fold, calibrate, simulate, score; train through the rounding when it costs too much."""

from .observers import RANGE_METHODS, Histogram
from .placement import Plan, plan_quantizers
from .precision import Precision
from .simulate import observe, ranges_of, simulate
from .stage import Quantize

__all__ = [
    "RANGE_METHODS",
    "Histogram",
    "Plan",
    "Precision",
    "Quantize",
    "observe",
    "plan_quantizers",
    "ranges_of",
    "simulate",
]
