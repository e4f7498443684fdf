"""Options of large trainings, and what `train --dry-run` says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .show import as_json, lines

if TYPE_CHECKING:
    from ..pipeline.forecast import TrainingForecast
    from ..progress import Progress
    from ..train import Train
    from ..types import Job

Accumulate = Annotated[
    int | None,
    typer.Option("--accumulate", metavar="N", help="Learn from a batch in N parts: the same step in less memory."),
]
Checkpointing = Annotated[
    bool, typer.Option("--checkpointing", help="Compute activations twice instead of keeping them: less memory.")
]
CheckpointSeconds = Annotated[
    float | None,
    typer.Option("--checkpoint-seconds", metavar="S", help="Save within an epoch too when the last save is so old."),
]
Dtype = Annotated[
    str | None, typer.Option("--dtype", metavar="float32|bfloat16|float16", help="What layers compute in.")
]
Mixup = Annotated[
    float | None, typer.Option("--mixup", metavar="X", help="Mix pairs of images by shares from Beta(X, X).")
]
CutMix = Annotated[
    float | None, typer.Option("--cutmix", metavar="X", help="Paste rectangles whose area is from Beta(X, X).")
]
Processes = Annotated[
    int | None, typer.Option("--processes", metavar="N", help="N processes learn as one, each on a share of a batch.")
]
LogFolder = Annotated[
    Path | None,
    typer.Option("--log", metavar="DIR", help="Write history.jsonl and TensorBoard event files there."),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what the training would take, from a few steps of it, and end.")
]


def logged(progress: Progress, folder: Path | None) -> Progress:
    """The progress, which writes a log too where a folder is given."""
    from ..train.monitor import Logged

    return progress if folder is None else Logged(progress, folder)


def tell_forecast(job: Job, settings: Train, json_file: Path | None) -> None:
    """Print what the training of this job would take."""
    from ..pipeline.forecast import forecast_training
    from ..types import plain

    forecast = forecast_training(job, settings)
    totals = {"memory_bytes": forecast.memory_bytes, "total_s": forecast.total_s}
    if not as_json({**plain(forecast), **totals}, json_file):
        lines(_lines(forecast, settings))


def _lines(forecast: TrainingForecast, settings: Train) -> Iterator[str]:
    yield f"parameters  {forecast.parameters:,}, of which {forecast.trainable:,} learn"
    yield (
        f"plan        {forecast.epochs} epochs of {forecast.steps_per_epoch:,} steps: {forecast.images:,} images, "
        f"{settings.batch_size} a step, {forecast.images_at_once} at once in each of {settings.processes} process"
        f"{'es' if settings.processes > 1 else ''}"
    )
    yield f"settings    {settings.optimizer}, lr {settings.lr:g}, augment {settings.augment}, {settings.dtype}"
    parts = ", ".join(f"{name} {size / 1e6:,.1f}" for name, size in forecast.memory.items())
    yield f"memory      {forecast.memory_bytes / 1e6:,.1f} MB a process: {parts}"
    yield (
        f"time        about {_span(forecast.total_s)}: {1000 * forecast.step_s:,.1f} ms a step, "
        f"{forecast.score_s:,.2f} s to score val"
    )
    yield "Nothing was trained or written: leave out --dry-run to start."


def _span(seconds: float) -> str:
    minutes, hours = seconds / 60, seconds / 3600
    return f"{hours:.1f} h" if hours >= 1 else f"{minutes:.1f} min" if minutes >= 1 else f"{seconds:.1f} s"
