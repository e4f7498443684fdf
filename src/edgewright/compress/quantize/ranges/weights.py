"""Scales of weights, one per output channel: they are at hand as a whole, so no observation is needed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from ....errors import ConfigError
from ....model.quantized import QUANTIZED
from .aciq import EQUALLY_LIKELY, grid_optimum

COARSE = torch.arange(40, 0, -1) / 40  # shares of a channel's largest weight that are tried
FINE = torch.linspace(-1, 1, 17) / 40  # then around the best one


def whole_channel(weight_CN: torch.Tensor, bits: int) -> torch.Tensor:
    """The largest magnitude of each channel: nothing is clipped."""
    return weight_CN.abs().amax(1)


def least_error(weight_CN: torch.Tensor, bits: int) -> torch.Tensor:
    """The clip of least squared error of each channel; clips are tried one after another, for all channels at once."""
    largest_C = whole_channel(weight_CN, bits)
    share_C, error_C = torch.ones_like(largest_C), torch.full_like(largest_C, torch.inf)
    for shares_C in [each.expand_as(largest_C) for each in COARSE]:
        share_C, error_C = _better(weight_CN, largest_C, bits, (share_C, error_C), shares_C)
    center_C = share_C
    for shift in FINE:
        shares_C = (center_C + shift).clamp(1 / 320, 1)
        share_C, error_C = _better(weight_CN, largest_C, bits, (share_C, error_C), shares_C)
    return largest_C * share_C


def _better(
    weight_CN: torch.Tensor, largest_C: torch.Tensor, bits: int, best: tuple[torch.Tensor, torch.Tensor],
    share_C: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
    """Shares and errors of the better of two clips, channel by channel; the older one on a tie."""
    error_C = squared_error(weight_CN, clip_scales(largest_C * share_C, bits=bits), bits=bits)
    wins_C = error_C < best[1]
    return torch.where(wins_C, share_C, best[0]), torch.where(wins_C, error_C, best[1])


def analytic(weight_CN: torch.Tensor, bits: int) -> torch.Tensor:
    """The optimum of the symmetric grid for the Gauss or Laplace distribution that fits each channel, around 0.

    Not wider than the weights. Source: Banner et al. 2019; the optimum is that of the real grid, see `aciq`.
    """
    sigma_C, b_C = weight_CN.pow(2).mean(1).sqrt(), weight_CN.abs().mean(1)
    gauss_C, laplace_C = sigma_C * grid_optimum("gauss", bits=bits), b_C * grid_optimum("laplace", bits=bits)
    reach_C = torch.where(b_C < EQUALLY_LIKELY * sigma_C, laplace_C, gauss_C)
    return torch.minimum(reach_C, whole_channel(weight_CN, bits))


WeightMethod = Callable[[torch.Tensor, int], torch.Tensor]
WEIGHT_METHODS: dict[str, WeightMethod] = {"minmax": whole_channel, "mse": least_error, "aciq": analytic}


def weight_scales(layer: nn.Module, *, bits: int = 8, method: str = "minmax") -> torch.Tensor:
    """Scales of a layer's weights, float32, one per output channel; a channel of zeros gets 1.

    Args:
        layer: convolution, transposed convolution or linear layer with float weights.
        method: "minmax" (nothing clipped), "mse" (least squared error, best below 8 bits; some 60 roundings of the
            weights), "aciq" (least expected error for a Gauss or Laplace distribution).

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


def squared_error(weight_CN: torch.Tensor, scale_C: torch.Tensor, *, bits: int) -> torch.Tensor:
    """Mean squared error of the rounded weights, one per channel."""
    top, scale_C1 = 2 ** (bits - 1) - 1, scale_C[:, None]
    rounded_CN = weight_CN.div(scale_C1).round_().clamp_(-top, top).mul_(scale_C1)
    return rounded_CN.sub_(weight_CN).pow_(2).mean(1)
