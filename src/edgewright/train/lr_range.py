"""Which learning rate? Raise it a little with every step, and look at where the loss falls and where it runs away.

    rate = low (high/low)^(i/(N-1)) at step i     loss of each batch before its step, smoothed      stop at `STOP` times
                                                                                                     the smallest

Source: Smith 2017, Cyclical Learning Rates, arXiv:1506.01186, section 3.3 (there the rate rises in a straight line and
the score is looked at); the exponential rise, the smoothing and the stop are those of fast.ai's finder.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count, islice

import torch
from torch import nn

from ..data import Data
from ..errors import ConfigError, ModelError
from ..progress import SILENT, Progress
from ..seeding import torch_generator
from ..types import Task
from .augment import augmentation
from .draws import random_layers
from .dropout import begin_dropout
from .freezing import begin_frozen, hold_frozen
from .layout import fastest_layout
from .loop import recomputed
from .mixing import Mixing
from .optimizers import optimizer_of
from .plan import Plan, TaskLoss, learning_device
from .rates import peak_lr, set_lr
from .settings import Train
from .state import Training
from .step import after_step, take_step
from .zeros import zeros_of

STOP = 4.0  # times the smallest smoothed loss: it has run away (fast.ai)
MEMORY = 0.9  # share of the past in the smoothed loss: of the last ten steps or so
MARGIN = 10.0  # a peak so far below the rate with the smallest loss (fast.ai)
SETTLING = 5  # steps until the smoothed loss says anything
LEAST_FALL = 0.05  # share of its start by which the smoothed loss has to fall to count as learning


@dataclass(frozen=True, kw_only=True)
class LrRange:
    """A range test: what was measured, and the rate that follows from it.

    Args:
        rates: of each step.
        losses: of each step's batch, before the step.
        smoothed: their moving average, corrected for its start.
        steepest: the rate at which the smoothed loss fell fastest per factor of the rate; None when it never fell.
        lowest: the rate at which it was smallest.
        runaway: the rate at which all that was gained was lost again; None when that did not happen.
        suggested: the `lr` to train with, before it is scaled to the batch; None when the test shows none.
        reasons: how the suggestion follows, a sentence each.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    steepest: float | None
    lowest: float
    runaway: float | None
    suggested: float | None
    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """The rates that a range test goes through."""

    low: float = 1e-5
    high: float = 10.0
    num_steps: int = 200

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high < math.inf:
            raise ConfigError(f"A range test goes up from a rate above 0, got {self.low:g} to {self.high:g}.")
        if self.num_steps < 10:
            raise ConfigError(f"A range test takes 10 steps or more, got {self.num_steps}.")

    def rate(self, step: int) -> float:
        return float(self.low * (self.high / self.low) ** (step / (self.num_steps - 1)))


def find_lr(
    net: nn.Module, *, task: Task, data: Data, settings: Train, seed: int, sweep: Sweep | None = None,
    accelerator: str | None = None, progress: Progress = SILENT,
) -> LrRange:  # fmt: skip
    """Test a copy of `net` over a range of learning rates, with everything else as a training under `settings` has it.

    Args:
        net: as for `train_weights`; left as it is.
        task: gives the loss.
        data: learns from "train", begun again when it ends.
        settings: all but the rate and the schedule, which are the test's own. Where `lr_scaling` scales `lr` to the
            batch, what is suggested is the rate that scales to the one found.
        seed: of shuffling, augmentation and dropout.
        sweep: the rates; None: 200 steps from 1e-5 to 10.
        accelerator: PyTorch device to learn on; None and "cpu" are where the parameters are.
        progress: told rate and loss.

    Raises:
        ModelError: nothing to train, or the loss is not finite from the first step on.
    """
    sweep = sweep or Sweep()
    losses = []
    with progress.task("Find the learning rate", total=sweep.num_steps) as bar:
        for step, loss in enumerate(_losses(net, Plan(
            task=task, data=data, settings=settings, seed=seed, loss=TaskLoss(task), num_steps=1,
            zeros=zeros_of(net) if settings.keep_zeros else {}, device=learning_device(net, accelerator),
        ), sweep)):  # fmt: skip
            losses.append(loss)
            bar.advance(detail=f"lr {sweep.rate(step):.2g}  loss {loss:.3f}")
            if _has_run_away(losses):
                break
    return _before_scaling(read_range([sweep.rate(step) for step in range(len(losses))], losses), settings)


def read_range(rates: list[float], losses: list[float]) -> LrRange:
    """What a curve of losses over rising rates says.

    Raises:
        ModelError: the loss is not finite from the first step on.
    """
    if not math.isfinite(losses[0]):
        raise ModelError(f"The loss is {losses[0]} before the first step: no learning rate helps; look at the data.")
    kept = len(losses) - (not math.isfinite(losses[-1]))
    smoothed = smooth(losses[:kept])
    valley = min(range(kept), key=smoothed.__getitem__)
    steepest = _steepest(rates, smoothed, valley)
    lost = len(losses) - 1 if kept < len(losses) else None
    if steepest is not None:
        lost = next((step for step in range(valley, kept) if smoothed[step] >= smoothed[0]), lost)
    runaway = None if lost is None else rates[lost]
    suggested, reasons = _suggest(steepest, rates[valley], runaway)
    return LrRange(
        rates=tuple(rates[:kept]), losses=tuple(losses[:kept]), smoothed=tuple(smoothed), steepest=steepest,
        lowest=rates[valley], runaway=runaway, suggested=suggested, reasons=reasons,
    )  # fmt: skip


def _before_scaling(found: LrRange, settings: Train) -> LrRange:
    """The suggestion as a training takes it: its rate is `lr` times a factor that follows from the batch."""
    factor = peak_lr(replace(settings, lr=1.0))
    if found.suggested is None or factor == 1:
        return found
    lr = found.suggested / factor
    reason = (
        f"As lr that is {lr:.2g}: {settings.lr_scaling} scaling from {settings.lr_batch_size} images a step to "
        f"{settings.batch_size} multiplies it by {factor:.3g}."
    )
    return replace(found, suggested=lr, reasons=(*found.reasons, reason))


def smooth(losses: list[float]) -> list[float]:
    """The exponential moving average, corrected for its start at 0."""
    mean, smoothed = 0.0, []
    for number, loss in enumerate(losses, start=1):
        mean = MEMORY * mean + (1 - MEMORY) * loss
        smoothed.append(mean / (1 - MEMORY**number))
    return smoothed


def _losses(net: nn.Module, plan: Plan, sweep: Sweep) -> Iterator[float]:
    """The loss of each batch before the step that it takes, one rate after the other."""
    copied, layout = fastest_layout(net, plan.data.preprocess.shape)
    copied = copied.to(plan.device)
    begin_frozen(copied, plan.settings)
    begin_dropout(copied, plan.settings.dropout)
    state = Training(
        net=copied, layout=layout, optimizer=optimizer_of(copied, plan.settings), average=None, score_before=0.0,
        best={}, view=recomputed(copied, plan) if plan.settings.checkpointing else None,
    )  # fmt: skip
    if plan.settings.dtype == "float16":
        state.scaler = torch.amp.GradScaler(plan.device.type)
    copied.train()
    hold_frozen(copied, state.optimizer, plan.settings, epoch=1)
    with random_layers(plan.seed, 0, plan.device):
        for step, (inputs, targets) in enumerate(islice(_batches(plan), sweep.num_steps)):
            set_lr(state.optimizer, sweep.rate(step))
            loss = take_step(state, plan, inputs, targets)
            after_step(state, plan, step + 1)
            yield float(loss)


def _batches(plan: Plan) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Augmented batches without an end, by generators of the test's own."""
    mixing = Mixing(plan.settings, num_classes=plan.data.num_classes, seed=plan.seed)
    for number in count():
        batches = plan.data.batches(
            "train",
            batch_size=plan.settings.batch_size,
            generator=torch_generator(plan.seed, "train.lr_range", number),
            augment=augmentation(plan.settings.augment, torch_generator(plan.seed, "train.lr_range.augment", number)),
            num_images=plan.settings.epoch_images,
        )
        for position, (inputs, targets) in enumerate(batches):
            yield mixing(inputs, targets, epoch=number, batch=position)


def _has_run_away(losses: list[float]) -> bool:
    if not math.isfinite(losses[-1]):
        return True
    smoothed = smooth(losses)
    return len(losses) > SETTLING and smoothed[-1] > STOP * min(smoothed)


def _steepest(rates: list[float], smoothed: list[float], valley: int) -> float | None:
    """Where the loss falls fastest per factor of the rate, before its valley; None when it does not fall."""
    first = min(SETTLING, len(smoothed) - 1)
    if valley <= first or smoothed[valley] > (1 - LEAST_FALL) * smoothed[first]:
        return None
    # the rates grow by the same factor with each step, so the difference of two steps is the slope
    slopes = {step: smoothed[step + 1] - smoothed[step - 1] for step in range(first, valley)}
    return rates[min(slopes, key=slopes.__getitem__)]


def _suggest(steepest: float | None, lowest: float, runaway: float | None) -> tuple[float | None, tuple[str, ...]]:
    """The smaller of two rules of thumb, and why."""
    end = f"what it had gained was lost at {runaway:.2g}" if runaway else "it did not run away in this range"
    if steepest is None:
        return None, (f"The loss fell by less than {LEAST_FALL:.0%} over the range; {end}.", "No rate is suggested.")
    suggested = min(steepest, lowest / MARGIN)
    rule = "that of the steepest fall" if suggested == steepest else f"1/{MARGIN:.0f} of that of the smallest loss"
    return suggested, (
        f"The loss fell fastest at {steepest:.2g}, was smallest at {lowest:.2g}, and {end}.",
        f"Suggested is {suggested:.2g}, {rule}: the smaller of the two.",
    )
