"""Initial weights: random enough to break symmetry, of a size that neither dies out nor blows up over many layers.

A sum of n terms w x has second moment n Var(w) E[x²]. Behind a ReLU, which halves the second moment of what is
symmetric around 0, a layer multiplies it by (n / 2) Var(w), n inputs to each output; backwards likewise, n outputs:

    He       Var(w) = gain² / fan     gain² = 2 for ReLU           fan_in keeps the forward pass, fan_out the backward
    Xavier   Var(w) = 2 / (fan_in + fan_out)                       between the two, for functions like tanh around 0
    LeCun    Var(w) = 1 / fan_in
    orthogonal   W Wᵀ = gain² 1, of a Gaussian matrix: all singular values are `gain`

A uniform distribution in [-a, a] has variance a²/3. Biases may begin at 0, weights may not: equal units stay equal.

Sources: Glorot and Bengio 2010; He 2015, arXiv:1502.01852; LeCun 1998, Efficient BackProp; Saxe 2014.
Shapes are (outputs, inputs of one group, *kernel).
"""

from __future__ import annotations

import math

import numpy as np

GAINS = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}


def leaky_gain(share: float) -> float:
    """sqrt(2 / (1 + share²)) of a ReLU that keeps `share` of what is below 0."""
    return math.sqrt(2 / (1 + share**2))


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """(fan_in, fan_out): how many inputs an output adds up, and how many outputs an input goes into (at stride 1)."""
    places = math.prod(shape[2:])
    return shape[1] * places, shape[0] * places


def he_normal(
    shape: tuple[int, ...], rng: np.random.Generator, *, gain: float = GAINS["relu"], forward: bool = True
) -> np.ndarray:
    """N(0, gain² / fan): standard deviation sqrt(2 / fan_in) for ReLU. Not `forward`: of fan_out."""
    return rng.normal(0, gain / math.sqrt(fans(shape)[0 if forward else 1]), shape)


def he_uniform(
    shape: tuple[int, ...], rng: np.random.Generator, *, gain: float = GAINS["relu"], forward: bool = True
) -> np.ndarray:
    """Uniform with the variance of `he_normal`."""
    bound = gain * math.sqrt(3 / fans(shape)[0 if forward else 1])
    return rng.uniform(-bound, bound, shape)


def xavier_normal(shape: tuple[int, ...], rng: np.random.Generator, *, gain: float = 1.0) -> np.ndarray:
    """N(0, 2 gain² / (fan_in + fan_out))."""
    return rng.normal(0, gain * math.sqrt(2 / sum(fans(shape))), shape)


def xavier_uniform(shape: tuple[int, ...], rng: np.random.Generator, *, gain: float = 1.0) -> np.ndarray:
    """Uniform in gain sqrt(6 / (fan_in + fan_out)) either way."""
    bound = gain * math.sqrt(6 / sum(fans(shape)))
    return rng.uniform(-bound, bound, shape)


def lecun_normal(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """N(0, 1 / fan_in)."""
    return he_normal(shape, rng, gain=1.0)


def orthogonal(shape: tuple[int, ...], rng: np.random.Generator, *, gain: float = 1.0) -> np.ndarray:
    """Rows (or columns, where these are fewer) of length `gain`, at right angles, evenly over all such matrices.

    The signs of R's diagonal make Q unique, without which it would not be evenly distributed (Mezzadri 2007).
    """
    rows, columns = shape[0], math.prod(shape[1:])
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))
    return gain * (q if rows >= columns else q.T).reshape(shape)
