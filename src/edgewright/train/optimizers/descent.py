"""Gradient descent with and without momentum: one rate for all, or one per tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from ...errors import ConfigError
from ..groups import Groups
from ..spelling import POSITIVE, check


@dataclass(frozen=True, kw_only=True)
class Sgd:
    """Stochastic gradient descent, with Nesterov's momentum where the momentum is not 0.

    Source: Robbins and Monro 1951; Sutskever 2013 (the form of the momentum).
    """

    uses_momentum: ClassVar[bool] = True

    def __call__(self, groups: Groups, lr: float, momentum: float) -> torch.optim.Optimizer:
        return torch.optim.SGD(groups, lr=lr, momentum=momentum, nesterov=momentum > 0)


@dataclass(frozen=True, kw_only=True)
class Momentum:
    """The heavy ball: v = m v + g; w -= lr v. Source: Polyak 1964."""

    uses_momentum: ClassVar[bool] = True

    def __call__(self, groups: Groups, lr: float, momentum: float) -> torch.optim.Optimizer:
        _need_momentum("momentum", momentum)
        return torch.optim.SGD(groups, lr=lr, momentum=momentum)


@dataclass(frozen=True, kw_only=True)
class Nesterov:
    """v = m v + g; w -= lr (g + m v). Source: Nesterov 1983; Sutskever 2013."""

    uses_momentum: ClassVar[bool] = True

    def __call__(self, groups: Groups, lr: float, momentum: float) -> torch.optim.Optimizer:
        _need_momentum("nesterov", momentum)
        return torch.optim.SGD(groups, lr=lr, momentum=momentum, nesterov=True)


@dataclass(frozen=True, kw_only=True)
class Lars:
    """Momentum with a rate per tensor: eta |w| / (|g| + decay |w|). Norms and biases keep the plain rate.

    Source: You 2017, arXiv:1708.03888.
    """

    eta: float = 0.001
    uses_momentum: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check(self, {"eta": POSITIVE})

    def __call__(self, groups: Groups, lr: float, momentum: float) -> torch.optim.Optimizer:
        from timm.optim import Lars as Adapted

        return Adapted(adapted(groups), lr=lr, momentum=momentum, trust_coeff=self.eta)


def adapted(groups: Groups) -> Groups:
    """timm adapts the rate of a tensor where it decays it: ask for it on kernels and matrices without decay too."""
    return [{**group, "always_adapt": all(each.dim() > 1 for each in group["params"])} for group in groups]


def _need_momentum(name: str, momentum: float) -> None:
    if momentum == 0:
        raise ConfigError(f"The optimizer '{name}' needs a momentum in (0, 1), got 0: take sgd for none.")
