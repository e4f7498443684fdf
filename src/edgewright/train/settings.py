"""`Train`: the settings of a training run, which are also the stage."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import ConfigError
from ..progress import SILENT, Progress
from ..tasks import evaluate
from ..types import Job, StageResult, plain
from .augment import AUGMENTATIONS
from .loop import TrainOutcome, train_weights
from .optimizers import OPTIMIZERS


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


RULES: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "epochs": ("a whole number from 1", lambda value: _whole(value, 1)),
    "batch_size": ("a whole number from 2", lambda value: _whole(value, 2)),
    "optimizer": (f"one of {', '.join(OPTIMIZERS)}", lambda value: value in tuple(OPTIMIZERS)),
    "lr": ("greater than 0", lambda value: _number(value) and 0 < value < math.inf),
    "momentum": ("in [0, 1)", lambda value: _number(value) and 0 <= value < 1),
    "weight_decay": ("0 or greater", lambda value: _number(value) and 0 <= value < math.inf),
    "warmup_epochs": ("0 or greater", lambda value: _number(value) and 0 <= value < math.inf),
    "final_lr": ("a share of lr in [0, 1]", lambda value: _number(value) and 0 <= value <= 1),
    "ema_decay": ("in (0, 1)", lambda value: value is None or (_number(value) and 0 < value < 1)),
    "accumulate": ("a whole number from 1", lambda value: _whole(value, 1)),
    "patience": ("a whole number from 1", lambda value: value is None or _whole(value, 1)),
    "min_delta": ("0 or greater, in points", lambda value: _number(value) and 0 <= value < math.inf),
    "augment": (f"one of {', '.join(AUGMENTATIONS)}", lambda value: value in tuple(AUGMENTATIONS)),
    "clip_norm": ("greater than 0", lambda value: value is None or (_number(value) and value > 0)),
    "clip_value": ("greater than 0", lambda value: value is None or (_number(value) and value > 0)),
    "epoch_images": ("a whole number from 2", lambda value: value is None or _whole(value, 2)),
    "dtype": ("float32 or bfloat16", lambda value: value in ("float32", "bfloat16")),
    "keep_zeros": ("true or false", lambda value: isinstance(value, bool)),
    "keep": ("best or last", lambda value: value in ("best", "last")),
}


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train all weights on the task's loss; keep those that scored best on the val split.

    Args:
        epochs: at most so many.
        batch_size: images per step.
        accumulate: a step's images are learnt from in so many parts, one after the other: the same gradient, in the
            memory of one part. Batch norm sees a part at a time.
        optimizer: "adamw", or "sgd" with Nesterov momentum.
        lr: the largest learning rate, reached after the warm-up.
        momentum: of SGD; Adam's first beta.
        weight_decay: on weights with two axes and more; norms and biases are never decayed.
        warmup_epochs: the rate rises in a straight line for so long (fractions count), then falls as a cosine.
        final_lr: what it falls to, as a share of `lr`.
        ema_decay: score and keep a moving average of the weights, with this decay per step.
        patience: stop when the score has not risen for so many epochs.
        min_delta: a rise of the score by no more than so many points does not count for `patience`.
        augment: "shift" moves images a little, "crop-flip" moves them more and mirrors them, "none".
        clip_norm: largest norm of the gradient of all weights together.
        clip_value: largest absolute value in the gradient; it bounds before `clip_norm` does.
        epoch_images: an epoch ends after so many images, drawn anew each time; None visits all.
        dtype: "bfloat16" computes the layers in half the bits (autocast), the weights stay float32.
        keep_zeros: weights that are exactly 0 stay so (`zeros.zeros_of`): a sparse model stays as sparse as it came.
        keep: the weights that are returned: those that scored "best" on val, or the "last".
    """

    epochs: int = 30
    batch_size: int = 32
    accumulate: int = 1
    optimizer: Literal["adamw", "sgd"] = "adamw"
    lr: float = 3e-3
    momentum: float = 0.9
    weight_decay: float = 0.05
    warmup_epochs: float = 1.0
    final_lr: float = 0.0
    ema_decay: float | None = None
    patience: int | None = None
    min_delta: float = 0.0
    augment: Literal["none", "shift", "crop-flip"] = "shift"
    clip_norm: float | None = None
    clip_value: float | None = None
    epoch_images: int | None = None
    dtype: Literal["float32", "bfloat16"] = "float32"
    keep_zeros: bool = False
    keep: Literal["best", "last"] = "best"

    def __post_init__(self) -> None:
        for name, (range_text, holds) in RULES.items():
            value = getattr(self, name)
            if not holds(value):
                raise ConfigError(f"Train.{name} must be {range_text}, got {value!r}.")
        if 2 * self.accumulate > self.batch_size and self.accumulate > 1:
            raise ConfigError(
                f"Train.accumulate cuts a batch into parts of 2 images or more, got {self.accumulate} parts of "
                f"{self.batch_size} images: use {max(1, self.batch_size // 2)} at most, or a larger batch_size."
            )

    def run(self, job: Job, *, progress: Progress = SILENT) -> StageResult:
        """The job's model with trained weights; its `workdir` holds the checkpoint.

        `cost` is None: training changes no shape, so the model costs what it did.

        Raises:
            ModelError: the loss is no longer finite, or the outputs do not suit the task.
        """
        outcome = train_weights(
            job.model,
            task=job.task,
            data=job.data,
            settings=self,
            seed=job.seed,
            checkpoint=job.workdir,
            progress=progress,
        )
        return stage_result(outcome, job)


def stage_result(outcome: TrainOutcome, job: Job) -> StageResult:
    """A training run as the result of a stage, scored on val."""
    details = {
        "history": plain(outcome.history),
        "best_epoch": outcome.best_epoch,
        "score_before": outcome.score_before,
    }
    score = evaluate(outcome.net, job.task, job.data, "val")
    return StageResult(model=outcome.net, score=score, cost=None, notes=(_summary(outcome),), details=details)


def _summary(outcome: TrainOutcome) -> str:
    ran = len(outcome.history)
    if outcome.best_epoch == 0:
        return f"None of {ran} epochs scored better on val than the weights as given, which are kept."
    kept = outcome.history[outcome.best_epoch - 1]
    which = "Best" if kept.score == max(epoch.score for epoch in outcome.history) else "Last"
    return (
        f"{which} of {ran} epochs on val: number {kept.number}, {kept.score:.2f}; before, {outcome.score_before:.2f}."
    )
