"""Integers instead of floats: fold, calibrate, simulate, score; train through the rounding when it costs too much."""

from .mixed import Limits, Mixed
from .placement import Plan, plan_quantizers
from .precision import Precision
from .qat import Qat
from .ranges import RANGE_METHODS, Histogram, observe, ranges_of
from .repairs import LearnRounding
from .schemes import Scheme
from .simulate import simulate
from .stage import REPAIRS, Quantize
from .ways import float_ways, other_ways, ways

__all__ = [
    "RANGE_METHODS",
    "REPAIRS",
    "Histogram",
    "LearnRounding",
    "Limits",
    "Mixed",
    "Plan",
    "Precision",
    "Qat",
    "Quantize",
    "Scheme",
    "float_ways",
    "observe",
    "other_ways",
    "plan_quantizers",
    "ranges_of",
    "simulate",
    "ways",
]
