"""Quantization-aware training in one call: take apart, train, put together again."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from torch import fx

from ....progress import SILENT, Progress
from ....tasks import device_of, evaluate
from ....train import TrainOutcome, train_weights
from ....train.companion import accompanied, parted
from ....train.plan import Loss
from ....types import Job, plain
from ..placement import Plan
from .loss import QatLoss
from .norms import Unfolded, unfold
from .settings import Qat
from .swap import begin_epoch, simulation_of, trained_net

Lesson = Callable[[fx.GraphModule], Loss]  # from the net that is trained to what it is trained on
NUM_MEASURED = 64  # images from which a batch norm is measured that folding cannot be undone for


def train_quantized(
    simulation: fx.GraphModule,
    original: fx.GraphModule,
    *,
    plan: Plan,
    job: Job,
    settings: Qat,
    lesson: Lesson | None = None,
    progress: Progress = SILENT,
) -> tuple[fx.GraphModule, dict[str, Any]]:
    """A simulation with trained weights, step sizes and statistics, and what the training did (JSON-able).

    The result has the form of `simulation`: its weights hold the batch norms, its grids the learned steps. It is
    trained on the device of `simulation` and stays there. When no epoch scores better on val than `simulation` did, it
    is a copy of that.

    Args:
        simulation: as `simulate` made it, perhaps repaired; left as it is.
        original: the captured float model with its batch norms; it teaches where the job has no teacher.
        plan: the one that `simulation` was made from.
        job: gives task, data, seed, teacher, and in `workdir` the folder of the checkpoint.
        settings: how.
        lesson: replaces the labels and the soft answers of `settings`, for instance to imitate feature maps.
        progress: told loss, score, learning rate and speed.

    Raises:
        ModelError: the loss is no longer finite.
        UnsupportedError: a model of several outputs cannot imitate.
    """
    images_BCHW = job.data.calibration(NUM_MEASURED, job.seed)
    unfolded = unfold(simulation, original, list(plan.layers), images_BCHW)
    net = trained_net(simulation, plan, settings, unfolded=unfolded)
    teacher = copy.deepcopy(job.teacher or original).to(device_of(simulation))
    loss = QatLoss(settings, teacher, task=job.task, data=job.data) if lesson is None else lesson(net)
    outcome = train_weights(
        accompanied(net, loss),
        task=job.task,
        data=job.data,
        settings=settings.train,
        seed=job.seed,
        checkpoint=job.workdir,
        loss=loss,
        before_epoch=lambda net, number: begin_epoch(net, settings, number=number),
        progress=progress,
    )
    given = evaluate(simulation, job.task, job.data, "val").value
    result = simulation_of(parted(outcome.net)[0], simulation)
    is_kept = best_score(outcome) >= given
    details = _details(outcome, unfolded, score_given=given, is_kept=is_kept)
    return result if is_kept else copy.deepcopy(simulation), details


def best_score(outcome: TrainOutcome) -> float:
    """The score on val of the weights that a training kept."""
    return outcome.history[outcome.best_epoch - 1].score if outcome.best_epoch else outcome.score_before


def _details(
    outcome: TrainOutcome, unfolded: dict[str, Unfolded], *, score_given: float, is_kept: bool
) -> dict[str, Any]:
    return {
        "history": plain(outcome.history),
        "best_epoch": outcome.best_epoch,
        "score_given": score_given,
        "score_before": outcome.score_before,
        "is_kept": is_kept,
        "batch_norms": len(unfolded),
        "batch_norms_measured": [name for name, each in unfolded.items() if each.is_measured],
    }
