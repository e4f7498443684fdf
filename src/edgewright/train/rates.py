"""The learning rates of one run: how large for which batch, at which step, for which group of parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch

from ..errors import ConfigError
from .schedules import Course, lr_share, schedule

if TYPE_CHECKING:
    from .settings import Train

SCALINGS: Mapping[str, Callable[[float], float]] = {
    "none": lambda times: 1.0,
    "linear": lambda times: times,
    "sqrt": math.sqrt,
}
"""Rule -> factor of the rate for a batch of so many times as many images."""


def scaled_lr(lr: float, *, batch_size: int, base_batch_size: int = 256, rule: str = "linear") -> float:
    """The rate for another batch size: "linear" k times for k times the batch, "sqrt" its root, "none" the same.

    Linear is for SGD and fails beyond a critical batch; the root is usual for Adam and its kin.

    Args:
        lr: that suits `base_batch_size`.
        batch_size: images per step.
        base_batch_size: images per step for which `lr` was found.
        rule: a key of `SCALINGS`.

    Raises:
        ConfigError: an unknown rule, or a batch of no images.

    Source: Goyal 2017, arXiv:1706.02677 (linear); Krizhevsky 2014, arXiv:1404.5997, section 5 (the root).
    """
    if rule not in SCALINGS:
        raise ConfigError(f"The rate is scaled by one of {', '.join(SCALINGS)}, got '{rule}'.")
    if min(batch_size, base_batch_size) < 1:
        raise ConfigError(f"A batch holds 1 image or more, got {batch_size} and {base_batch_size}.")
    return lr * SCALINGS[rule](batch_size / base_batch_size)


def peak_lr(settings: Train) -> float:
    """The largest rate of a run: `lr`, scaled to the batch where that is asked for."""
    return scaled_lr(
        settings.lr, batch_size=settings.batch_size, base_batch_size=settings.lr_batch_size, rule=settings.lr_scaling
    )


def lr_at(settings: Train, *, step: int, steps_per_epoch: int) -> float:
    """The rate at one step (from 0) of the whole run. The warm-up takes half of the run at most."""
    num_steps = settings.epochs * steps_per_epoch
    course = Course(
        num_steps=num_steps,
        steps_per_epoch=steps_per_epoch,
        num_warmup=min(round(settings.warmup_epochs * steps_per_epoch), num_steps // 2),
        final=settings.final_lr,
    )
    return peak_lr(settings) * lr_share(schedule(settings.schedule), step, course)


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Give every group its rate: `lr` times the group's `lr_scale`, where it has one."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group["lr_scale"] if "lr_scale" in group else lr
