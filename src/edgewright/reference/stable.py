"""Exponentials that neither overflow nor lose small numbers, and what is built from them.

    logsumexp(z)   = m + log sum e^(z - m)                  m the largest z: every exponent is at most 0
    log_softmax(z) = z - logsumexp(z)
    softmax(z)     = e^(log_softmax z)
    softplus(z)    = max(z, 0) + log(1 + e^-|z|)
    sigmoid(z)     = 1 / (1 + e^-z) = e^z / (1 + e^z)       the one for z >= 0, the other below

1 / (1 + e^-z) alone overflows for z below -709.8 in float64. In exact arithmetic every probability lies strictly
between 0 and 1; in floating point sure ones round to 0 or 1, which is why losses take logarithms and not probabilities.

Source: Goodfellow, Bengio, Courville 2016, Deep Learning, section 4.1. Everything works along the last axis.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]


def logsumexp(z: np.ndarray) -> Array:
    """log sum e^z of each row; the last axis is gone."""
    largest = np.max(z, axis=-1, keepdims=True)
    return (largest + np.log(np.exp(z - largest).sum(-1, keepdims=True)))[..., 0]


def log_softmax(z: np.ndarray) -> Array:
    """The logarithm of each share of e^z in its row. Adding one number to a whole row changes nothing."""
    shifted = z - np.max(z, axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def softmax(z: np.ndarray) -> Array:
    """The share of each e^z in its row: they sum to 1."""
    return np.exp(log_softmax(z))


def softmax_backward(dp: np.ndarray, p: np.ndarray) -> Array:
    """dz = p (dp - sum of dp p): the Jacobian diag(p) - p pᵀ, which is symmetric, times dp."""
    return p * (dp - (dp * p).sum(-1, keepdims=True))


def log_softmax_backward(dy: np.ndarray, p: np.ndarray) -> Array:
    """dz = dy - p (sum of dy). With dy = -y/B for one-hot y it is (p - y)/B: cross-entropy's."""
    return dy - p * dy.sum(-1, keepdims=True)


def sigmoid(z: Any) -> Any:
    """1 / (1 + e^-z), of an array or of one number."""
    small = np.exp(-np.abs(z))
    return np.where(np.asarray(z) >= 0, 1.0, small)[()] / (1 + small)


def softplus(z: Any) -> Any:
    """log(1 + e^z), the smooth form of max(z, 0). Its slope is the sigmoid."""
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def log_sigmoid(z: Any) -> Any:
    """log of the sigmoid: -softplus(-z)."""
    return -softplus(-z)
