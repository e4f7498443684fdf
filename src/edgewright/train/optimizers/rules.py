"""The optimizers by name: PyTorch's and timm's, each with the options that are its own.

Learning rate, momentum (Adam's first beta) and weight decay are settings of the training, not of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch

from ..groups import Groups
from ..spelling import COUNT, POSITIVE, check
from .adaptive import Adafactor, AdafactorRelative, Adagrad, Adam, AdamW, Amsgrad, Lamb, NAdam, RAdam, RmsProp
from .descent import Lars, Momentum, Nesterov, Sgd
from .switch import AdamToSgd


class Rule(Protocol):
    """Settings of an optimizer, which makes it when called.

    `uses_momentum`: the training's; the others have none, or an option of their own.
    """

    uses_momentum: ClassVar[bool]

    def __call__(self, groups: Groups, lr: float, momentum: float) -> torch.optim.Optimizer: ...


@dataclass(frozen=True, kw_only=True)
class AdamThenSgd:
    """Adam until the end of epoch `epoch`, then SGD with momentum at `sgd_lr`.

    None: at the rate that projects Adam's last steps on the gradient, as SWATS finds it, so that the loss goes on
    without a jump.
    """

    epoch: int = 10
    sgd_lr: float | None = None
    uses_momentum: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check(self, {"epoch": COUNT, "sgd_lr": POSITIVE})

    def __call__(self, groups: Groups, lr: float, momentum: float) -> torch.optim.Optimizer:
        return AdamToSgd(groups, lr=lr, momentum=momentum, after_epoch=self.epoch, sgd_lr=self.sgd_lr)


@dataclass(frozen=True, kw_only=True)
class AdamThenSgdPlateau:
    """Adam until the score has not risen for `patience` epochs, then SGD with momentum; `sgd_lr` as adam-to-sgd."""

    patience: int = 3
    sgd_lr: float | None = None
    uses_momentum: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check(self, {"patience": COUNT, "sgd_lr": POSITIVE})

    def __call__(self, groups: Groups, lr: float, momentum: float) -> torch.optim.Optimizer:
        return AdamToSgd(groups, lr=lr, momentum=momentum, patience=self.patience, sgd_lr=self.sgd_lr)


@dataclass(frozen=True, kw_only=True)
class Swats:
    """Adam until the projected rate of SGD stops changing: its bias-corrected mean lies within `tolerance` of it.

    Source: Keskar and Socher 2017, arXiv:1712.07628, algorithm 1.
    """

    tolerance: float = 1e-9
    uses_momentum: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check(self, {"tolerance": POSITIVE})

    def __call__(self, groups: Groups, lr: float, momentum: float) -> torch.optim.Optimizer:
        return AdamToSgd(groups, lr=lr, momentum=momentum, tolerance=self.tolerance)


OPTIMIZERS: Mapping[str, type[Rule]] = {
    "sgd": Sgd,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "adagrad": Adagrad,
    "rmsprop": RmsProp,
    "adam": Adam,
    "amsgrad": Amsgrad,
    "adamw": AdamW,
    "nadam": NAdam,
    "radam": RAdam,
    "adafactor": Adafactor,
    "adafactor-relative": AdafactorRelative,
    "lars": Lars,
    "lamb": Lamb,
    "adam-to-sgd": AdamThenSgd,
    "adam-to-sgd-plateau": AdamThenSgdPlateau,
    "swats": Swats,
}
