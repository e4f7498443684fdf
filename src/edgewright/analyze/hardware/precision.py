"""How few bits the activations that a layer reads can have: measured on images, one layer at a time."""

from __future__ import annotations

import math

import torch
from torch import nn

from ...errors import BudgetError, ConfigError
from ...model.quantized import affine_spec
from .products import watch_layers


def needed_bits(
    net: nn.Module, images_BCHW: torch.Tensor, *, min_sqnr_db: float = 40.0, most: int = 16
) -> dict[str, int]:
    """The smallest precision of each layer's input that keeps its output's signal-to-noise ratio.

    The input is rounded to the affine grid over its own smallest and largest value in these images; weights, and all
    other layers, stay as they are. Errors of several layers add up in the network, which this does not see: test the
    network with the answer. `bit_serial` takes the result as `bits`.

    Args:
        net: a model, captured or not, in float.
        images_BCHW: on which to measure.
        min_sqnr_db: 10 log10(sum y^2 / sum (y - y')^2) of each layer's output y is at least this.
        most: the largest precision to try.

    Returns:
        Bits by the layer's path, convolutions and linear layers in the order of execution. A layer that is called
        several times has the largest of its needs.

    Raises:
        BudgetError: a layer needs more than `most` bits.
        ConfigError: the ratio is not finite, or `most` is not from 1 to 24.
        ShapeError: the images do not have the shape that the model was captured for.
    """
    if not math.isfinite(min_sqnr_db):
        raise ConfigError(f"min_sqnr_db is a finite number of decibels, got {min_sqnr_db}.")
    if not 1 <= most <= 24:  # float32 holds integers of 24 bits
        raise ConfigError(f"most is a precision from 1 to 24 bits, got {most}.")
    found: dict[str, int] = {}

    def see(path: str, layer: nn.Module, x: torch.Tensor) -> None:
        bits = _smallest(layer, x, min_sqnr_db, most)
        if bits is None:
            raise BudgetError(
                f"Layer '{path}' keeps less than {min_sqnr_db:g} dB at {most} bits: ask for a lower ratio, "
                "or allow more bits."
            )
        found[path] = max(bits, found.get(path, 0))

    watch_layers(net, images_BCHW, see)
    return found


def _smallest(layer: nn.Module, x: torch.Tensor, min_sqnr_db: float, most: int) -> int | None:
    exact = layer(x)
    tries = range(1, most + 1)
    return next((bits for bits in tries if sqnr_db(exact, layer(rounded(x, bits))) >= min_sqnr_db), None)


def rounded(x: torch.Tensor, bits: int) -> torch.Tensor:
    """`x` on the affine grid of 2**bits values over its own range, which is widened to hold 0."""
    spec = affine_spec(x.min().item(), x.max().item(), bits=bits, signed=False)
    scale, zero_point = spec.scale[0], spec.zero_point[0]
    codes = x.div(scale).round_().add_(zero_point).clamp_(spec.low, spec.high)
    return codes.sub_(zero_point).mul_(scale)


def sqnr_db(exact: torch.Tensor, other: torch.Tensor) -> float:
    """Signal-to-noise ratio in decibels; infinite where there is no difference."""
    signal, noise = exact.double().square().sum().item(), (exact - other).double().square().sum().item()
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal else -math.inf
