"""Dropout: in training every value is dropped with probability p.

    inverted   train: y = x m / (1 - p),  m = 0 with probability p, else 1      inference: y = x
    as in 2014 train: y = x m                                                   inference: y = (1 - p) x

Inverted, the mean of y is x and its variance x² p / (1 - p). The scale alone is an exact mean over all masks only where
what follows is linear. Before or after a ReLU makes no difference, for m / (1 - p) is never negative; before or after a
sigmoid does.

Source: Srivastava 2014, JMLR 15.
"""

from __future__ import annotations

import numpy as np


def dropout_mask(shape: tuple[int, ...], drop: float, rng: np.random.Generator) -> np.ndarray:
    """0 with probability `drop`, else 1 / (1 - drop): its mean is 1."""
    return (rng.random(shape) >= drop) / (1 - drop)


def dropout(x: np.ndarray, drop: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The output in training, and the mask, which the backward pass needs: dx = dy mask. In inference there is none."""
    mask = dropout_mask(x.shape, drop, rng)
    return x * mask, mask


def standard_dropout(x: np.ndarray, drop: float, rng: np.random.Generator) -> np.ndarray:
    """In training, not scaled: inference has to multiply by 1 - drop."""
    return x * (rng.random(x.shape) >= drop)
