"""From a name to an optimizer over groups of parameters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ...errors import ConfigError, ModelError
from ..groups import Groups, parameter_groups, rates_of
from ..rates import peak_lr
from ..spelling import COUNT, SHARE, check, choose
from .lookahead import Lookahead
from .rules import OPTIMIZERS, Rule
from .switch import AdamToSgd

if TYPE_CHECKING:
    from ..settings import Train

PREFIX = "lookahead:"
WRAPPER_OPTIONS = ("k", "alpha")


@dataclass(frozen=True, kw_only=True)
class LookaheadSettings:
    """Options of Lookahead. Source of the defaults: Zhang 2019, section 4 (k 5, alpha 0.5)."""

    k: int = 5
    alpha: float = 0.5

    def __post_init__(self) -> None:
        check(self, {"k": COUNT, "alpha": SHARE})


def rule_of(text: str) -> tuple[Rule, LookaheadSettings | None]:
    """The optimizer that `text` spells, and how Lookahead wraps it, if it does.

    Args:
        text: `[lookahead:]NAME[:OPTION=VALUE,...]`; with the prefix, `k` and `alpha` are options too.

    Raises:
        ConfigError: an unknown name or option, or a value outside its range.
    """
    if not text.startswith(PREFIX):
        return choose(text, OPTIMIZERS, kind="optimizer"), None
    name, _, given = text.removeprefix(PREFIX).partition(":")
    options = given.split(",") if given else []
    own = [each for each in options if each.partition("=")[0] in WRAPPER_OPTIONS]
    others = [each for each in options if each not in own]
    rule = choose(":".join([name, ",".join(others)] if others else [name]), OPTIMIZERS, kind="optimizer")
    if name in ("adam-to-sgd", "adam-to-sgd-plateau", "swats"):
        raise ConfigError(f"Lookahead wraps one optimizer, and '{name}' is two in turn: take {PREFIX}adam or {name}.")
    wrapper = choose(PREFIX + ",".join(own) if own else PREFIX[:-1], {PREFIX[:-1]: LookaheadSettings}, kind="optimizer")
    return rule, wrapper


def names_optimizer(value: object) -> bool:
    """Whether it is a text that begins with the name of an optimizer; its options are not looked at."""
    return isinstance(value, str) and value.removeprefix(PREFIX).partition(":")[0] in OPTIMIZERS


def build(groups: Groups, *, name: str, lr: float, momentum: float) -> torch.optim.Optimizer:
    """The named optimizer over groups that hold something to train.

    Raises:
        ConfigError: see `rule_of`.
    """
    rule, wrapper = rule_of(name)
    optimizer = rule(groups, float(lr), float(momentum))  # torch takes no whole numbers beside floats as betas
    return optimizer if wrapper is None else Lookahead(optimizer, k=wrapper.k, alpha=wrapper.alpha)


def make_optimizer(
    parameters: Iterable[nn.Parameter], *, name: str, lr: float, weight_decay: float, momentum: float
) -> torch.optim.Optimizer:
    """The named optimizer over all parameters that want a gradient.

    Parameters with one axis or none (biases, the scales and offsets of norms) are not decayed: they are few, and
    pulling a norm's scale to zero only fights the loss. `momentum` is Adam's first beta.

    Raises:
        ModelError: there is nothing to train.
        ConfigError: see `rule_of`.
    """
    trainable = [parameter for parameter in parameters if parameter.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [each for each in trainable if each.dim() > 1], "weight_decay": weight_decay},
        {"params": [each for each in trainable if each.dim() <= 1], "weight_decay": 0.0},
    ]
    return build(_filled(groups), name=name, lr=lr, momentum=momentum)


def optimizer_of(net: nn.Module, settings: Train) -> torch.optim.Optimizer:
    """The optimizer of a training: every trainable parameter of `net` in one group, with its decay and rate.

    Raises:
        ModelError: there is nothing to train.
        ConfigError: rates that leave a parameter out, or name none.
    """
    groups = parameter_groups(net, weight_decay=settings.weight_decay, rates=rates_of(net, settings))
    return build(_filled(groups), name=settings.optimizer, lr=peak_lr(settings), momentum=settings.momentum)


def end_epoch(optimizer: torch.optim.Optimizer, *, number: int, score: float) -> str:
    """Tell an optimizer that changes in the course of a run that an epoch (from 1) is over, and how it scored.

    What there is to say about it, or "".
    """
    return optimizer.end_epoch(number, score) if isinstance(optimizer, AdamToSgd) else ""


def _filled(groups: Groups) -> Groups:
    filled = [group for group in groups if group["params"]]
    if not filled:
        raise ModelError("The model has no trainable parameters: nothing can be learnt.")
    return filled
