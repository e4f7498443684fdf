"""Normalization: one formula over four choices of axes.

    x̂ = (x - mean) / sqrt(var + eps)        y = gain x̂ + shift

    batch     over samples and places, each channel for itself     depends on the other samples while it trains
    layer     over the features of one sample                      the same in training and inference
    instance  over the places, each sample and channel for itself
    group     over places and the channels of one group            1 group: layer over C, H, W; C groups: instance

var is the biased variance, a mean of squares: with the unbiased one every output would shrink by sqrt((n - 1) / n), and
a single value would give NaN. What leaves has mean 0 and variance 1, not a normal distribution.

    dx = gain / sqrt(var + eps) · (dy - mean(dy) - x̂ mean(dy x̂))       means over the same axes

The two means are what x did to the mean and to the variance: dx has no part along 1 and (but for eps) none along x̂.

Sources: Ioffe and Szegedy 2015 (batch), Ba 2016 (layer), Ulyanov 2016 (instance), Wu and He 2018 (group).
Axes: B batch, C channels, then any number of places; F features of a layer norm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Standardized:
    """What the backward pass needs: x̂, 1 / sqrt(var + eps), and the axes that the statistics are over."""

    unit: np.ndarray
    inverse: np.ndarray
    axes: tuple[int, ...]


Normalized = tuple[np.ndarray, Standardized]
Gradients = tuple[np.ndarray, np.ndarray, np.ndarray]


def standardize(x: np.ndarray, axes: tuple[int, ...], *, eps: float = 1e-5) -> Standardized:
    """x̂ over `axes`."""
    centred = x - x.mean(axes, keepdims=True)
    inverse = 1 / np.sqrt((centred**2).mean(axes, keepdims=True) + eps)
    return Standardized(unit=centred * inverse, inverse=inverse, axes=axes)


def standardize_backward(dunit: np.ndarray, done: Standardized) -> np.ndarray:
    """dx from the gradient of x̂."""
    along_one = dunit.mean(done.axes, keepdims=True)
    along_unit = (dunit * done.unit).mean(done.axes, keepdims=True)
    return done.inverse * (dunit - along_one - done.unit * along_unit)


def batch_norm(x_BC: np.ndarray, gain_C: np.ndarray, shift_C: np.ndarray, *, eps: float = 1e-5) -> Normalized:
    """By the batch's own statistics: training, and inference too where none were tracked."""
    done = standardize(x_BC, (0, *range(2, x_BC.ndim)), eps=eps)
    return _per_channel(gain_C, x_BC) * done.unit + _per_channel(shift_C, x_BC), done


def batch_norm_backward(dy_BC: np.ndarray, gain_C: np.ndarray, done: Standardized) -> Gradients:
    """Gradients of x, gain and shift."""
    dx_BC = standardize_backward(_per_channel(gain_C, dy_BC) * dy_BC, done)
    return dx_BC, (dy_BC * done.unit).sum(done.axes), dy_BC.sum(done.axes)


def batch_norm_inference(
    x_BC: np.ndarray, gain_C: np.ndarray, shift_C: np.ndarray, running: RunningStatistics, *, eps: float = 1e-5
) -> np.ndarray:
    """By statistics of the past: a fixed scale and shift per channel, whatever else is in the batch."""
    factor_C = gain_C / np.sqrt(running.var_C + eps)
    return _per_channel(factor_C, x_BC) * x_BC + _per_channel(shift_C - running.mean_C * factor_C, x_BC)


@dataclass(frozen=True, kw_only=True)
class RunningStatistics:
    """Moving mean and variance of what a batch norm has seen while it trained: 2 C buffers and a counter.

    The variance that is stored is the unbiased one, although the biased one normalizes.
    """

    mean_C: np.ndarray
    var_C: np.ndarray
    num_batches: int = 0

    def after(self, x_BC: np.ndarray, *, momentum: float | None = 0.1) -> RunningStatistics:
        """One batch later.

        Args:
            momentum: weight of the NEW value (some libraries: of the old one); None: the plain mean over all batches.
        """
        axes = (0, *range(2, x_BC.ndim))
        share = 1 / (self.num_batches + 1) if momentum is None else momentum
        return RunningStatistics(
            mean_C=(1 - share) * self.mean_C + share * x_BC.mean(axes),
            var_C=(1 - share) * self.var_C + share * x_BC.var(axes, ddof=1),
            num_batches=self.num_batches + 1,
        )


def joined_statistics(counts_P: np.ndarray, means_PC: np.ndarray, vars_PC: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and biased variance (C,) of all values of P processes together, from those of each.

    mean = sum of n m / n        var = sum of n (v + m²) / n - mean²

    The mean of the variances would lose the spread of the means: (0, 2) and (10, 12) have variance 1 each, 26 together.
    """
    shares_P1 = (np.asarray(counts_P) / np.sum(counts_P)).reshape(-1, 1)
    mean_C = (shares_P1 * means_PC).sum(0)
    return mean_C, (shares_P1 * (vars_PC + means_PC**2)).sum(0) - mean_C**2


def folded(
    weight_O: np.ndarray, bias_O: np.ndarray, scale: tuple[np.ndarray, np.ndarray], running: RunningStatistics,
    *, eps: float = 1e-5,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Weight and bias of one layer that does what it and the batch norm behind it do in inference.

    W' = W gain / sqrt(var + eps)        b' = (b - mean) gain / sqrt(var + eps) + shift

    A batch norm *before* a layer that pads with zeros cannot be folded exactly: a padded zero is not a shifted zero.

    Args:
        weight_O: its output channels are the first axis.
        scale: gain and shift, (O,) each.

    Source: Jacob 2018, section 3.2.
    """
    gain_O, shift_O = scale
    factor_O = gain_O / np.sqrt(running.var_C + eps)
    weight = weight_O * factor_O.reshape(-1, *[1] * (weight_O.ndim - 1))
    return weight, (bias_O - running.mean_C) * factor_O + shift_O


def layer_norm(x_F: np.ndarray, gain_F: np.ndarray, shift_F: np.ndarray, *, eps: float = 1e-5) -> Normalized:
    """Over the trailing axes that gain and shift have, each position of the leading ones for itself."""
    done = standardize(x_F, tuple(range(x_F.ndim - gain_F.ndim, x_F.ndim)), eps=eps)
    return gain_F * done.unit + shift_F, done


def layer_norm_backward(dy_F: np.ndarray, gain_F: np.ndarray, done: Standardized) -> Gradients:
    """Gradients of x, gain and shift."""
    leading = tuple(range(dy_F.ndim - gain_F.ndim))
    return standardize_backward(gain_F * dy_F, done), (dy_F * done.unit).sum(leading), dy_F.sum(leading)


def group_norm(
    x_BC: np.ndarray, gain_C: np.ndarray, shift_C: np.ndarray, *, groups: int, eps: float = 1e-5
) -> Normalized:
    """Over places and the C / groups channels of each group. `Standardized` keeps the groups as an axis."""
    x_BGC = x_BC.reshape(len(x_BC), groups, -1, *x_BC.shape[2:])
    done = standardize(x_BGC, tuple(range(2, x_BGC.ndim)), eps=eps)
    return _per_channel(gain_C, x_BC) * done.unit.reshape(x_BC.shape) + _per_channel(shift_C, x_BC), done


def group_norm_backward(dy_BC: np.ndarray, gain_C: np.ndarray, done: Standardized) -> Gradients:
    """Gradients of x, gain and shift."""
    axes = (0, *range(2, dy_BC.ndim))
    dunit = (_per_channel(gain_C, dy_BC) * dy_BC).reshape(done.unit.shape)
    dgain_C = (dy_BC * done.unit.reshape(dy_BC.shape)).sum(axes)
    return standardize_backward(dunit, done).reshape(dy_BC.shape), dgain_C, dy_BC.sum(axes)


def instance_norm(x_BC: np.ndarray, gain_C: np.ndarray, shift_C: np.ndarray, *, eps: float = 1e-5) -> Normalized:
    """Every channel a group of its own; `group_norm_backward` is its backward pass."""
    return group_norm(x_BC, gain_C, shift_C, groups=len(gain_C), eps=eps)


def _per_channel(values_C: np.ndarray, like_BC: np.ndarray) -> np.ndarray:
    return values_C.reshape(1, -1, *[1] * (like_BC.ndim - 2))
