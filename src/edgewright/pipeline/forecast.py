"""What a training will take, before it is started: its steps, its memory, and its time from a few steps of it."""

from __future__ import annotations

import copy
import math
import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn
from torch.utils import _pytree as pytree

from ..analyze import training_memory
from ..model import input_shape
from ..progress import Progress, Task
from ..tasks import evaluate
from ..train import Train, train_weights
from ..train.freezing import begin_frozen
from ..train.optimizers import optimizer_of
from ..train.split import Recomputed
from ..types import Job
from .flow import prepared

NUM_TIMED = 5  # steps; the first, which warms up, comes before them


@dataclass(frozen=True, kw_only=True)
class TrainingForecast:
    """A training that was planned, measured for some steps, and not run.

    `memory` names the parts of what one process holds at the fullest moment of a step, in bytes, images in memory left
    out. `step_s` is the median of the timed steps, `score_s` the time of one scoring of val.
    """

    parameters: int
    trainable: int
    images: int  # an epoch learns from
    steps_per_epoch: int
    epochs: int
    images_at_once: int  # a process holds the activations of
    memory: Mapping[str, int]
    step_s: float
    score_s: float

    @property
    def memory_bytes(self) -> int:
        return sum(self.memory.values())

    @property
    def total_s(self) -> float:
        """All epochs, val scored before the first and after each."""
        return self.epochs * (self.steps_per_epoch * self.step_s + self.score_s) + self.score_s


def forecast_training(job: Job, settings: Train) -> TrainingForecast:
    """The forecast of `settings.run(job)`; some of its steps are taken and forgotten, nothing is written.

    Raises:
        UserError: what the training itself would refuse.
    """
    job = prepared(job)
    net: nn.Module = copy.deepcopy(job.model)
    begin_frozen(net, settings)
    visits = len(job.data.split("train").visits())
    at_once = math.ceil(settings.batch_size / settings.accumulate / settings.processes)
    sizes = [(each.numel(), each.requires_grad) for each in net.parameters()]
    return TrainingForecast(
        parameters=sum(size for size, _ in sizes),
        trainable=sum(size for size, learns in sizes if learns),
        images=min(visits, settings.epoch_images or visits),
        steps_per_epoch=job.data.num_batches(
            "train", batch_size=settings.batch_size, num_images=settings.epoch_images
        ),
        epochs=settings.epochs,
        images_at_once=at_once,
        memory=_memory(net, settings, at_once),
        step_s=_seconds_per_step(job, settings),
        score_s=_seconds_of_scoring(job),
    )  # fmt: skip


def _memory(net: nn.Module, settings: Train, batch: int) -> dict[str, int]:
    """The parts of one step on `batch` images, and the copies of the weights that a run keeps beside."""
    seen = Recomputed(copy.deepcopy(net)) if settings.checkpointing else net  # type: ignore[arg-type]
    dtype = "float32" if settings.dtype == "float32" else "amp"
    found = training_memory(seen, input_shape(net), batch=batch, optimizer="sgd", dtype=dtype)  # type: ignore[arg-type]
    once = found.weight_bytes + found.buffer_bytes
    copies = {"model as given": once, "best weights": once}
    if settings.ema_decay is not None:
        copies["moving average"] = once
    return {**found.parts, "optimizer state": _optimizer_bytes(net, settings), **copies}


def _optimizer_bytes(net: nn.Module, settings: Train) -> int:
    """What the optimizer holds after a step, whichever it is."""
    copied = copy.deepcopy(net)
    optimizer = optimizer_of(copied, settings)
    for parameter in copied.parameters():
        if parameter.requires_grad:
            parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    kept = pytree.tree_leaves(optimizer.state_dict())  # of one that wraps others too, whose own `state` is empty
    return sum(value.numel() * value.element_size() for value in kept if isinstance(value, torch.Tensor))


class _Enough(Exception):
    """The steps that were to be timed are done."""


class _Stopwatch(Progress):
    """Notes when each step ends, and ends the training after so many."""

    def __init__(self, num_steps: int) -> None:
        self.ends: list[float] = []
        self._num_steps = num_steps

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Task]:
        watch = self
        if title == "Train":
            watch.ends.append(time.perf_counter())

        class Bar(Task):
            def advance(self, steps: int = 1, *, detail: str = "") -> None:
                if title == "Train" and steps:
                    watch.ends.append(time.perf_counter())
                    if len(watch.ends) > min(watch._num_steps + 1, total):
                        raise _Enough

        yield Bar()


def _seconds_per_step(job: Job, settings: Train) -> float:
    """The median time of a step, the first left out where there are more."""
    watch = _Stopwatch(NUM_TIMED)
    with suppress(_Enough):
        train_weights(
            job.model, task=job.task, data=job.data, settings=settings, seed=job.seed, accelerator=job.accelerator,
            progress=watch,
        )  # fmt: skip
    steps = [after - before for before, after in pairwise(watch.ends)]
    return statistics.median(steps[1:] or steps)


def _seconds_of_scoring(job: Job) -> float:
    began = time.perf_counter()
    evaluate(job.model, job.task, job.data, "val")
    return time.perf_counter() - began
