"""A stack of equal layers: what becomes of values on their way in, and of gradients on their way back."""

from dataclasses import dataclass

import numpy as np

from ....reference.activations import ACTIVATIONS


@dataclass(frozen=True, kw_only=True)
class Walk:
    """Mean square of the activations behind each layer, norm of the gradient in front of each; first layer first."""

    squares: list[float]
    gradients: list[float]


def walk(
    generator: np.random.Generator, *, depth: int, activation: str, gain: float, width: int = 128, batch: int = 32,
    residual: bool = False,
) -> Walk:  # fmt: skip
    """Weights of variance gain / width, inputs of unit variance, a gradient of norm 1 for each sample at the output.

    Args:
        residual: add the input of each layer to its output.
    """
    function = ACTIVATIONS[activation]
    weights = [generator.standard_normal((width, width)) * np.sqrt(gain / width) for _ in range(depth)]
    x, before, squares = generator.standard_normal((batch, width)), [], []
    with np.errstate(over="ignore", invalid="ignore"):
        for weight in weights:
            before.append(x @ weight.T)
            x = function.value(before[-1]) + (x if residual else 0)
            squares.append(float((x**2).mean()))
        delta = generator.standard_normal((batch, width))
        delta /= np.linalg.norm(delta, axis=1, keepdims=True)
        gradients = []
        for weight, z in zip(reversed(weights), reversed(before), strict=True):
            delta = (delta * function.slope(z)) @ weight + (delta if residual else 0)
            gradients.append(float(np.linalg.norm(delta, axis=1).mean()))
    return Walk(squares=squares, gradients=gradients[::-1])
