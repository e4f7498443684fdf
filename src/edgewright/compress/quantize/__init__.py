"""Integers instead of floats: fold, calibrate, simulate, score; train through the rounding when it costs too much."""

from .placement import Plan, plan_quantizers
from .precision import Precision
from .ranges import RANGE_METHODS, Histogram, observe, ranges_of
from .simulate import simulate
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
