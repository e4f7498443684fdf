"""Functions of one number in float64: what tables are built from."""

from __future__ import annotations

import math

import numpy as np


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), without an exponential that overflows."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, small) / (1.0 + small)


def hard_sigmoid(x: np.ndarray) -> np.ndarray:
    """relu6(x + 3) / 6 (Howard 2019): 0 up to -3, 1 from 3 on."""
    return np.clip(x + 3.0, 0.0, 6.0) / 6.0


def silu(x: np.ndarray) -> np.ndarray:
    """x times its sigmoid (Elfwing 2018)."""
    return x * sigmoid(x)


def hard_swish(x: np.ndarray) -> np.ndarray:
    """x times its hard sigmoid (Howard 2019): 0 up to -3, x from 3 on."""
    return x * hard_sigmoid(x)


def gelu(x: np.ndarray) -> np.ndarray:
    """x times the normal distribution's share below x (Hendrycks 2016)."""
    return x * 0.5 * (1.0 + np.vectorize(math.erf, otypes=[np.float64])(x / math.sqrt(2.0)))


def gelu_tanh(x: np.ndarray) -> np.ndarray:
    """The approximation by tanh (Hendrycks 2016, section 2)."""
    return 0.5 * x * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))


def softplus(x: np.ndarray) -> np.ndarray:
    """log(1 + exp(x))."""
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


def mish(x: np.ndarray) -> np.ndarray:
    """x times tanh of its softplus (Misra 2019)."""
    return x * np.tanh(softplus(x))


def elu(x: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    """x above 0, alpha (exp(x) - 1) below (Clevert 2016)."""
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0.0)))
