"""Whether probabilities mean what they say, and how they are judged.

    ECE       Σ over bins of (n_b / n) |accuracy - mean confidence|, bins (0, 1/M], (1/M, 2/M], ...
    Brier     mean of Σ_k (p_k - y_k)²
    log loss  mean of -log p of what is true

A metric that only ranks, like AUC, cannot tell p from any increasing map of it; accuracy cannot tell 51 % from 99 %.
Log loss and Brier are proper: their expected value is least at the true probabilities. ECE is 0 for a model that
always says the base rate, so it is read beside them.

Sources: Guo 2017, arXiv:1706.04599, section 2; Brier 1950.
Axes: n samples, K classes, M bins.
"""

from __future__ import annotations

import math

import numpy as np


def reliability(
    confidences_n: np.ndarray, right_n: np.ndarray, *, num_bins: int = 15
) -> list[tuple[int, float, float]]:
    """(samples, accuracy, mean confidence) of every bin that holds any; its diagonal is perfect calibration."""
    confidences, right = np.asarray(confidences_n, dtype=float), np.asarray(right_n, dtype=bool)
    bins_n = np.clip(np.ceil(confidences * num_bins).astype(int) - 1, 0, num_bins - 1)
    found = []
    for index in range(num_bins):
        members = bins_n == index
        if members.any():
            found.append((int(members.sum()), float(right[members].mean()), float(confidences[members].mean())))
    return found


def expected_calibration_error(confidences_n: np.ndarray, right_n: np.ndarray, *, num_bins: int = 15) -> float:
    """ECE: 0 where in each bin the accuracy is the mean confidence."""
    bins = reliability(confidences_n, right_n, num_bins=num_bins)
    return sum(count * abs(accuracy - confidence) for count, accuracy, confidence in bins) / len(confidences_n)


def maximum_calibration_error(confidences_n: np.ndarray, right_n: np.ndarray, *, num_bins: int = 15) -> float:
    """The worst bin's gap."""
    return max(abs(accuracy - said) for _, accuracy, said in reliability(confidences_n, right_n, num_bins=num_bins))


def brier(probabilities_nK: np.ndarray, labels_n: np.ndarray) -> float:
    """In [0, 2], over all classes."""
    truth_nK = np.eye(probabilities_nK.shape[1])[labels_n]
    return float(((probabilities_nK - truth_nK) ** 2).sum(1).mean())


def log_loss(probabilities_nK: np.ndarray, labels_n: np.ndarray) -> float:
    """In nats; infinite for a sure mistake."""
    true_n = probabilities_nK[np.arange(len(labels_n)), labels_n]
    return sum(-math.log(p) if p > 0 else math.inf for p in true_n) / len(labels_n)
