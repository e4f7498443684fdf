"""Few classes that come often, and many that come rarely in smaller rooms. Axes: B samples, D features, K classes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from ...errors import ConfigError
from ...seeding import torch_generator


class AdaptiveHead(nn.Module):
    """PyTorch's adaptive softmax behind the interface of the other heads.

    The classes before the first cut-off share one softmax with one entry per cluster of the rest; cluster i has its
    features projected to D / div^i.

    Source: Grave 2017, Efficient softmax approximation for GPUs.
    """

    def __init__(
        self, dim: int, num_classes: int, *, cutoffs: Sequence[int], div_value: float = 4.0, seed: int = 0
    ) -> None:
        """
        Args:
            dim: D, features of a sample.
            num_classes: K; classes are numbered from the most frequent one.
            cutoffs: ascending class ids below K at which clusters begin.
            div_value: by which each cluster divides the features of the one before.
            seed: of the initial weights.

        Raises:
            ConfigError: cut-offs that are not ascending and below K, or more of them than the features allow.
        """
        super().__init__()
        ends = [0, *cutoffs, num_classes]
        if not cutoffs or any(second <= first for first, second in pairwise(ends)):
            raise ConfigError(
                f"The cut-offs of an adaptive softmax ascend from 1 to below its {num_classes} classes, got "
                f"{list(cutoffs)}."
            )
        if dim < div_value ** len(cutoffs):
            raise ConfigError(
                f"{len(cutoffs)} cut-offs at a div_value of {div_value:g} leave the last cluster less than 1 of {dim} "
                "features: use fewer cut-offs or a smaller div_value."
            )
        # PyTorch draws from the global generator: these weights are drawn again below
        self.softmax = nn.utils.skip_init(
            nn.AdaptiveLogSoftmaxWithLoss, dim, num_classes, cutoffs=list(cutoffs), div_value=div_value
        )
        generator = torch_generator(seed, "losses.head")
        for weight in self.softmax.parameters():
            bound = weight.shape[1] ** -0.5
            nn.init.uniform_(weight, -bound, bound, generator=generator)

    def forward(self, features_BD: torch.Tensor) -> torch.Tensor:
        """Log-probabilities (B, K), which sum to 1."""
        return self.softmax.log_prob(features_BD)

    def loss(
        self, features_BD: torch.Tensor, targets_B: torch.Tensor, *, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        """Minus the log-probability of the targets, int64 (B,), mean over the batch, in nats; nothing is drawn."""
        return self.softmax(features_BD, targets_B).loss
