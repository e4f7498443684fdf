"""`advise`: how to train a network that has learnt elsewhere, with reasons; and the options of `train` that do it."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConfigError
from . import options
from .again import train_words
from .show import as_json, lines

if TYPE_CHECKING:
    from .load import Loaded

Freeze = Annotated[
    str | None,
    typer.Option(
        "--freeze", metavar="backbone|PART,...", help="What does not learn: all but the last layer, or these."
    ),
]
UnfreezeEvery = Annotated[
    int | None,
    typer.Option("--unfreeze-every", metavar="N", help="One frozen stage more learns after every N epochs."),
]
LayerDecay = Annotated[
    float | None,
    typer.Option("--layer-decay", metavar="X", help="Each stage learns at X times the rate of the next one."),
]
NewHead = Annotated[
    bool, typer.Option("--new-head", help="Put a new last layer for the classes of DATA on a trained MODEL.")
]
Loss = Annotated[
    str | None,
    typer.Option("--loss", metavar="cross-entropy|focal|bce|sigmoid-focal", help="What training makes small."),
]
LabelSmoothing = Annotated[
    float | None, typer.Option("--label-smoothing", metavar="X", help="Share of the target given to other classes.")
]


def advise(
    model: options.Model,
    data: options.Data,
    similar: Annotated[
        bool, typer.Option("--similar", help="MODEL has learnt from images like these; else it is measured.")
    ] = False,
    different: Annotated[bool, typer.Option("--different", help="MODEL has learnt from others.")] = False,
    small_below: Annotated[
        float | None, typer.Option("--small-below", metavar="N", help="Images per class that still count as few.")
    ] = None,
    weights: options.Weights = None,
    data_root: options.DataRoot = None,
    download: options.Download = False,
    image_size: options.ImageSize = None,
    channels: options.Channels = None,
    val_from: options.ValFrom = "train",
    seed: options.Seed = 0,
    json_file: options.Json = None,
) -> None:
    """Advise how to train a MODEL that has learnt elsewhere on DATA: what to freeze, what to fine-tune, and why."""
    if similar and different:
        raise ConfigError("--similar and --different contradict each other: give one of them, or none to measure it.")
    from ..train.transfer import SMALL, advise_transfer, worth_of_features
    from ..types import Budget
    from .load import Asked, job_for

    asked = Asked(
        model=model, data=data, device="generic-x86", weights=weights, data_root=data_root, download=download,
        image_size=image_size, channels=channels, val_from=val_from, seed=seed, new_head=True,
    )  # fmt: skip
    job = job_for(asked, Budget())
    is_told = similar or different
    worth = None if is_told else worth_of_features(job.model, job.data, seed=seed)
    images_per_class = len(job.data.split("train")) / job.data.num_classes
    found = advise_transfer(
        job.model, images_per_class=images_per_class, small_below=SMALL if small_below is None else small_below,
        is_similar=worth.is_similar if worth else similar,
    )  # fmt: skip
    command = f"{shlex.join(train_words(asked))} --new-head {found.flags}".strip()
    content = {"advice": found, "images_per_class": images_per_class, "worth": worth, "command": command}
    if not as_json(content, json_file):
        if worth:
            lines([
                f"Nearest neighbours tell the classes apart with {worth.features:.1f} points by the features of MODEL, "
                f"with {worth.pixels:.1f} by the pixels (+- {worth.std_error:.1f}, {worth.num_images} images): "
                f"{'similar' if worth.is_similar else 'not similar'}.",
            ])  # fmt: skip
        lines([*found.reasons, "", command])


def with_head(loaded: Loaded, num_classes: int, *, seed: int) -> Any:
    """The loaded model with a new last layer.

    Raises:
        ConfigError: its weights are random ones, which nothing can be transferred from.
        ModelError: it does not end in a linear layer or a convolution.
    """
    from ..train.transfer import with_new_head

    if not loaded.trained:
        raise ConfigError(
            f"{loaded.name} has random weights, and a new head is for trained ones: add --weights, or name a run."
        )
    return dataclasses.replace(loaded, net=with_new_head(loaded.net, num_classes, seed=seed), trained=False)


def fold_lines(content: dict[str, Any], folder: Path) -> list[str]:
    """What a cross-validation says: a line per fold, then mean and standard deviation."""
    folds = content["folds"]
    metric = folds[0]["score"]["metric"]
    rows = [
        f"fold {each['number']}  {metric} {each['score']['value']:.2f} on {each['score']['num_samples']} images never "
        f"learnt from  model: {folder / each['folder']}"
        for each in folds
    ]
    spread = f"{content['mean']:.2f} +- {content['std']:.2f}"
    return [*rows, f"{metric} {spread} (mean and standard deviation of {len(rows)} folds)"]
