"""Rates that follow the size of each weight's gradients: AdaGrad and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from ..groups import Groups
from ..spelling import BELOW_1, COUNT, NOT_NEGATIVE, POSITIVE, check
from .descent import adapted

MOMENTS = {"beta2": BELOW_1, "eps": NOT_NEGATIVE}


@dataclass(frozen=True, kw_only=True)
class Adagrad:
    """w -= lr g / (sqrt(sum g^2) + eps). It uses no momentum. Source: Duchi 2011."""

    eps: float = 1e-10
    uses_momentum: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check(self, {"eps": NOT_NEGATIVE})

    def __call__(self, groups: Groups, lr: float, momentum: float) -> torch.optim.Optimizer:
        return torch.optim.Adagrad(groups, lr=lr, eps=self.eps)


@dataclass(frozen=True, kw_only=True)
class RmsProp:
    """E = beta2 E + (1 - beta2) g^2; w -= lr g / (sqrt(E) + eps). Source: Tieleman and Hinton 2012.

    Its momentum is its own option: the original has none, and m multiplies the long-run step by 1/(1 - m).
    """

    beta2: float = 0.99
    momentum: float = 0.0
    eps: float = 1e-8
    uses_momentum: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check(self, {**MOMENTS, "momentum": BELOW_1})

    def __call__(self, groups: Groups, lr: float, momentum: float) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(groups, lr=lr, alpha=self.beta2, eps=self.eps, momentum=self.momentum)


@dataclass(frozen=True, kw_only=True)
class Adam:
    """w -= lr m^/(sqrt(v^) + eps); weight decay is a term of the gradient, so the scaling takes it back.

    Source: Kingma and Ba 2015.
    """

    beta2: float = 0.999
    eps: float = 1e-8
    uses_momentum: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check(self, MOMENTS)

    def __call__(self, groups: Groups, lr: float, momentum: float) -> torch.optim.Optimizer:
        return torch.optim.Adam(groups, lr=lr, betas=(momentum, self.beta2), eps=self.eps)


@dataclass(frozen=True, kw_only=True)
class Amsgrad:
    """Adam that divides by the largest v^ so far. Source: Reddi 2018."""

    beta2: float = 0.999
    eps: float = 1e-8
    uses_momentum: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check(self, MOMENTS)

    def __call__(self, groups: Groups, lr: float, momentum: float) -> torch.optim.Optimizer:
        return torch.optim.Adam(groups, lr=lr, betas=(momentum, self.beta2), eps=self.eps, amsgrad=True)


@dataclass(frozen=True, kw_only=True)
class AdamW:
    """Adam whose decay stands beside the gradient: w -= lr (decay w + m^/(sqrt(v^) + eps)).

    Source: Loshchilov and Hutter 2019 (there the decay is scaled by the schedule alone, in PyTorch by the rate).
    """

    beta2: float = 0.999
    eps: float = 1e-8
    uses_momentum: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check(self, MOMENTS)

    def __call__(self, groups: Groups, lr: float, momentum: float) -> torch.optim.Optimizer:
        return torch.optim.AdamW(groups, lr=lr, betas=(momentum, self.beta2), eps=self.eps)


@dataclass(frozen=True, kw_only=True)
class NAdam:
    """Adam with Nesterov's look ahead, its momentum growing as 1 - 0.5 0.96^(t decay). Source: Dozat 2016."""

    beta2: float = 0.999
    eps: float = 1e-8
    decay: float = 4e-3
    uses_momentum: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check(self, {**MOMENTS, "decay": NOT_NEGATIVE})

    def __call__(self, groups: Groups, lr: float, momentum: float) -> torch.optim.Optimizer:
        betas = (momentum, self.beta2)
        return torch.optim.NAdam(groups, lr=lr, betas=betas, eps=self.eps, momentum_decay=self.decay)


@dataclass(frozen=True, kw_only=True)
class RAdam:
    """Adam whose scaling waits until its variance is finite (step 6 at beta2 .999). Source: Liu 2020."""

    beta2: float = 0.999
    eps: float = 1e-8
    uses_momentum: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check(self, MOMENTS)

    def __call__(self, groups: Groups, lr: float, momentum: float) -> torch.optim.Optimizer:
        return torch.optim.RAdam(groups, lr=lr, betas=(momentum, self.beta2), eps=self.eps)


@dataclass(frozen=True, kw_only=True)
class Adafactor:
    """Second moments of n rows and m columns instead of n m values; the rate is the schedule's.

    timm's, which factors a convolution over its channels; matrices up to `least` wide are not factored. It has no
    first moment unless `beta1` is given.

    Source: Shazeer and Stern 2018, algorithm 4, without the relative step.
    """

    beta1: float = 0.0
    decay: float = 0.8
    clip: float = 1.0
    least: int = 16
    uses_momentum: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check(self, {"beta1": BELOW_1, "decay": POSITIVE, "clip": POSITIVE, "least": COUNT})

    def __call__(self, groups: Groups, lr: float, momentum: float) -> torch.optim.Optimizer:
        from timm.optim.adafactor import Adafactor as Factored

        betas = (self.beta1, 0.0) if self.beta1 else None  # timm reads the first only
        return Factored(
            groups, lr=lr, decay_rate=-self.decay, clip_threshold=self.clip, betas=betas,
            min_dim_size_to_factor=self.least,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class AdafactorRelative:
    """Adafactor whose step is relative: the size of the weights times min(rate, 1/sqrt(t)).

    PyTorch's, which factors the last two axes: right for matrices, useless for the 3x3 windows of convolutions.

    Source: Shazeer and Stern 2018, algorithm 6.
    """

    decay: float = 0.8
    clip: float = 1.0
    uses_momentum: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check(self, {"decay": POSITIVE, "clip": ("1 or greater", lambda value: value >= 1)})

    def __call__(self, groups: Groups, lr: float, momentum: float) -> torch.optim.Optimizer:
        return torch.optim.Adafactor(groups, lr=lr, beta2_decay=-self.decay, d=self.clip)


@dataclass(frozen=True, kw_only=True)
class Lamb:
    """r = m^/(sqrt(v^) + eps) + decay w; w -= lr |w|/|r| r. Norms and biases take Adam's plain step.

    timm's clipping of the whole gradient to 1 is off: `clip_norm` of the training does that.

    Source: You 2020, arXiv:1904.00962.
    """

    beta2: float = 0.999
    eps: float = 1e-6
    uses_momentum: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check(self, MOMENTS)

    def __call__(self, groups: Groups, lr: float, momentum: float) -> torch.optim.Optimizer:
        from timm.optim import Lamb as Adapted

        return Adapted(
            adapted(groups), lr=lr, betas=(momentum, self.beta2), eps=self.eps, weight_decay=0.0, max_grad_norm=None
        )
