"""How far an image is from another, and a set of images from another set.

    PSNR = 10 log10(range² / MSE)       dB
    SSIM = (2 μx μy + C1)(2 σxy + C2) / ((μx² + μy² + C1)(σx² + σy² + C2)),   C = (0.01 range)², (0.03 range)²

Means, variances and covariance of SSIM are those of an 11 x 11 neighbourhood with Gaussian weights, σ = 1.5, summing
to 1; the value is the mean over all places whose neighbourhood lies inside. Neither orders images as people do.

    FID  = |μ - μ'|² + tr(Σ + Σ' - 2 (Σ Σ')^½)                         of features that are taken for Gaussian
    IS   = exp of the mean KL(p(y|x) || p(y))                          high for sure and varied answers

Sources: Wang 2004, IEEE TIP 13(4); Heusel 2017 (FID); Salimans 2016 (IS).
Axes: H rows, W columns, one channel; n images, F features, K classes.
"""

from __future__ import annotations

import math

import numpy as np


def psnr(a: np.ndarray, b: np.ndarray, *, value_range: float) -> float:
    """dB; infinite for equal images."""
    error = float(((np.asarray(a, dtype=float) - b) ** 2).mean())
    return 10 * math.log10(value_range**2 / error) if error else math.inf


def gaussian_window(size: int = 11, sigma: float = 1.5) -> np.ndarray:
    """(size, size), summing to 1."""
    weights = np.exp(-((np.arange(size) - (size - 1) / 2) ** 2) / (2 * sigma**2))
    return np.outer(weights, weights) / weights.sum() ** 2


def ssim(a_HW: np.ndarray, b_HW: np.ndarray, *, value_range: float, size: int = 11, sigma: float = 1.5) -> float:
    """In [-1, 1]; 1 for equal images only. Both sides of the images are `size` or more."""
    window = gaussian_window(size, sigma)

    def weighted(values_HW: np.ndarray) -> np.ndarray:
        views = np.lib.stride_tricks.sliding_window_view(values_HW, window.shape)
        return (views * window).sum((-1, -2))

    a, b = np.asarray(a_HW, dtype=float), np.asarray(b_HW, dtype=float)
    mean_a, mean_b = weighted(a), weighted(b)
    var_a, var_b = weighted(a * a) - mean_a**2, weighted(b * b) - mean_b**2
    covariance = weighted(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * value_range) ** 2, (0.03 * value_range) ** 2
    above = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    below = (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    return float((above / below).mean())


def frechet_distance(
    mean_F: np.ndarray, cov_FF: np.ndarray, other_mean_F: np.ndarray, other_cov_FF: np.ndarray
) -> float:
    """FID of two Gaussians, 0 for equal ones."""
    values, vectors = np.linalg.eigh(cov_FF)
    root_FF = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    # Σ Σ' has the eigenvalues of the symmetric Σ^½ Σ' Σ^½, so both roots have one trace
    joint = np.linalg.eigvalsh(root_FF @ other_cov_FF @ root_FF)
    shift = float(((np.asarray(mean_F) - other_mean_F) ** 2).sum())
    return shift + float(np.trace(cov_FF) + np.trace(other_cov_FF) - 2 * np.sqrt(np.maximum(joint, 0)).sum())


def inception_score(probabilities_nK: np.ndarray) -> float:
    """In [1, K]: 1 if all answers are alike, K if they are sure and every class is as frequent."""
    marginal_K = probabilities_nK.mean(0)
    total = 0.0
    for p_K in probabilities_nK:
        seen = p_K > 0
        total += float((p_K[seen] * np.log(p_K[seen] / marginal_K[seen])).sum())
    return math.exp(total / len(probabilities_nK))
