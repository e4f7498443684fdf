"""`train`'s options of optimizer and learning rate, and its range test."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConfigError
from .show import as_json, lines, table

if TYPE_CHECKING:
    from ..train.lr_range import LrRange
    from ..train.settings import Train
    from .load import Asked

OPTIMIZER_NAMES = (
    "sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "amsgrad", "adamw", "nadam", "radam", "adafactor",
    "adafactor-relative", "lars", "lamb", "adam-to-sgd", "adam-to-sgd-plateau", "swats",
)  # fmt: skip  # of `train.optimizers.OPTIMIZERS`: help must not load that room
SCHEDULE_NAMES = (
    "constant", "step", "multi-step", "exponential", "polynomial", "cosine", "cosine-restarts", "one-cycle",
    "triangular", "triangular2", "exp-range",
)  # fmt: skip  # of `train.schedules.SCHEDULES`
RISING = ("one-cycle", "triangular", "triangular2", "exp-range")  # schedules that begin low by themselves
SHOWN = 20  # rows of a range test

Optimizer = Annotated[
    str | None,
    typer.Option(
        "--optimizer",
        metavar="NAME[:OPTION=X,...]",
        help=f"{', '.join(OPTIMIZER_NAMES)}; lookahead:NAME wraps one. See docs/optimizers.md.",
    ),
]
Schedule = Annotated[
    str | None,
    typer.Option(
        "--schedule",
        metavar="NAME[:OPTION=X,...]",
        help=f"What the rate does after the warm-up: {', '.join(SCHEDULE_NAMES)}.",
    ),
]
WeightDecay = Annotated[
    float | None, typer.Option("--weight-decay", metavar="X", help="Never on norms and biases; default: 0.05.")
]
Momentum = Annotated[
    float | None, typer.Option("--momentum", metavar="X", help="Of SGD; Adam's first beta; default: 0.9.")
]
WarmupEpochs = Annotated[
    float | None, typer.Option("--warmup-epochs", metavar="X", help="Epochs of rise before the schedule begins.")
]
FinalLr = Annotated[
    float | None, typer.Option("--final-lr", metavar="X", help="Share of --lr at which the schedule ends; default: 0.")
]
LrScaling = Annotated[
    str | None,
    typer.Option("--lr-scaling", metavar="none|linear|sqrt", help="Take --lr for that of 256 images and scale it."),
]
Rates = Annotated[
    str | None, typer.Option("--rates", metavar="PART=X,...", help="Shares of the rate by part; =X is the rest.")
]
L1 = Annotated[float | None, typer.Option("--l1", metavar="X", help="Pull weights to exactly 0, a proximal step.")]
ClipNorm = Annotated[float | None, typer.Option("--clip-norm", metavar="X", help="Largest norm of the gradient.")]
ClipValue = Annotated[
    float | None, typer.Option("--clip-value", metavar="X", help="Largest absolute value in the gradient.")
]
Dropout = Annotated[
    float | None,
    typer.Option("--dropout", metavar="X", help="Share of values to drop, before the head if MODEL has no dropout."),
]
FindLr = Annotated[
    bool, typer.Option("--find-lr", help="Do not train: test rates from 1e-5 to 10 and suggest one for --lr.")
]


def without_second_rise(changes: dict[str, Any]) -> dict[str, Any]:
    """No warm-up where none is asked for and the schedule rises by itself."""
    rises = str(changes.get("schedule", "")).partition(":")[0] in RISING
    return {"warmup_epochs": 0.0, **changes} if rises else changes


def refuse_unused(changes: dict[str, Any], settings: Train) -> None:
    """Refuse what the command line gives and the chosen schedule or optimizer does not look at.

    Raises:
        ConfigError: names the two, and those that would use it.
    """
    from ..train.optimizers import OPTIMIZERS, rule_of
    from ..train.schedules import SCHEDULES, schedule

    if "final_lr" in changes and not schedule(settings.schedule).falls_to_final:
        falling = ", ".join(name for name, each in SCHEDULES.items() if each.falls_to_final)
        raise ConfigError(
            f"--final-lr is where {falling} end, and the schedule {settings.schedule} does not look at it: leave it "
            "out, or choose one of these with --schedule."
        )
    rule, _ = rule_of(settings.optimizer)
    if "momentum" in changes and not rule.uses_momentum:
        others = ", ".join(name for name, each in OPTIMIZERS.items() if not each.uses_momentum)
        raise ConfigError(
            f"The optimizer {settings.optimizer} does not look at --momentum, as {others} do not: leave it out, or "
            "choose another with --optimizer."
        )


def show_lr_range(asked: Asked, settings: Train, *, json_file: Path | None) -> None:
    """Run the range test, and print its curve and what follows from it."""
    from ..train.lr_range import find_lr
    from ..types import Budget
    from .load import job_for
    from .progress import progress_for

    job = job_for(asked, Budget())
    found = find_lr(
        job.model, task=job.task, data=job.data, settings=settings, seed=job.seed, accelerator=job.accelerator,
        progress=progress_for(),
    )  # fmt: skip
    if as_json(found, json_file):
        return
    every = max(1, len(found.rates) // SHOWN)
    table(("lr", "loss", "smoothed", ""), _rows(found, every), right=("lr", "loss", "smoothed"))
    lines(found.reasons)


def _rows(found: LrRange, every: int) -> list[tuple[str, str, str, str]]:
    marks = {found.steepest: "steepest fall", found.lowest: "smallest", found.runaway: "lost again"}
    shown = [
        position for position, rate in enumerate(found.rates) if position % every == 0 or (marks.get(rate) is not None)
    ]
    return [
        (f"{found.rates[each]:.2g}", f"{found.losses[each]:.3f}", f"{found.smoothed[each]:.3f}",
         marks.get(found.rates[each], ""))
        for each in shown
    ]  # fmt: skip
