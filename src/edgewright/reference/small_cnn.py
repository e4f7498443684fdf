"""A small convolutional network and its training, from the image to the weights, on the reference alone.

    (1, S, S) -> conv 3x3, 8 -> ReLU -> max pool 2 -> conv 3x3, 16 -> ReLU -> max pool 2
              -> flatten, 16 (S/4)² -> linear 64 -> ReLU -> linear K

S = 28 and K = 10: 52,138 parameters and 333,056 multiply-accumulates an image, of which the convolutions are 85 %.

The program is `scores`; the gradients are the autograd's, the step is one of `optimizers`. Data are arrays of the
caller.

Axes: B images of S rows and columns, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .autograd import Array, value_and_gradients
from .initialization import he_normal
from .operations import conv2d, cross_entropy, linear, max_pool2d, relu, reshape
from .optimizers import RULES, How, Memory
from .windows import Window

SAME = Window.square(3, padding=1)
HALVE = Window.square(2, stride=2)
Weights = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Training:
    """How the weights are found.

    Args:
        rule: a name of `optimizers.RULES`.
        seed: of the initial weights and of the order of the images.
    """

    epochs: int = 20
    batch_size: int = 32
    rule: str = "adam"
    how: How = field(default_factory=lambda: How(lr=5e-3))
    seed: int = 0


def initial_weights(*, size: int, num_classes: int, rng: np.random.Generator) -> dict[str, Array]:
    """He 2015 in front of ReLUs, and zero biases. `size` is the side of the images, a multiple of 4."""
    if size % 4:
        raise ValueError(f"Two poolings halve the side of an image, which must be a multiple of 4, got {size}.")
    shapes = {"conv1": (8, 1, 3, 3), "conv2": (16, 8, 3, 3), "linear1": (64, size**2), "linear2": (num_classes, 64)}
    weights: dict[str, Array] = {}
    for name, shape in shapes.items():
        weights[f"{name}.weight"] = he_normal(shape, rng)
        weights[f"{name}.bias"] = np.zeros(shape[0])
    return weights


def scores(images_B1SS: Any, weights: Weights) -> Any:
    """Logits, (B, K): of arrays an array, of nodes a node."""
    x = relu(conv2d(images_B1SS, weights["conv1.weight"], weights["conv1.bias"], window=SAME))  # (B, 8, S, S)
    x = max_pool2d(x, window=HALVE)  # (B, 8, S/2, S/2)
    x = relu(conv2d(x, weights["conv2.weight"], weights["conv2.bias"], window=SAME))  # (B, 16, S/2, S/2)
    x = max_pool2d(x, window=HALVE)  # (B, 16, S/4, S/4)
    x = reshape(x, (len(images_B1SS), -1))  # (B, S²)
    x = relu(linear(x, weights["linear1.weight"], weights["linear1.bias"]))  # (B, 64)
    return linear(x, weights["linear2.weight"], weights["linear2.bias"])


def train(
    images_B1SS: Array, labels_B: np.ndarray, settings: Training, *, num_classes: int
) -> tuple[dict[str, Array], list[float]]:
    """The trained weights, and the mean loss of every epoch."""
    rng = np.random.default_rng(settings.seed)
    weights = initial_weights(size=images_B1SS.shape[-1], num_classes=num_classes, rng=rng)
    memories: dict[str, Memory] = {name: {} for name in weights}
    losses = []
    for _ in range(settings.epochs):
        order = rng.permutation(len(images_B1SS))
        batches = np.split(order, range(settings.batch_size, len(order), settings.batch_size))
        total = 0.0
        for batch in batches:
            loss, slopes = loss_and_slopes(images_B1SS[batch], labels_B[batch], weights)
            total += loss * len(batch) / len(order)
            rule = RULES[settings.rule]
            weights = {name: rule(weights[name], slopes[name], memories[name], settings.how) for name in weights}
        losses.append(total)
    return weights, losses


def loss_and_slopes(images_B1SS: Array, labels_B: np.ndarray, weights: Weights) -> tuple[float, dict[str, Array]]:
    """The mean cross-entropy of one batch, and its gradient by every weight."""

    def loss(*values: Any) -> Any:
        return cross_entropy(scores(images_B1SS, dict(zip(weights, values, strict=True))), labels_B)

    value, slopes = value_and_gradients(loss, *weights.values())
    return value, dict(zip(weights, slopes, strict=True))


def accuracy(images_B1SS: Array, labels_B: np.ndarray, weights: Weights) -> float:
    """Share of images whose largest score is that of their class, in [0, 1]."""
    return float((scores(images_B1SS, weights).argmax(1) == labels_B).mean())
