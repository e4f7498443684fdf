"""The distribution from which classes are drawn instead of summing over all of them.

Axes: K classes, S draws.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from ...errors import ConfigError


class Noise(nn.Module):
    """Classes drawn with replacement by their probabilities; one draw costs log K comparisons.

    Probabilities are buffers, so they travel and are stored with the model that uses them.
    """

    log_probability_K: torch.Tensor
    cumulative_K: torch.Tensor

    def __init__(self, probability_K: torch.Tensor) -> None:
        """Of any positive numbers in the ratio of the probabilities.

        Raises:
            ConfigError: fewer than 2 classes, or a number that is not above 0: such a class would never be drawn, and
                the correction for its rarity would be infinite.
        """
        super().__init__()
        shares_K = torch.as_tensor(probability_K, dtype=torch.float64)
        if shares_K.dim() != 1 or len(shares_K) < 2 or not bool((shares_K > 0).all() and shares_K.isfinite().all()):
            raise ConfigError(
                "Noise needs a probability above 0 for each of 2 classes or more: give a class that was never seen a "
                "count of 1."
            )
        shares_K = shares_K / shares_K.sum()
        self.register_buffer("log_probability_K", shares_K.log().float())
        self.register_buffer("cumulative_K", shares_K.cumsum(0))

    @property
    def num_classes(self) -> int:
        return len(self.cumulative_K)

    def draw(self, num: int, *, generator: torch.Generator | None = None) -> torch.Tensor:
        """Class ids int64 (S,), on the device of the buffers.

        Args:
            generator: of the CPU; None draws from torch's own, which the training loop seeds for each epoch.
        """
        points_S = torch.rand(num, generator=generator, dtype=torch.float64).to(self.cumulative_K.device)
        # the last sum may round to less than 1: what falls behind it belongs to the last class
        return torch.searchsorted(self.cumulative_K, points_S, right=True).clamp_max(self.num_classes - 1)


def uniform(num_classes: int) -> Noise:
    """Every class alike."""
    return Noise(torch.ones(max(0, num_classes)))


def log_uniform(num_classes: int) -> Noise:
    """`log((k + 2) / (k + 1)) / log(K + 1)`: about Zipf's law, for classes numbered from the most frequent."""
    return Noise(torch.log1p(1 / torch.arange(1, num_classes + 1, dtype=torch.float64)) / math.log(num_classes + 1))


def unigram(counts_K: torch.Tensor, *, power: float = 1.0) -> Noise:
    """As often as each class was seen, to a power: 0.75 draws rare ones more often (Mikolov 2013, section 2.2)."""
    return Noise(torch.as_tensor(counts_K, dtype=torch.float64) ** power)
