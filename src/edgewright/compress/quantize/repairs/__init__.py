"""Repairs: what keeps a net's score when its numbers get coarse. Each maps a net to a new one and a report."""

from .bias import Correction, correct_bias, correct_bias_analytic
from .equalize import Equalization, equalize
from .high_bias import Absorption, Loosening, absorb_high_biases, loosen_clamps
from .moments import Moments, batch_norm_moments, duplicated, scaled
from .normalize import Reestimation, reestimate_rounded
from .policies import Ends, find_ends, keep_ends
from .rounding import LearnRounding, Rounding, learn_rounding
from .split import Splitting, split_outliers

__all__ = [
    "Absorption",
    "Correction",
    "Ends",
    "Equalization",
    "LearnRounding",
    "Loosening",
    "Moments",
    "Reestimation",
    "Rounding",
    "Splitting",
    "absorb_high_biases",
    "batch_norm_moments",
    "correct_bias",
    "correct_bias_analytic",
    "duplicated",
    "equalize",
    "find_ends",
    "keep_ends",
    "learn_rounding",
    "loosen_clamps",
    "reestimate_rounded",
    "scaled",
    "split_outliers",
]
