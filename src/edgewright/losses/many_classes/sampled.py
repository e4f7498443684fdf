"""Losses that look at the true class and at a few drawn ones instead of at all.

Axes: B samples, D features, K classes, S draws, which the whole batch shares.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from ...errors import ConfigError
from ...seeding import torch_generator
from .noise import Noise, uniform


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn:
    """Logits of the true class and of the drawn ones, and how often S draws find each of them on average."""

    true_B: torch.Tensor
    drawn_BS: torch.Tensor
    log_expected_true_B: torch.Tensor  # log(S * probability)
    log_expected_S: torch.Tensor
    hits_BS: torch.Tensor  # where the draw is the sample's own class


def sampled_softmax_loss(drawn: Drawn) -> torch.Tensor:
    """Cross-entropy whose sum over all classes is estimated from the draws; mean over the batch, in nats.

    The true class counts once, as it is. Each other draw stands for 1 / (S q) classes like it, so its logit is less
    log(S q); a draw of the true class counts for nothing. The estimate of the sum is unbiased, its logarithm and
    therefore the loss only as S grows. Without the correction frequent classes would be pushed down for being drawn.

    Source: Jean 2015, On Using Very Large Target Vocabulary, section 3; Bengio and Senecal 2008.
    """
    corrected_BS = (drawn.drawn_BS - drawn.log_expected_S).masked_fill(drawn.hits_BS, -torch.inf)
    logits_BS1 = torch.cat([drawn.true_B[:, None], corrected_BS], dim=1)
    return (logits_BS1.logsumexp(dim=1) - drawn.true_B).mean()


def nce_loss(drawn: Drawn) -> torch.Tensor:
    """Telling the true class from S draws of noise by logits less log(S q): noise-contrastive estimation, in nats.

    Mean over samples of the sum over their 1 + S decisions. At its optimum a logit is the log-probability of its
    class, normalized without ever having summed over the classes.

    Source: Gutmann and Hyvarinen 2010, Noise-Contrastive Estimation; Mnih and Teh 2012.
    """
    return _told_apart(drawn.true_B - drawn.log_expected_true_B, drawn.drawn_BS - drawn.log_expected_S)


def negative_sampling_loss(drawn: Drawn) -> torch.Tensor:
    """Telling the true class from S draws of noise by the logits as they are, in nats.

    Mean over samples of the sum over their 1 + S decisions. At its optimum a logit is the log-probability of its
    class less log(S q): good embeddings, and no probabilities.

    Source: Mikolov 2013, Distributed Representations of Words and Phrases, section 2.2.
    """
    return _told_apart(drawn.true_B, drawn.drawn_BS)


def _told_apart(true_B: torch.Tensor, drawn_BS: torch.Tensor) -> torch.Tensor:
    return -(functional.logsigmoid(true_B) + functional.logsigmoid(-drawn_BS).sum(dim=1)).mean()


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """A loss on draws, and whether its logits are less log(S q) at the optimum."""

    loss: Callable[[Drawn], torch.Tensor]
    less_noise: bool = False


SAMPLED: Mapping[str, Sampled] = {
    "sampled": Sampled(loss=sampled_softmax_loss),
    "nce": Sampled(loss=nce_loss),
    "negative": Sampled(loss=negative_sampling_loss, less_noise=True),
}


class SampledHead(nn.Module):
    """A linear layer over K classes that is trained on S drawn classes a step, and decides among all of them.

    A training step reads B + S rows of the K; `forward` reads all.
    """

    def __init__(
        self, dim: int, num_classes: int, *, loss: str = "sampled", num_drawn: int = 64, noise: Noise | None = None,
        seed: int = 0,
    ) -> None:  # fmt: skip
        """
        Args:
            dim: D, features of a sample.
            num_classes: K.
            loss: "sampled" softmax, "nce" or "negative" sampling.
            num_drawn: S, draws a step.
            noise: what is drawn from; None draws every class alike.
            seed: of the initial weights.

        Raises:
            ConfigError: an unknown loss, no draws, or noise over another number of classes.
        """
        super().__init__()
        if loss not in SAMPLED:
            raise ConfigError(f"The loss on drawn classes is one of {', '.join(SAMPLED)}, got '{loss}'.")
        if num_drawn < 1:
            raise ConfigError(f"At least 1 class is drawn a step, got {num_drawn}.")
        self.noise = uniform(num_classes) if noise is None else noise
        if self.noise.num_classes != num_classes:
            raise ConfigError(f"The noise is over {self.noise.num_classes} classes and the head over {num_classes}.")
        self.kind, self.num_drawn = loss, num_drawn
        self.weight_KD, self.bias_K = linear_weights(dim, num_classes, seed=seed)
        if loss == "nce":  # probabilities sum to about 1 from the start, where the binary decisions learn fastest
            nn.init.constant_(self.bias_K, -math.log(num_classes))

    def forward(self, features_BD: torch.Tensor) -> torch.Tensor:
        """Logits (B, K): up to a constant per sample the log-probabilities."""
        logits_BK = functional.linear(features_BD, self.weight_KD, self.bias_K)
        return logits_BK + self.noise.log_probability_K if SAMPLED[self.kind].less_noise else logits_BK

    def loss(
        self, features_BD: torch.Tensor, targets_B: torch.Tensor, *, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        """The loss on one draw, a scalar.

        Args:
            features_BD: one row per sample.
            targets_B: class ids in [0, K), int64.
            generator: of the draw; None draws from torch's own, which the training loop seeds for each epoch.
        """
        drawn_S = self.noise.draw(self.num_drawn, generator=generator)
        log_expected_K = self.noise.log_probability_K + math.log(self.num_drawn)
        return SAMPLED[self.kind].loss(
            Drawn(
                true_B=(features_BD * self.weight_KD[targets_B]).sum(dim=1) + self.bias_K[targets_B],
                drawn_BS=functional.linear(features_BD, self.weight_KD[drawn_S], self.bias_K[drawn_S]),
                log_expected_true_B=log_expected_K[targets_B],
                log_expected_S=log_expected_K[drawn_S],
                hits_BS=targets_B[:, None] == drawn_S[None, :],
            )
        )


class FullHead(nn.Module):
    """The linear layer and the whole softmax: what the others are measured against."""

    def __init__(self, dim: int, num_classes: int, *, seed: int = 0) -> None:
        super().__init__()
        self.weight_KD, self.bias_K = linear_weights(dim, num_classes, seed=seed)

    def forward(self, features_BD: torch.Tensor) -> torch.Tensor:
        """Logits (B, K)."""
        return functional.linear(features_BD, self.weight_KD, self.bias_K)

    def loss(
        self, features_BD: torch.Tensor, targets_B: torch.Tensor, *, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        """Cross-entropy, mean over the batch, in nats; nothing is drawn."""
        return functional.cross_entropy(self(features_BD), targets_B)


def linear_weights(dim: int, num_rows: int, *, seed: int) -> tuple[nn.Parameter, nn.Parameter]:
    """Weights (rows, D), uniform in +-1 / sqrt(D) as PyTorch draws them, and biases 0.

    Raises:
        ConfigError: a size below 1.
    """
    if dim < 1 or num_rows < 1:
        raise ConfigError(f"A head over classes needs 1 feature and 2 classes or more, got {dim} and {num_rows}.")
    bound = dim**-0.5
    weight = torch.empty(num_rows, dim).uniform_(-bound, bound, generator=torch_generator(seed, "losses.head"))
    return nn.Parameter(weight), nn.Parameter(torch.zeros(num_rows))
