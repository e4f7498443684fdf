"""`tune`: search for the settings of a training, each trial a run that can be continued."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import ConfigError
from . import options
from .again import train_lines
from .recovery import flags
from .show import as_json, lines, table
from .stages import DEVICE, Augment, BatchSize, Lr, OnDevice, Preset, given

METHOD_NAMES = ("grid", "random", "bayes")  # of `pipeline.tuning.METHODS`: help must not load that room


def tune(
    model: options.Model,
    data: options.Data,
    vary: Annotated[
        list[str],
        typer.Option("--vary", metavar="NAME=VALUES", help="lr=1e-4..1e-1:log or optimizer=adamw|sgd; repeat it."),
    ],
    method: Annotated[
        str, typer.Option("--method", metavar="|".join(METHOD_NAMES), help="bayes needs Optuna.")
    ] = "random",
    trials: Annotated[int, typer.Option("--trials", metavar="N", help="At most so many trainings.")] = 20,
    folds: Annotated[
        int | None, typer.Option("--folds", metavar="K", help="Judge by the mean of K folds instead of by val.")
    ] = None,
    preset: Preset = "default",
    epochs: options.Epochs = None,
    batch_size: BatchSize = None,
    lr: Lr = None,
    augment: Augment = None,
    device: OnDevice = DEVICE,
    weights: options.Weights = None,
    data_root: options.DataRoot = None,
    download: options.Download = False,
    image_size: options.ImageSize = None,
    channels: options.Channels = None,
    val_from: options.ValFrom = "train",
    out: options.Out = Path("runs/tune"),
    resume: options.Resume = False,
    accelerator: options.Accelerator = "cpu",
    seed: options.Seed = 0,
    json_file: options.Json = None,
) -> None:
    """Train MODEL with many settings and tell which score best on the validation split."""
    from ..pipeline import Tune
    from ..pipeline import tune as search
    from ..recipes import recipe
    from ..types import Budget
    from .load import Asked, job_for
    from .progress import progress_for

    training = given(epochs=epochs, batch_size=batch_size, lr=lr, augment=augment)
    _refuse_fixed(vary, training)
    train = dataclasses.replace(recipe(preset).train, **training)
    settings = Tune(space=tuple(vary), method=method, trials=trials, folds=folds, train=train)
    asked = Asked(
        model=model, data=data, device=device, weights=weights, data_root=data_root, download=download,
        image_size=image_size, channels=channels, val_from=val_from, accelerator=accelerator, seed=seed,
    )  # fmt: skip
    found = search(job_for(asked, Budget()), settings, out=out, resume=resume, progress=progress_for())
    if not as_json(found.content, json_file):
        names = list(found.best.values)
        rows = [
            [trial.number, *(_text(trial.values[name]) for name in names), _text(trial.score), trial.reason]
            for trial in sorted(found.trials, key=lambda trial: (-(trial.score or 0), trial.number))
        ]
        table(["trial", *names, "score", ""], rows, right=["trial", *names, "score"])
        tested = f", test {found.score_test.value:.2f}" if found.score_test else ""
        lines(["", f"best: trial {found.best.number}{tested}"])
        if folds is None:
            lines([f"model: {found.folder / found.best.folder}"])
        else:  # K models, none of which has learnt from all images
            changes = {**training, **found.best.values}
            lines(train_lines(asked, changes, train=train, preset=preset, device=device if device != DEVICE else ""))


def _refuse_fixed(vary: list[str], training: dict[str, Any]) -> None:
    """Refuse a setting that is given a value and searched too.

    Raises:
        ConfigError: names it.
    """
    for text in vary:
        name = text.partition("=")[0].strip().replace("-", "_")
        if name in training:
            raise ConfigError(f"The search varies {name}, so {flags([name])} has no effect: leave one of the two out.")


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "none" if value is None else str(value)
