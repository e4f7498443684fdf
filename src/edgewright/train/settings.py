"""`Train`: the settings of a training run, which are also the stage."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from ..errors import ConfigError
from ..progress import SILENT, Progress
from ..tasks import evaluate
from ..types import Job, StageResult, plain
from .augment import AUGMENTATIONS
from .groups import parse_rates
from .loop import TrainOutcome, train_weights
from .optimizers import OPTIMIZERS, names_optimizer, rule_of
from .rates import SCALINGS
from .schedules import SCHEDULES, names_schedule, schedule
from .spelling import nearest


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


RULES: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "epochs": ("a whole number from 1", lambda value: _whole(value, 1)),
    "batch_size": ("a whole number from 2", lambda value: _whole(value, 2)),
    "optimizer": (f"one of {', '.join(OPTIMIZERS)}, perhaps after 'lookahead:'", names_optimizer),
    "schedule": (f"one of {', '.join(SCHEDULES)}", names_schedule),
    "lr": ("greater than 0", lambda value: _number(value) and 0 < value < math.inf),
    "lr_scaling": (f"one of {', '.join(SCALINGS)}", lambda value: value in tuple(SCALINGS)),
    "lr_batch_size": ("a whole number from 1", lambda value: _whole(value, 1)),
    "layer_decay": ("in (0, 1]", lambda value: _number(value) and 0 < value <= 1),
    "rates": ("text as PREFIX=SHARE,...", lambda value: isinstance(value, str)),
    "freeze": ("text as PREFIX,...", lambda value: isinstance(value, str)),
    "unfreeze_every": ("a whole number from 1", lambda value: value is None or _whole(value, 1)),
    "l1": ("0 or greater", lambda value: _number(value) and 0 <= value < math.inf),
    "momentum": ("in [0, 1)", lambda value: _number(value) and 0 <= value < 1),
    "weight_decay": ("0 or greater", lambda value: _number(value) and 0 <= value < math.inf),
    "warmup_epochs": ("0 or greater", lambda value: _number(value) and 0 <= value < math.inf),
    "final_lr": ("a share of lr in [0, 1]", lambda value: _number(value) and 0 <= value <= 1),
    "ema_decay": ("in (0, 1)", lambda value: value is None or (_number(value) and 0 < value < 1)),
    "accumulate": ("a whole number from 1", lambda value: _whole(value, 1)),
    "patience": ("a whole number from 1", lambda value: value is None or _whole(value, 1)),
    "min_delta": ("0 or greater, in points", lambda value: _number(value) and 0 <= value < math.inf),
    "augment": (f"one of {', '.join(AUGMENTATIONS)}", lambda value: value in tuple(AUGMENTATIONS)),
    "mixup": ("greater than 0", lambda value: value is None or (_number(value) and 0 < value < math.inf)),
    "cutmix": ("greater than 0", lambda value: value is None or (_number(value) and 0 < value < math.inf)),
    "dropout": ("in [0, 1)", lambda value: value is None or (_number(value) and 0 <= value < 1)),
    "label_smoothing": ("in [0, 1)", lambda value: _number(value) and 0 <= value < 1),
    "clip_norm": ("greater than 0", lambda value: value is None or (_number(value) and value > 0)),
    "clip_value": ("greater than 0", lambda value: value is None or (_number(value) and value > 0)),
    "epoch_images": ("a whole number from 2", lambda value: value is None or _whole(value, 2)),
    "dtype": ("float32, bfloat16 or float16", lambda value: value in ("float32", "bfloat16", "float16")),
    "checkpointing": ("true or false", lambda value: isinstance(value, bool)),
    "processes": ("a whole number from 1", lambda value: _whole(value, 1)),
    "checkpoint_steps": ("a whole number from 1", lambda value: value is None or _whole(value, 1)),
    "checkpoint_seconds": ("greater than 0", lambda value: value is None or (_number(value) and 0 < value < math.inf)),
    "keep_zeros": ("true or false", lambda value: isinstance(value, bool)),
    "keep": ("best or last", lambda value: value in ("best", "last")),
}

NAMED: Mapping[str, Iterable[str]] = {
    "optimizer": OPTIMIZERS, "schedule": SCHEDULES, "augment": AUGMENTATIONS, "lr_scaling": SCALINGS,
}  # fmt: skip
"""Settings that are names, and which there are."""


def name_hint(setting: str, value: Any) -> str:
    """`: did you mean adamw?` for a name that is nearly one of those of this setting."""
    name = value.removeprefix("lookahead:").partition(":")[0] if isinstance(value, str) else ""
    hint = nearest(name, NAMED.get(setting, ()))
    return f": {hint.removesuffix('? ')}" if hint else ""


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train all weights on the task's loss; keep those that scored best on the val split.

    Args:
        epochs: at most so many.
        batch_size: images per step.
        accumulate: a step's images are learnt from in so many parts, one after the other: the same gradient, in the
            memory of one part. Batch norm sees a part at a time.
        optimizer: a name of docs/optimizers.md, with options after a colon ("rmsprop:beta2=0.9") and perhaps
            "lookahead:" before it; "sgd" has Nesterov momentum.
        schedule: what the rate does after the warm-up, a name of docs/optimizers.md ("step:every=10,gamma=0.5").
        lr: the largest learning rate, reached after the warm-up.
        lr_scaling: "linear" and "sqrt" take `lr` for that of a batch of `lr_batch_size` and scale it to `batch_size`.
        layer_decay: each stage learns at so many times the rate of the next one towards the output.
        rates: shares of the learning rate by part, as "stem=0.1,layer1=0.3,=1"; they must cover every parameter.
        freeze: parts that do not learn, and whose batch norms keep their statistics, as "stem,layer1"; "backbone" is
            everything but the last stage.
        unfreeze_every: after every so many epochs one stage more of what is frozen learns too, the last one first.
        l1: pulls weights with two axes and more to exactly 0, by the rate times this in a proximal step.
        momentum: of SGD; Adam's first beta.
        weight_decay: on weights with two axes and more; norms and biases are never decayed.
        warmup_epochs: the rate rises in a straight line for so long (fractions count), to where the schedule begins;
            for half of `epochs` at most, which a note says.
        final_lr: what it falls to, as a share of `lr`, where the schedule falls to an end.
        ema_decay: score and keep a moving average of the weights, with this decay per step.
        patience: stop when the score has not risen for so many epochs.
        min_delta: a rise of the score by no more than so many points does not count for `patience`.
        augment: "shift" moves images a little, "crop-flip" moves them more and mirrors them, "none"; "rand" changes
            colours, edges and places (RandAugment), alone or after one of the others, as in "crop-flip+rand".
        mixup: mix each image and its target with another's, by a share drawn from Beta(x, x) (Zhang 2018).
        cutmix: paste a rectangle of another image, whose area drawn from Beta(x, x) mixes the targets (Yun 2019).
        dropout: share of values that each dropout of the network drops, or else of what its head is given.
        label_smoothing: share of each target that is spread evenly over all classes, for a softmax whose task smooths
            nothing itself (`Classify.label_smoothing`, which knows the form of each loss).
        clip_norm: largest norm of the gradient of all weights together.
        clip_value: largest absolute value in the gradient; it bounds before `clip_norm` does.
        epoch_images: an epoch ends after so many images, drawn anew each time; None visits all.
        dtype: "bfloat16" computes the layers in half the bits (autocast), the weights stay float32; so does "float16",
            whose loss is scaled up, because small gradients are 0 in it.
        checkpointing: keep few activations for the backward pass and compute the others again: the same gradients in
            less memory and more time. For captured models and the task's own loss.
        processes: so many processes learn as one, each from its share of every batch, with the same result to the
            rounding of floats; batch norms look at all shares. One accelerator each, or a share of the CPU's threads.
        checkpoint_steps: write a checkpoint after every so many steps too, not only after each epoch.
        checkpoint_seconds: write one in the middle of an epoch when the last is so old, more than 0.
        keep_zeros: weights that are exactly 0 stay so (`zeros.zeros_of`): a sparse model stays as sparse as it came.
        keep: the weights that are returned: those that scored "best" on val, or the "last".
    """

    epochs: int = 30
    batch_size: int = 32
    accumulate: int = 1
    optimizer: str = "adamw"
    schedule: str = "cosine"
    lr: float = 3e-3
    lr_scaling: Literal["none", "linear", "sqrt"] = "none"
    lr_batch_size: int = 256
    layer_decay: float = 1.0
    rates: str = ""
    freeze: str = ""
    unfreeze_every: int | None = None
    l1: float = 0.0
    momentum: float = 0.9
    weight_decay: float = 0.05
    warmup_epochs: float = 1.0
    final_lr: float = 0.0
    ema_decay: float | None = None
    patience: int | None = None
    min_delta: float = 0.0
    augment: Literal["none", "shift", "crop-flip", "rand", "shift+rand", "crop-flip+rand"] = "shift"
    mixup: float | None = None
    cutmix: float | None = None
    dropout: float | None = None
    label_smoothing: float = 0.0
    clip_norm: float | None = None
    clip_value: float | None = None
    epoch_images: int | None = None
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    checkpointing: bool = False
    processes: int = 1
    checkpoint_steps: int | None = None
    checkpoint_seconds: float | None = None
    keep_zeros: bool = False
    keep: Literal["best", "last"] = "best"
    CHANGE_NOTHING: ClassVar[tuple[str, ...]] = ("checkpoint_steps", "checkpoint_seconds")

    def __post_init__(self) -> None:
        for name, (range_text, holds) in RULES.items():
            value = getattr(self, name)
            if not holds(value):
                raise ConfigError(f"Train.{name} must be {range_text}, got {value!r}{name_hint(name, value)}.")
        self._check_choices()
        if self.processes * self.accumulate > self.batch_size:
            raise ConfigError(
                f"Train.processes={self.processes} learn from 1 image or more each, got a batch_size of "
                f"{self.batch_size} in {self.accumulate} parts: use a larger batch_size."
            )
        if 2 * self.accumulate > self.batch_size and self.accumulate > 1:
            raise ConfigError(
                f"Train.accumulate cuts a batch into parts of 2 images or more, got {self.accumulate} parts of "
                f"{self.batch_size} images: use {max(1, self.batch_size // 2)} at most, or a larger batch_size."
            )

    def _check_choices(self) -> None:
        """What is spelled with options: each names the one that is wrong."""
        rule_of(self.optimizer)
        schedule(self.schedule)
        if self.rates and self.layer_decay != 1:
            raise ConfigError("Train.rates and Train.layer_decay both say how fast each part learns: leave one out.")
        if self.rates:
            parse_rates(self.rates)
        if self.unfreeze_every is not None and not self.frozen:
            raise ConfigError(
                "Train.unfreeze_every lets frozen parts learn one after the other, and none is frozen: set freeze, for "
                "instance to 'backbone'."
            )

    @property
    def frozen(self) -> tuple[str, ...]:
        """The parts that do not learn."""
        return tuple(part.strip() for part in self.freeze.split(",") if part.strip())

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
            accelerator=job.accelerator,
            progress=progress,
        )
        found = stage_result(outcome, job)
        if self.warmup_epochs <= self.epochs / 2:
            return found
        asked, half = self.warmup_epochs, self.epochs / 2
        note = f"The warm-up took {half:g} epochs, half of the training, instead of {asked:g}."
        progress.note(note)
        return replace(found, notes=(*found.notes, note))


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
