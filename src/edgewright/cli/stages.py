"""`train`, and what the commands of single stages share: each leaves a run directory that is a MODEL again."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConfigError
from . import learning, options, scale
from .show import as_json, lines
from .transfer import Freeze, LabelSmoothing, LayerDecay, Loss, NewHead, UnfreezeEvery, fold_lines

if TYPE_CHECKING:
    from ..train import Train
    from ..types import Job, Stage
    from .load import Asked

DEVICE = "generic-x86"
OUT = Path("runs/train")
SCORE_NAMES = (
    "apoz", "bn-scale", "contribution", "geometric-median", "hessian", "l1", "l2", "random", "taylor",
)  # fmt: skip  # of `compress.prune.SCORES`: help must not load that room
RANKING_NAMES = ("planned", "local", "global", "isomorphic")  # "planned" and `compress.prune.RANKINGS`
PENALTY_NAMES = ("bn-l1", "group-lasso", "l1")  # of `compress.prune.PENALTIES`

OnDevice = Annotated[
    str, typer.Option("--device", metavar="DEVICE", help="Whose cost to count, and whose channel counts to prefer.")
]
Preset = Annotated[str, typer.Option("--preset", metavar="NAME", help="Start from the settings of this recipe.")]
Lr = Annotated[float | None, typer.Option("--lr", metavar="X", help="Largest learning rate.")]
BatchSize = Annotated[int | None, typer.Option("--batch-size", metavar="N", help="Images per step.")]
Augment = Annotated[
    str | None,
    typer.Option(
        "--augment", metavar="none|shift|crop-flip|rand|shift+rand|crop-flip+rand", help="How images are varied."
    ),
]


def train(
    model: options.Model,
    data: options.Data,
    preset: Preset = "default",
    epochs: options.Epochs = None,
    batch_size: BatchSize = None,
    optimizer: learning.Optimizer = None,
    schedule: learning.Schedule = None,
    lr: Lr = None,
    lr_scaling: learning.LrScaling = None,
    rates: learning.Rates = None,
    warmup_epochs: learning.WarmupEpochs = None,
    final_lr: learning.FinalLr = None,
    momentum: learning.Momentum = None,
    weight_decay: learning.WeightDecay = None,
    l1: learning.L1 = None,
    clip_norm: learning.ClipNorm = None,
    clip_value: learning.ClipValue = None,
    dropout: learning.Dropout = None,
    find_lr: learning.FindLr = False,
    augment: Augment = None,
    ema_decay: Annotated[
        float | None, typer.Option("--ema-decay", metavar="X", help="Keep a moving average of the weights.")
    ] = None,
    patience: Annotated[
        int | None, typer.Option("--patience", metavar="N", help="Stop when the score has not risen for N epochs.")
    ] = None,
    loss: Loss = None,
    label_smoothing: LabelSmoothing = None,
    new_head: NewHead = False,
    freeze: Freeze = None,
    unfreeze_every: UnfreezeEvery = None,
    layer_decay: LayerDecay = None,
    folds: Annotated[
        int | None, typer.Option("--folds", metavar="K", help="Cross-validate: K trainings, each judged on its fold.")
    ] = None,
    accumulate: scale.Accumulate = None,
    checkpointing: scale.Checkpointing = False,
    checkpoint_seconds: scale.CheckpointSeconds = None,
    dtype: scale.Dtype = None,
    mixup: scale.Mixup = None,
    cutmix: scale.CutMix = None,
    processes: scale.Processes = None,
    log: scale.LogFolder = None,
    dry_run: scale.DryRun = False,
    device: OnDevice = DEVICE,
    weights: options.Weights = None,
    data_root: options.DataRoot = None,
    download: options.Download = False,
    image_size: options.ImageSize = None,
    channels: options.Channels = None,
    val_from: options.ValFrom = "train",
    out: options.Out = OUT,
    resume: options.Resume = False,
    accelerator: options.Accelerator = "cpu",
    seed: options.Seed = 0,
    json_file: options.Json = None,
) -> None:
    """Train MODEL; the weights that scored best on the validation split are kept."""
    from ..recipes import recipe
    from .load import Asked

    changes = given(
        schedule=schedule, lr_scaling=lr_scaling, rates=rates, warmup_epochs=warmup_epochs, final_lr=final_lr,
        momentum=momentum, weight_decay=weight_decay, l1=l1,
        epochs=epochs, batch_size=batch_size, optimizer=optimizer, lr=lr, augment=augment, ema_decay=ema_decay,
        patience=patience, freeze=freeze, unfreeze_every=unfreeze_every, layer_decay=layer_decay,
        accumulate=accumulate, checkpointing=checkpointing or None, checkpoint_seconds=checkpoint_seconds, dtype=dtype,
        mixup=mixup, cutmix=cutmix, processes=processes, clip_norm=clip_norm, clip_value=clip_value, dropout=dropout,
    )  # fmt: skip
    asked = Asked(
        model=model, data=data, device=device, weights=weights, data_root=data_root, download=download,
        image_size=image_size, channels=channels, val_from=val_from, accelerator=accelerator, seed=seed,
        new_head=new_head, task=given(loss_name=loss, label_smoothing=label_smoothing),
    )  # fmt: skip
    if label_smoothing is not None:
        changes["label_smoothing"] = 0.0  # the task's replaces that of a preset
    stage = dataclasses.replace(recipe(preset).train, **learning.without_second_rise(changes))
    learning.refuse_unused(changes, stage)
    idle = given(out=None if out == OUT else out, resume=resume or None, processes=processes if find_lr else None)
    _refuse_several_jobs(given(folds=folds, log=log), idle, find_lr=find_lr, dry_run=dry_run)
    if find_lr:
        return learning.show_lr_range(asked, stage, json_file=json_file)
    if folds is not None:
        _run_folds(stage, asked, folds, out=out, resume=resume, json_file=json_file)
    else:
        _run("train", stage, asked, out=out, resume=resume, json_file=json_file, log=log, dry_run=dry_run)


def _refuse_several_jobs(told: dict[str, Any], idle: dict[str, Any], *, find_lr: bool, dry_run: bool) -> None:
    """A command does one of these; an option that would be ignored is none.

    Args:
        told: options that ask for another job.
        idle: options that say how a training is run, which a question does not do.

    Raises:
        ConfigError: names the two.
    """
    for flag, asked in (("--find-lr", find_lr), ("--dry-run", dry_run)):
        if asked and (idly := [*told, *idle]):
            raise ConfigError(f"{flag} trains nothing, so --{idly[0]} has no place beside it: leave one out.")
    if find_lr and dry_run:
        raise ConfigError("--find-lr and --dry-run are two questions: ask one at a time.")
    if len(told) > 1:
        raise ConfigError("--log writes one training, and --folds are several: leave one of the two out.")


def given(**settings: Any) -> dict[str, Any]:
    """The settings that the command line changes."""
    return {name: value for name, value in settings.items() if value is not None}


def _run(
    name: str, stage: Train, asked: Asked, *, out: Path, resume: bool, json_file: Path | None, log: Path | None,
    dry_run: bool,
) -> None:  # fmt: skip
    """Run one stage on what the options describe, or say what it would take."""
    from ..types import Budget
    from .load import job_for

    job = job_for(asked, Budget())
    if dry_run:
        scale.tell_forecast(job, stage, json_file)
    else:
        run_one(name, stage, job, out=out, resume=resume, json_file=json_file, log=log)


def _run_folds(
    stage: Stage, asked: Asked, num_folds: int, *, out: Path, resume: bool, json_file: Path | None,
) -> None:  # fmt: skip
    """Cross-validate a training on what the options describe."""
    from ..pipeline import cross_validate
    from ..types import Budget
    from .load import job_for
    from .progress import progress_for

    job = job_for(asked, Budget())
    found = cross_validate(job, stage, num_folds=num_folds, out=out, resume=resume, progress=progress_for())
    if not as_json(found.content, json_file):
        lines(fold_lines(found.content, found.folder))


def run_one(
    name: str, stage: Stage, job: Job, *, out: Path, resume: bool, json_file: Path | None, log: Path | None = None
) -> None:
    """Run one stage in a run directory of its own, with a log where a folder is given, and say what it did."""
    from ..pipeline import run_stage
    from ..report import summary_lines
    from .progress import progress_for

    found = run_stage(job, stage, name=name, out=out, resume=resume, progress=scale.logged(progress_for(), log))
    if not as_json(found.content, json_file):
        lines(summary_lines(found.content))
        print(f"model: {found.folder}")
