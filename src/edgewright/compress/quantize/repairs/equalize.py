"""Cross-layer equalization: weights moved between two layers until both have equal ranges in every channel.

    W2 f(W1 x + b1)  =  (W2 S) f(S^-1 W1 x + S^-1 b1)        f homogeneous, S diagonal and positive

With s = sqrt(r1 / r2), the largest magnitudes r1 (channel of W1) and r2 (the same channel, as W2 reads it) become
equal, and the product of both precisions is the largest possible. Source: Nagel et al. 2019, arXiv:1906.04721, 4.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import fx

from ....errors import ConfigError
from ....model import layer_of, rewrite
from .links import Link, find_links
from .sides import largest_per_input, largest_per_output, scale_inputs, scale_outputs

LARGEST_STEP = 1e4  # a channel that is nearly dead is left small: its noise would be scaled up with it


@dataclass(frozen=True, kw_only=True)
class Equalization:
    """What was equalized.

    Attributes:
        pairs: nodes of the two layers of each link.
        factors: node of a layer -> what each of its output channels was multiplied by, (C_out,), float64.
        refused: node of each other layer -> why nothing behind it could take its scales.
        iterations: rounds over all links.
        change: the largest factor of the last round, 1 when nothing moved any more.
    """

    pairs: tuple[tuple[str, str], ...]
    factors: dict[str, torch.Tensor]
    refused: dict[str, str]
    iterations: int
    change: float


def equalize(
    folded: fx.GraphModule, *, iterations: int = 40, tolerance: float = 1e-3
) -> tuple[fx.GraphModule, Equalization]:
    """A copy of `folded` with the same function and equal ranges on both sides of every link.

    Links in a row (convolution, depthwise convolution, convolution) depend on each other, so rounds are repeated
    until no factor differs from 1 by more than `tolerance`. A clamp with an upper bound ends a link: its bound would
    become another one in each channel, which no quantizer's range can stand for. `loosen_clamps` takes such bounds
    away where the data never reaches them.

    Raises:
        ConfigError: a setting is out of range.
    """
    if iterations < 1 or not tolerance > 0:
        raise ConfigError(
            f"equalize needs at least 1 iteration and a tolerance above 0, got {iterations} and {tolerance}."
        )
    report: list[Equalization] = []

    def edit(changed: fx.GraphModule) -> None:
        links = find_links(changed)
        factors: dict[str, torch.Tensor] = {}
        change, rounds = math.inf, 0
        while links.found and change > 1 + tolerance and rounds < iterations:
            change = max(_balance(changed, link, factors) for link in links.found)
            rounds += 1
        pairs = tuple((link.first.name, link.second.name) for link in links.found)
        change = change if links.found else 1.0
        report.append(
            Equalization(pairs=pairs, factors=factors, refused=links.refused, iterations=rounds, change=change)
        )

    return rewrite(folded, edit).eval(), report[0]


def _balance(net: fx.GraphModule, link: Link, factors: dict[str, torch.Tensor]) -> float:
    """Equalize one link in place; the largest factor, or its inverse if that is larger."""
    first, second = layer_of(net, link.first), layer_of(net, link.second)
    assert first is not None and second is not None
    gives = largest_per_output(first).double()
    takes = largest_per_input(second).double().reshape(-1, link.repeat).amax(1)
    shrink = (gives / takes).sqrt()  # s of the paper: the first layer is divided by it
    usable = (gives > 0) & (takes > 0)
    shrink = torch.where(usable, shrink, torch.ones_like(shrink)).clamp(1 / LARGEST_STEP, LARGEST_STEP)
    scale_outputs(first, 1 / shrink)
    scale_inputs(second, shrink.repeat_interleave(link.repeat))
    factors[link.first.name] = factors.get(link.first.name, torch.ones_like(shrink)) / shrink
    return torch.maximum(shrink, 1 / shrink).max().item()
