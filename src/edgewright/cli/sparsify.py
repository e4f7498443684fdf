"""`sparsify`: weights that are exactly 0, anywhere or N of M, and what they come to in each form of storage."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConfigError
from . import options
from .recovery import RECOVERIES, check_recovery, flags, recovery
from .show import as_json, lines, table
from .stages import DEVICE, Augment, BatchSize, Lr, OnDevice, Preset, given

if TYPE_CHECKING:
    from ..compress.prune.sparse import Sparsify
    from ..recipes import Recipe

# of `compress.prune.sparse`: help must not load that room
SCORE_NAMES = ("magnitude", "lamp", "taylor", "movement", "random")
SCHEDULE_NAMES = ("one-shot", "cubic", "steps")
SCOPE_NAMES = ("global", "layer")
OF_A_SHARE = ("scope", "schedule", "steps", "until")  # settings that say nothing about a pattern
OF_A_SCHEDULE = ("steps", "until")


def sparsify(
    model: options.Model,
    data: options.Data,
    sparsity: Annotated[
        float | None, typer.Option("--sparsity", metavar="SHARE", help="The share of the weights that is 0, like 0.9.")
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option("--pattern", metavar="N:M", help="Or: of M neighbouring input channels N stay, like 2:4."),
    ] = None,
    permute: Annotated[
        bool, typer.Option("--permute", help="With --pattern: order channels first, so that more of the energy stays.")
    ] = False,
    scope: Annotated[
        str | None,
        typer.Option("--scope", metavar="|".join(SCOPE_NAMES), help="Weights compete over all layers or within each."),
    ] = None,
    score: Annotated[
        str | None,
        typer.Option("--score", metavar="|".join(SCORE_NAMES), help="Which weights matter; default: magnitude."),
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option("--schedule", metavar="|".join(SCHEDULE_NAMES), help="Choose once, or ever more while it trains."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", metavar="N", help="How often a schedule chooses; default: 20.")
    ] = None,
    until: Annotated[
        float | None,
        typer.Option(
            "--until", metavar="SHARE", help="Of its training, when it has reached --sparsity; default: 0.75."
        ),
    ] = None,
    dense: Annotated[
        list[str] | None, typer.Option("--dense", metavar="LAYER", help="Stays dense; * and ? stand for names.")
    ] = None,
    dense_ends: Annotated[bool, typer.Option("--dense-ends", help="The first and the last layer stay dense.")] = False,
    recover: Annotated[
        str, typer.Option("--recover", metavar="|".join(RECOVERIES), help="What follows, with the zeros kept.")
    ] = "none",
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
    out: options.Out = Path("runs/sparsify"),
    resume: options.Resume = False,
    accelerator: options.Accelerator = "cpu",
    seed: options.Seed = 0,
    json_file: options.Json = None,
) -> None:
    """Make weights of MODEL exactly 0 where it hurts least, and let it recover with the zeros kept.

    Zeros alone make neither the dense file smaller nor the model faster: `edgewright pays` says what would.
    """
    from ..pipeline.sparse import sparsify as run_sparsify
    from ..recipes import recipe
    from .load import Asked, trained_job
    from .progress import progress_for

    settings = given(
        sparsity=sparsity, pattern=pattern, scope=scope, score=score, schedule=schedule, steps=steps, until=until,
        whole=tuple(dense) if dense else None, keep_ends=dense_ends or None, permute=permute or None,
    )  # fmt: skip
    training = given(epochs=epochs, batch_size=batch_size, lr=lr, augment=augment)
    _check(settings, training, recover)
    stage = _stage(recipe(preset), settings, training)
    recovering = recovery(recipe(preset), recover, training)
    asked = Asked(
        model=model, data=data, device=device, weights=weights, data_root=data_root, download=download,
        image_size=image_size, channels=channels, val_from=val_from, accelerator=accelerator, seed=seed,
    )  # fmt: skip
    job = trained_job(asked, "sparsify")
    found = run_sparsify(job, stage, out=out, recover=recovering, resume=resume, progress=progress_for())
    if not as_json(found.content, json_file):
        _show(found.content, found.folder)


def _check(settings: dict[str, Any], training: dict[str, Any], recover: str) -> None:
    """Refuse what contradicts itself, and options that would change nothing.

    Raises:
        ConfigError: names them.
    """
    if ("sparsity" in settings) == ("pattern" in settings):
        got = "both" if "sparsity" in settings else "neither"
        raise ConfigError(f"sparsify takes --sparsity SHARE or --pattern N:M, got {got}: give one of them.")
    if "permute" in settings and "pattern" not in settings:
        raise ConfigError("--permute orders channels for a pattern: add --pattern 2:4, or leave it out.")
    if "pattern" in settings and (told := flags(name for name in OF_A_SHARE if name in settings)):
        raise ConfigError(f"--pattern is chosen once in each layer: leave out {told}.")
    gradual = settings.get("schedule", "one-shot") != "one-shot"
    if not gradual and (told := flags(name for name in OF_A_SCHEDULE if name in settings)):
        raise ConfigError(f"{told} would change nothing: add --schedule cubic or steps.")
    check_recovery(recover, training, trains=gradual)


def _stage(recipe: Recipe, settings: dict[str, Any], training: dict[str, Any]) -> Sparsify:
    from ..compress.prune.sparse import Sparsify

    gradual = settings.get("schedule", "one-shot") != "one-shot"
    # a schedule runs to its end and averages nothing
    train = dataclasses.replace(recipe.train, **training, patience=None, ema_decay=None) if gradual else None
    return Sparsify(**settings, train=train, augment=recipe.prune.augment)


def _show(content: Any, folder: Path) -> None:
    from ..report import summary_lines

    found = content["sparsity"]
    lines(summary_lines(content))
    print()
    rows = [(each["layer"], f"{each['weights']:,}", f"{each['zeros']:,}", f"{each['share']:.2%}", each["dense"] or "")
            for each in found["layers"]]  # fmt: skip
    table(("layer", "weights", "zeros", "share", "dense because"), rows, right=("weights", "zeros", "share"))
    print()
    table(("all weights as", "bytes, float32", "of dense", "bytes, int8", "of dense "), _stored(found["bytes"]),
          right=("bytes, float32", "of dense", "bytes, int8", "of dense "))  # fmt: skip
    lines(note for note in _notes(content) if not note.startswith("Layer "))  # the table says it
    print(f"model: {folder}")


def _notes(content: Any) -> list[str]:
    return [note for stage in content["stages"] for note in stage["notes"] if stage["name"] == "sparsify"]


def _stored(bytes_: Any) -> list[tuple[str, ...]]:
    whole = bytes_["dense"]
    return [
        (form, *(cell for dtype in whole for cell in (f"{size[dtype]:,}", f"{size[dtype] / whole[dtype]:.1%}")))
        for form, size in bytes_.items()
    ]
