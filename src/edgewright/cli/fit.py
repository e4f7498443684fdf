"""`fit`: the main job, from the options to the verdict."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConfigError
from ..types import LIMITS, Budget
from . import options
from .guard import typed
from .show import as_json, lines

if TYPE_CHECKING:
    from ..recipes import Recipe

DEFAULT_DROP = 1.0

MaxDrop = Annotated[
    float | None,
    typer.Option(
        LIMITS["max_drop"].flag, metavar="PP", help="Largest loss of score in points; 1.0 unless --min-score is given."
    ),
]
MinScore = Annotated[
    float | None, typer.Option(LIMITS["min_score"].flag, metavar="X", help="Smallest score in points.")
]
LatencyMs = Annotated[
    float | None, typer.Option(LIMITS["latency_s"].flag, metavar="MS", help="Longest time for one image.")
]
RamKb = Annotated[
    float | None,
    typer.Option(
        LIMITS["ram_bytes"].flag, metavar="KB", help="RAM for tensors, 1 KB = 1,024 B; default: the device's."
    ),
]
FlashKb = Annotated[
    float | None,
    typer.Option(LIMITS["flash_bytes"].flag, metavar="KB", help="Size of the weights; default: the device's flash."),
]
EnergyMj = Annotated[
    float | None, typer.Option(LIMITS["energy_j"].flag, metavar="MJ", help="Energy for one image, millijoules.")
]


def budget_from(
    max_drop: float | None,
    min_score: float | None,
    *,
    latency_ms: float | None = None,
    ram_kb: float | None = None,
    flash_kb: float | None = None,
    energy_mj: float | None = None,
) -> Budget:
    """The limits in SI units.

    Raises:
        ConfigError: a limit is not positive, or a score is out of range.
    """
    if max_drop is None and min_score is None:
        max_drop = DEFAULT_DROP
    for name, points in {"max_drop": max_drop, "min_score": min_score}.items():
        if points is not None and not 0 <= points <= 100:
            raise ConfigError(f"{LIMITS[name].flag} is in points from 0 to 100, got {points:g}.")
    asked = {"latency_s": latency_ms, "ram_bytes": ram_kb, "flash_bytes": flash_kb, "energy_j": energy_mj}
    given = {name: number for name, number in asked.items() if number is not None}
    for name, number in given.items():
        if not 0 < number < math.inf or not LIMITS[name].from_flag(number) > 0:
            least = "at least one byte" if 0 < number < math.inf else "greater than 0 and finite"
            raise ConfigError(
                f"{LIMITS[name].flag} must be {least}, got {number:g}: leave it out for no limit of your own."
            )
    limits: dict[str, Any] = {name: LIMITS[name].from_flag(number) for name, number in given.items()}
    return Budget(max_drop=max_drop, min_score=min_score, **limits)


def fit(
    model: options.Model,
    data: options.Data,
    device: options.DeviceName,
    max_drop: MaxDrop = None,
    min_score: MinScore = None,
    latency_ms: LatencyMs = None,
    ram_kb: RamKb = None,
    flash_kb: FlashKb = None,
    energy_mj: EnergyMj = None,
    recipe: Annotated[
        str, typer.Option("--recipe", metavar="R", help="A named recipe, or a .json file with settings.")
    ] = "default",
    keep_macs: Annotated[
        float | None,
        typer.Option("--keep-macs", metavar="SHARE", help="Aim at this share of the MACs instead of searching."),
    ] = None,
    epochs: options.Epochs = None,
    weights: options.Weights = None,
    data_root: options.DataRoot = None,
    download: options.Download = False,
    image_size: options.ImageSize = None,
    channels: options.Channels = None,
    val_from: options.ValFrom = "train",
    out: options.Out = Path("runs/fit"),
    resume: options.Resume = False,
    accelerator: options.Accelerator = "cpu",
    seed: options.Seed = 0,
    json_file: options.Json = None,
) -> int:
    """Make MODEL fit DEVICE: prune, recover, quantize, export, and prove it in the real runtime.

    Exit code 0: done and proven; 1: done, but a limit is broken, and the answer says which.
    """
    budget = budget_from(
        max_drop, min_score, latency_ms=latency_ms, ram_kb=ram_kb, flash_kb=flash_kb, energy_mj=energy_mj
    )
    from .. import pipeline
    from ..report import summary_lines
    from .load import Asked, job_for
    from .progress import progress_for

    chosen = _recipe(recipe, keep_macs=keep_macs, epochs=epochs)
    asked = Asked(
        model=model, data=data, device=device, weights=weights, data_root=data_root, download=download,
        image_size=image_size, channels=channels, val_from=val_from, accelerator=accelerator, seed=seed,
    )  # fmt: skip
    job = job_for(asked, budget)
    found = pipeline.fit(job, out=out, recipe=chosen, resume=resume, command=typed(), progress=progress_for())
    if not as_json(found.content, json_file):
        lines(summary_lines(found.content))
        print(f"report: {found.page}")
    return 0 if found.passed else 1


def _recipe(name: str, *, keep_macs: float | None, epochs: int | None) -> Recipe:
    """The recipe of that name or file, with what the command line changes in it."""
    from ..recipes import recipe as find_recipe

    chosen = _recipe_file(Path(name)) if name.endswith(".json") else find_recipe(name)
    if keep_macs is not None:
        chosen = dataclasses.replace(chosen, keep_macs=keep_macs)
    return chosen if epochs is None else _with_epochs(chosen, epochs)


def _recipe_file(path: Path) -> Recipe:
    from ..files import read_json
    from ..recipes import Recipe

    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"Cannot read the recipe {path} ({error}): expected a JSON object of settings.") from error
    if not isinstance(content, dict):
        raise ConfigError(f"The recipe {path} is a {type(content).__name__}, expected a JSON object of settings.")
    return Recipe.from_plain(content)


def _with_epochs(chosen: Recipe, epochs: int) -> Recipe:
    train = dataclasses.replace(chosen.train, epochs=epochs)
    recover = dataclasses.replace(chosen.recover, train=dataclasses.replace(chosen.recover.train, epochs=epochs))
    return dataclasses.replace(chosen, train=train, recover=recover)
