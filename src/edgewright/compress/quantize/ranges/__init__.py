"""Ranges: what a tensor's values look like over the calibration images, and which part of them the integers cover.

observation   one pass over the images fills one `Observation` per tensor: histogram, extremes, moments
methods       each range method is a function of one observation; `RANGE_METHODS` is their table
mse kl aciq   the three that compute
weights       the same question for weights, per output channel
best          the method of least measured error, tensor by tensor (imported by name: it runs simulations)
"""

from .histogram import Histogram
from .methods import RANGE_METHODS, RangeSettings, ranges_of
from .observation import BATCH, Observation, observe
from .weights import WEIGHT_METHODS, weight_scales

__all__ = [
    "BATCH",
    "RANGE_METHODS",
    "WEIGHT_METHODS",
    "Histogram",
    "Observation",
    "RangeSettings",
    "observe",
    "ranges_of",
    "weight_scales",
]
