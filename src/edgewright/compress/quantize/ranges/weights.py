"""Scales of weights, one per output channel: they are at hand as a whole, so no observation is needed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from ....errors import ConfigError
from ....model.quantized import QUANTIZED
from .aciq import EQUALLY_LIKELY, grid_optimum

COARSE = [step / 40 for step in range(40, 0, -1)]  # shares of a channel's largest weight that are tried
FINE = [step / 320 for step in range(-8, 9)]  # then around the best one

# What an error costs beside its square, measured on CIFAR-10 ResNets: a filter that shrinks does so in each layer, and
# the losses add up with the depth where other errors average out; a sum of errors meets inputs whose mean is not 0.
GAIN_WEIGHT = 32.0
MEAN_WEIGHT = 0.5  # mean**2 / variance of a rectified Gaussian is .47

Cost = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # weights (C, N), what they round to -> cost (C,)


def whole_channel(weight_CN: torch.Tensor, bits: int) -> torch.Tensor:
    """The largest magnitude of each channel: nothing is clipped."""
    return weight_CN.abs().amax(1)


def squared_error(weight_CN: torch.Tensor, rounded_CN: torch.Tensor) -> torch.Tensor:
    """Mean squared error of the rounded weights, one per channel."""
    return (rounded_CN - weight_CN).pow_(2).mean(1)


def weighed_error(weight_CN: torch.Tensor, rounded_CN: torch.Tensor) -> torch.Tensor:
    """Mean squared error, of which the part along the weights and the sum count more, one per channel."""
    error_CN = rounded_CN - weight_CN
    along_C = (error_CN * weight_CN).sum(1).pow(2) / weight_CN.pow(2).sum(1).clamp(min=1e-30)
    total_C = error_CN.pow(2).sum(1) + GAIN_WEIGHT * along_C + MEAN_WEIGHT * error_CN.sum(1).pow(2)
    return total_C / weight_CN.shape[1]


def least_error(weight_CN: torch.Tensor, bits: int) -> torch.Tensor:
    """The clip of least squared error of each channel."""
    return _search(weight_CN, bits, squared_error)


def kept_gain(weight_CN: torch.Tensor, bits: int) -> torch.Tensor:
    """The clip of least `weighed_error` of each channel.

    The rounding of least squared error shrinks what it rounds (its error is orthogonal to the rounded weights, not to
    the weights): Gaussian ones by 1.3 % a layer at 4 bits and 4.7 % at 3, which 20 layers make 23 and 62 %.
    """
    return _search(weight_CN, bits, weighed_error)


def _search(weight_CN: torch.Tensor, bits: int, cost: Cost) -> torch.Tensor:
    """The clip of least cost of each channel: clips are tried one after another, for all channels at once."""
    largest_C = whole_channel(weight_CN, bits)
    share_C, cost_C = torch.ones_like(largest_C), torch.full_like(largest_C, torch.inf)
    for shares in (COARSE, FINE):
        center_C = share_C if shares is FINE else torch.zeros_like(largest_C)
        for share in shares:
            tried_C = (center_C + share).clamp(FINE[-1] / 8, 1)
            rounded_CN = rounded(weight_CN, clip_scales(largest_C * tried_C, bits=bits), bits=bits)
            new_C = cost(weight_CN, rounded_CN)
            wins_C = new_C < cost_C
            share_C, cost_C = torch.where(wins_C, tried_C, share_C), torch.where(wins_C, new_C, cost_C)
    return largest_C * share_C


def analytic(weight_CN: torch.Tensor, bits: int) -> torch.Tensor:
    """The optimum of the symmetric grid for the Gauss or Laplace distribution that fits each channel, around 0.

    Not wider than the weights. Source: Banner et al. 2019; the optimum is that of the real grid, see `aciq`.
    """
    sigma_C, b_C = weight_CN.pow(2).mean(1).sqrt(), weight_CN.abs().mean(1)
    gauss_C, laplace_C = sigma_C * grid_optimum("gauss", bits=bits), b_C * grid_optimum("laplace", bits=bits)
    reach_C = torch.where(b_C < EQUALLY_LIKELY * sigma_C, laplace_C, gauss_C)
    return torch.minimum(reach_C, whole_channel(weight_CN, bits))


WeightMethod = Callable[[torch.Tensor, int], torch.Tensor]
WEIGHT_METHODS: dict[str, WeightMethod] = {
    "minmax": whole_channel,
    "mse": least_error,
    "gain": kept_gain,
    "aciq": analytic,
}


def weight_scales(layer: nn.Module, *, bits: int = 8, method: str = "minmax") -> torch.Tensor:
    """Scales of a layer's weights, float32, one per output channel; a channel of zeros gets 1.

    Args:
        layer: convolution, transposed convolution or linear layer with float weights.
        method: "minmax" (nothing clipped), "mse" (least squared error; some 60 roundings of the weights), "gain" (the
            same, but no filter shrinks: best below 6 bits), "aciq" (least expected error for a Gauss or Laplace
            distribution).

    Raises:
        ConfigError: there is no such method.
    """
    if method not in WEIGHT_METHODS:
        raise ConfigError(f"Weight ranges are found by {', '.join(WEIGHT_METHODS)}, got '{method}'.")
    axis: int = QUANTIZED[type(layer)].weight_axis  # type: ignore[attr-defined, assignment]
    weight_CN = layer.weight.detach().transpose(0, axis).flatten(1)  # type: ignore[union-attr, operator]
    return clip_scales(WEIGHT_METHODS[method](weight_CN, bits), bits=bits)


def clip_scales(largest_C: torch.Tensor, *, bits: int) -> torch.Tensor:
    """The scales with which the largest code stands for `largest_C`."""
    scale_C = largest_C / (2 ** (bits - 1) - 1)
    return torch.where(scale_C > 0, scale_C, torch.ones_like(scale_C))


def rounded(weight_CN: torch.Tensor, scale_C: torch.Tensor, *, bits: int) -> torch.Tensor:
    """The weights on the grid of each channel."""
    top, scale_C1 = 2 ** (bits - 1) - 1, scale_C[:, None]
    return weight_CN.div(scale_C1).round_().clamp_(-top, top).mul_(scale_C1)
