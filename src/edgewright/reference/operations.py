"""What programs of the autograd are written with: functions of numbers, of axes, and the layers of the other files.

A layer plugs in by its forward pass and, for each input, the two directions of its derivative. Pulling is the backward
pass of its own file. Pushing is the layer itself where it is linear in that input, as a convolution is in x and in the
weight; a pool of maxima pushes what its winners carry.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import convolution, pooling
from .activations import ACTIVATIONS
from .autograd import Array, Operation, Partial, elementwise
from .stable import log_softmax as stable_log_softmax
from .windows import Window

exp = elementwise("exp", np.exp, lambda y, x: y)
log = elementwise("log", np.log, lambda y, x: 1 / x)
sqrt = elementwise("sqrt", np.sqrt, lambda y, x: 0.5 / y)
sin = elementwise("sin", np.sin, lambda y, x: np.cos(x))
cos = elementwise("cos", np.cos, lambda y, x: -np.sin(x))
arctan = elementwise("arctan", np.arctan, lambda y, x: 1 / (1 + x**2))
absolute = elementwise("absolute", np.abs, lambda y, x: np.sign(x))
# of two equal values both take half of the slope, as in PyTorch
maximum = elementwise(
    "maximum", np.maximum, lambda y, a, b: (1 + np.sign(a - b)) / 2, lambda y, a, b: (1 + np.sign(b - a)) / 2
)
minimum = elementwise(
    "minimum", np.minimum, lambda y, a, b: (1 + np.sign(b - a)) / 2, lambda y, a, b: (1 + np.sign(a - b)) / 2
)

ACTIVATE = {
    name: elementwise(name, each.value, lambda y, x, slope=each.slope: slope(x)) for name, each in ACTIVATIONS.items()
}
relu, sigmoid, tanh = ACTIVATE["relu"], ACTIVATE["sigmoid"], ACTIVATE["tanh"]


def power(x: Any, exponent: float) -> Any:
    """x^exponent, the exponent a constant."""
    return elementwise("power", lambda x: x**exponent, lambda y, x: exponent * x ** (exponent - 1))(x)


def reshape(x: Any, shape: tuple[int, ...]) -> Any:
    """The same values in another shape."""
    return _linear("reshape", lambda x: np.reshape(x, shape), lambda dy, x: np.reshape(dy, np.shape(x)))(x)


def transpose(x: Any, axes: tuple[int, ...]) -> Any:
    """The axes in another order."""
    back = tuple(np.argsort(axes))
    return _linear("transpose", lambda x: np.transpose(x, axes), lambda dy, x: np.transpose(dy, back))(x)


def pick(x: Any, index: Any) -> Any:
    """x[index]. What is picked twice takes both slopes."""

    def put_back(dy: Array, x: Array) -> Array:
        dx = np.zeros_like(x)
        np.add.at(dx, index, dy)
        return dx

    return _linear("pick", lambda x: x[index], put_back)(x)


def total(x: Any, axes: int | tuple[int, ...] | None = None, *, keep: bool = False) -> Any:
    """Sum over axes (None: all). A sum copies its slope to all that it added."""

    def copied(dy: Array, x: Array) -> Array:
        gone = range(x.ndim) if axes is None else np.atleast_1d(axes) % x.ndim
        shape = [1 if axis in gone else size for axis, size in enumerate(x.shape)]
        return np.broadcast_to(np.reshape(dy, shape), x.shape)

    return _linear("total", lambda x: np.sum(x, axis=axes, keepdims=keep), copied)(x)


def mean(x: Any, axes: int | tuple[int, ...] | None = None, *, keep: bool = False) -> Any:
    """Mean over axes (None: all)."""
    added = total(x, axes, keep=keep)
    return added / (np.prod(np.shape(x)) / np.prod(np.shape(added)))


def concatenate(parts: Sequence[Any], axis: int = 0) -> Any:
    """One behind the other: each takes its own stretch of the slope."""
    sizes = [np.shape(part)[axis] for part in parts]
    ends = np.cumsum(sizes)

    def stretch(number: int) -> Partial:
        def push(dx: Array, y: Array, *_: Array) -> Array:
            dy = np.zeros_like(y)
            np.moveaxis(dy, axis, 0)[ends[number] - sizes[number] : ends[number]] = np.moveaxis(dx, axis, 0)
            return dy

        return Partial(push=push, pull=lambda dy, y, *_: np.split(dy, ends[:-1], axis=axis)[number])

    partials = tuple(stretch(number) for number in range(len(parts)))
    return Operation(name="concatenate", value=lambda *xs: np.concatenate(xs, axis=axis), partials=partials)(*parts)


def log_softmax(z: Any) -> Any:
    """Along the last axis, by the stable form."""
    partial = Partial(
        push=lambda dz, y, z: dz - (np.exp(y) * dz).sum(-1, keepdims=True),
        pull=lambda dy, y, z: dy - np.exp(y) * dy.sum(-1, keepdims=True),
    )
    return Operation(name="log_softmax", value=stable_log_softmax, partials=(partial,))(z)


def cross_entropy(logits_BK: Any, labels_B: np.ndarray) -> Any:
    """Mean over the batch of -log softmax at the label."""
    return -mean(pick(log_softmax(logits_BK), (np.arange(len(labels_B)), labels_B)))


def conv2d(x_BCHW: Any, weight_OIKK: Any, bias_O: Any, *, window: Window, groups: int = 1) -> Any:
    """`convolution.conv2d`."""

    def correlate(x: Array, weight: Array) -> Array:
        return convolution.correlate(x, weight, window=window, groups=groups)

    to_x = Partial(
        push=lambda dx, y, x, w: correlate(dx, w),
        pull=lambda dy, y, x, w: convolution.spread(dy, w, window=window, size=x.shape[2:], groups=groups),
    )
    to_weight = Partial(
        push=lambda dw, y, x, w: correlate(x, dw),
        pull=lambda dy, y, x, w: convolution.weight_gradient(dy, x, window=window, groups=groups),
    )
    sums = Operation(name="correlate", value=correlate, partials=(to_x, to_weight))(x_BCHW, weight_OIKK)
    return sums + reshape(bias_O, (1, -1, 1, 1))


def linear(x_BI: Any, weight_OI: Any, bias_O: Any) -> Any:
    """`linear.linear` of a batch of rows."""
    return x_BI @ transpose(weight_OI, (1, 0)) + bias_O


def max_pool2d(x_BCHW: Any, *, window: Window) -> Any:
    """`pooling.max_pool2d`. Pushed along, each output moves as the value does that it was taken from."""

    def push(dx: Array, y: Array, x: Array) -> Array:
        winner = np.argmax([grid for _, _, grid in window.taps(x, fill=-np.inf)], axis=0)
        moved = np.stack([grid for _, _, grid in window.taps(dx, fill=0)])
        return np.take_along_axis(moved, winner[None], axis=0)[0]

    pull = lambda dy, y, x: pooling.max_pool2d_backward(dy, x, window)  # noqa: E731
    partial = Partial(push=push, pull=pull)
    return Operation(name="max_pool2d", value=lambda x: pooling.max_pool2d(x, window), partials=(partial,))(x_BCHW)


def average_pool2d(x_BCHW: Any, *, window: Window) -> Any:
    """`pooling.average_pool2d`."""
    return _linear(
        "average_pool2d",
        lambda x: pooling.average_pool2d(x, window),
        lambda dy, x: pooling.average_pool2d_backward(dy, x, window),
    )(x_BCHW)


def batch_norm(x_BC: Any, gain_C: Any, shift_C: Any, *, eps: float = 1e-5) -> Any:
    """`normalization.batch_norm` spelled out in sums and products: the chain rule finds its gradient by itself."""
    ndim = len(np.shape(x_BC))
    axes, per_channel = (0, *range(2, ndim)), (1, -1, *[1] * (ndim - 2))
    centred = x_BC - mean(x_BC, axes, keep=True)
    unit = centred / sqrt(mean(centred * centred, axes, keep=True) + eps)
    return reshape(gain_C, per_channel) * unit + reshape(shift_C, per_channel)


def _linear(name: str, forward: Any, transposed: Any) -> Operation:
    """An operation of one input that is its own derivative."""
    partial = Partial(push=lambda dx, y, x: forward(dx), pull=lambda dy, y, x: transposed(dy, x))
    return Operation(name=name, value=forward, partials=(partial,))
