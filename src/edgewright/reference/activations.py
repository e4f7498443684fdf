"""Activations, one number in and one out, each with its slope.

    backward: dx = dy · slope(x)

Where a function has a corner the slope is a choice among its sub-gradients. Here it is PyTorch's: that of the left side
for ReLU and its family (a ReLU's slope is 1 for x > 0 only), 0 at both corners of what is clipped.

`ACTIVATIONS` holds all of them with their usual settings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .stable import log_sigmoid, sigmoid, softplus

Array = np.ndarray[Any, np.dtype[np.float64]]
Function = Callable[[Array], Array]
erf = np.vectorize(math.erf, otypes=[float])  # NumPy has none


@dataclass(frozen=True, kw_only=True)
class Activation:
    """A function and its slope.

    Args:
        source: who proposed or named it.
    """

    value: Function
    slope: Function
    source: str


def leaky(share: float) -> Activation:
    """x for x > 0, share x below. Learned shares make a PReLU: their gradient is the sum of dy min(x, 0)."""
    return Activation(
        value=lambda x: np.where(x > 0, x, share * x),
        slope=lambda x: np.where(x > 0, 1.0, share),
        source="Maas 2013; He 2015 (PReLU)",
    )


def prelu_share_gradient(dy: np.ndarray, x: np.ndarray) -> float:
    """Of a PReLU's one share."""
    return float((dy * np.minimum(x, 0)).sum())


def elu(floor: float, *, gain: float = 1.0, source: str = "Clevert 2016") -> Activation:
    """gain x for x > 0, gain floor (e^x - 1) below: falls to -gain floor."""
    return Activation(
        value=lambda x: gain * np.where(x > 0, x, floor * np.expm1(np.minimum(x, 0))),
        slope=lambda x: gain * np.where(x > 0, 1.0, floor * np.exp(np.minimum(x, 0))),
        source=source,
    )


def clipped(value: Function, *, slope: float, between: tuple[float, float], source: str) -> Activation:
    """A straight line that is cut at both ends: `slope` strictly between them, 0 elsewhere."""
    low, high = between
    return Activation(value=value, slope=lambda x: np.where((x > low) & (x < high), slope, 0.0), source=source)


def bell(x: Array) -> Array:
    """Density of the standard normal distribution."""
    return np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)


def below(x: Array) -> Array:
    """Its share below x."""
    return (1 + erf(x / math.sqrt(2))) / 2


def hard_sigmoid(x: Array) -> Array:
    """relu6(x + 3) / 6: differs from the sigmoid by 0.069 at most."""
    return np.clip(x + 3, 0, 6) / 6


def gelu_tanh(x: Array) -> Array:
    """x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x³))), within 0.0005 of GELU."""
    return x / 2 * (1 + np.tanh(_bend(x)))


def _bend(x: Array) -> Array:
    return math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)


def _gelu_tanh_slope(x: Array) -> Array:
    t = np.tanh(_bend(x))
    return (1 + t) / 2 + x / 2 * (1 - t**2) * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2)


def _mish_slope(x: Array) -> Array:
    t = np.tanh(softplus(x))
    return t + x * sigmoid(x) * (1 - t**2)


def _hard_swish_slope(x: Array) -> Array:
    """(2 x + 3)/6 inside: a piece of a parabola, which is why h-swish is not piecewise linear."""
    return np.where(x <= -3, 0.0, np.where(x < 3, (2 * x + 3) / 6, 1.0))


def _silu_slope(x: Array) -> Array:
    s = sigmoid(x)
    return s + x * s * (1 - s)


# fmt: off
ACTIVATIONS: Mapping[str, Activation] = {
    "identity": Activation(value=lambda x: x, slope=np.ones_like, source=""),
    "sigmoid": Activation(value=sigmoid, slope=lambda x: sigmoid(x) * sigmoid(-x), source="slope at most 1/4"),
    "tanh": Activation(value=np.tanh, slope=lambda x: 1 - np.tanh(x) ** 2, source="slope at most 1"),
    "relu": Activation(
        value=lambda x: np.maximum(x, 0), slope=lambda x: np.where(x > 0, 1.0, 0.0), source="Nair and Hinton 2010"
    ),
    "relu6": clipped(lambda x: np.clip(x, 0, 6), slope=1, between=(0, 6), source="Krizhevsky 2010"),
    "leaky-relu": leaky(0.01),
    "elu": elu(1.0),
    "selu": elu(
        1.6732632423543772, gain=1.0507009873554805, source="Klambauer 2017: keeps mean 0 and variance 1"
    ),
    "softplus": Activation(value=softplus, slope=sigmoid, source="Dugas 2001"),
    "log-sigmoid": Activation(value=log_sigmoid, slope=lambda x: sigmoid(-x), source="the logarithm of a probability"),
    "softsign": Activation(
        value=lambda x: x / (1 + np.abs(x)), slope=lambda x: 1 / (1 + np.abs(x)) ** 2, source="Bergstra 2009"
    ),
    "silu": Activation(
        value=lambda x: x * sigmoid(x), slope=_silu_slope, source="Elfwing 2018; swish: Ramachandran 2017"
    ),
    "gelu": Activation(
        value=lambda x: x * below(x), slope=lambda x: below(x) + x * bell(x), source="Hendrycks and Gimpel 2016"
    ),
    "gelu-tanh": Activation(value=gelu_tanh, slope=_gelu_tanh_slope, source="Hendrycks and Gimpel 2016, section 2"),
    "mish": Activation(value=lambda x: x * np.tanh(softplus(x)), slope=_mish_slope, source="Misra 2019"),
    "hard-tanh": clipped(lambda x: np.clip(x, -1, 1), slope=1, between=(-1, 1), source="Collobert 2004"),
    "hard-sigmoid": clipped(hard_sigmoid, slope=1 / 6, between=(-3, 3), source="Howard 2019"),
    "hard-swish": Activation(value=lambda x: x * hard_sigmoid(x), slope=_hard_swish_slope, source="Howard 2019"),
}
# fmt: on
