"""`prune`: cut whole channels, at once or in steps, or carry out a plan; what left each group is printed."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConfigError
from . import options
from .recovery import RECOVERIES, check_recovery, recovery
from .show import as_json, lines, table
from .stages import DEVICE, PENALTY_NAMES, RANKING_NAMES, SCORE_NAMES, Augment, BatchSize, Lr, OnDevice, Preset, given

if TYPE_CHECKING:
    from ..compress.prune import Prepare, Prune, PrunePlan
    from ..pipeline.gradual import Schedule
    from ..recipes import Recipe

TARGETS = ("macs", "params", "bytes", "latency", "ram")  # of `compress.prune.QUANTITIES`, which help must not load
COUNTED_AT_DTYPE = ("bytes", "latency", "ram")
STEPS = 4  # cuts of a schedule
PREPARE_EPOCHS = 5
MAX_SCANNED = 4  # measurements shown of one group


def prune(
    model: options.Model,
    data: options.Data,
    keep_macs: Annotated[
        float | None, typer.Option("--keep-macs", metavar="SHARE", help="Share of the MACs that stays, such as 0.5.")
    ] = None,
    keep_params: Annotated[
        float | None, typer.Option("--keep-params", metavar="SHARE", help="Or of the parameters.")
    ] = None,
    keep_bytes: Annotated[
        float | None, typer.Option("--keep-bytes", metavar="SHARE", help="Or of the bytes of weights, at --dtype.")
    ] = None,
    keep_latency: Annotated[
        float | None,
        typer.Option("--keep-latency", metavar="SHARE", help="Or of the latency on the device, at --dtype."),
    ] = None,
    keep_ram: Annotated[
        float | None, typer.Option("--keep-ram", metavar="SHARE", help="Or of the peak RAM there, at --dtype.")
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option("--dtype", metavar="float32|float16|int8|int4", help="How the model will be stored and run."),
    ] = None,
    plan: Annotated[
        Path | None, typer.Option("--plan", metavar="FILE", help="Carry out the plan.json of an earlier run instead.")
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option("--schedule", metavar="one-shot|steps|cubic", help="Cut at once, in equal steps, or ever less."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", metavar="N", help=f"Cuts of a schedule; default: {STEPS}.")
    ] = None,
    scan: Annotated[
        str | None, typer.Option("--scan", metavar="each|once", help="Measure groups before each cut; default: each.")
    ] = None,
    recover: Annotated[
        str, typer.Option("--recover", metavar="|".join(RECOVERIES), help="What follows each cut.")
    ] = "none",
    round_to: Annotated[
        int | None,
        typer.Option("--round-to", metavar="N", help="Channel counts are multiples of N; default: the device's."),
    ] = None,
    whole: Annotated[
        str | None,
        typer.Option("--whole", metavar="NAME,...", help="Leave these groups whole; * and ? match, such as 'stem*'."),
    ] = None,
    min_keep: Annotated[
        float | None, typer.Option("--min-keep", metavar="SHARE", help="Least share of any group; default: 0.1.")
    ] = None,
    min_steps: Annotated[
        int | None,
        typer.Option(
            "--min-steps", metavar="N", help="Widths of a narrow group at least; 1: --round-to as given; default: 4."
        ),
    ] = None,
    score: Annotated[
        str | None,
        typer.Option("--score", metavar="|".join(SCORE_NAMES), help="Which channels matter; default: contribution."),
    ] = None,
    ranking: Annotated[
        str | None,
        typer.Option("--ranking", metavar="|".join(RANKING_NAMES), help="Which channels compete; default: planned."),
    ] = None,
    prepare: Annotated[
        str | None,
        typer.Option("--prepare", metavar="|".join(PENALTY_NAMES), help="Before the cut, train with this penalty."),
    ] = None,
    prepare_strength: Annotated[
        float | None, typer.Option("--prepare-strength", metavar="X", help="How hard it pulls; default: 0.001.")
    ] = None,
    prepare_epochs: Annotated[
        int | None, typer.Option("--prepare-epochs", metavar="N", help=f"For so long; default: {PREPARE_EPOCHS}.")
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
    out: options.Out = Path("runs/prune"),
    resume: options.Resume = False,
    accelerator: options.Accelerator = "cpu",
    seed: options.Seed = 0,
    json_file: options.Json = None,
) -> None:
    """Cut whole channels out of MODEL, where it hurts least, and let it recover."""
    from ..pipeline.gradual import prune_gradually
    from ..recipes import recipe
    from .load import Asked, trained_job
    from .progress import progress_for

    shares = given(macs=keep_macs, params=keep_params, bytes=keep_bytes, latency=keep_latency, ram=keep_ram)
    settings = given(
        round_to=round_to, score=score, ranking=ranking, dtype=dtype, min_keep=min_keep, min_steps=min_steps,
        whole=None if whole is None else tuple(whole.split(",")),
    )  # fmt: skip
    shared = given(batch_size=batch_size, lr=lr, augment=augment)
    first = _asked_preparation(recipe(preset), prepare, given(strength=prepare_strength, epochs=prepare_epochs), shared)
    what = _asked_cut(recipe(preset), shares, settings, plan)
    if scan is not None and ranking not in (None, "planned"):
        raise ConfigError(f"--scan measures groups for --ranking planned, and {ranking} asks for none: leave it out.")
    course = _asked_schedule(schedule, steps, scan, plan)
    training = {**given(epochs=epochs), **({} if first is not None and recover == "none" else shared)}
    check_recovery(recover, training)
    recovering = recovery(recipe(preset), recover, training)
    asked = Asked(
        model=model, data=data, device=device, weights=weights, data_root=data_root, download=download,
        image_size=image_size, channels=channels, val_from=val_from, accelerator=accelerator, seed=seed,
    )  # fmt: skip
    job = trained_job(asked, "prune")
    found = prune_gradually(
        job, what, out=out, schedule=course, prepare=first, recover=recovering, resume=resume, progress=progress_for()
    )
    if not as_json(found.content, json_file):
        _show(found.content, found.folder)


def _asked_cut(
    recipe: Recipe, shares: dict[str, float], settings: dict[str, Any], plan: Path | None
) -> Prune | PrunePlan:
    """What is cut: a share of something, or a plan.

    Raises:
        ConfigError: both, neither, more than one share, or a setting that would change nothing.
    """
    from ..compress.prune import read_plan

    flags = [f"--keep-{name}" for name in shares]
    if plan is not None:
        told = [*flags, *(f"--{name.replace('_', '-')}" for name in settings)]
        if told:
            raise ConfigError(f"--plan says what leaves: leave out {', '.join(told)}.")
        return read_plan(plan)
    if len(shares) != 1:
        got = " and ".join(flags) or "none"
        every = ", ".join(f"--keep-{name}" for name in TARGETS)
        raise ConfigError(f"prune aims at one share, got {got}: give one of {every}, or --plan.")
    ((target, keep),) = shares.items()
    if "dtype" in settings and target not in COUNTED_AT_DTYPE:
        raise ConfigError(f"--dtype changes nothing about {flags[0]}: leave it out.")
    return dataclasses.replace(recipe.prune.aiming_at(target, keep), **settings)


def _asked_schedule(course: str | None, steps: int | None, scan: str | None, plan: Path | None) -> Schedule:
    from ..pipeline.gradual import Schedule

    told = [f"--{name}" for name in given(steps=steps, scan=scan)]
    if plan is not None and (told or course is not None):
        named = ["--schedule"] * (course is not None) + told
        raise ConfigError(f"--plan is carried out in one cut: leave out {', '.join(named)}.")
    if course in (None, "one-shot") and told:
        raise ConfigError(f"Only --schedule steps or cubic takes {' and '.join(told)}: name one, or leave it out.")
    course = course or "one-shot"
    number = 1 if course == "one-shot" else STEPS if steps is None else steps
    return Schedule(course=course, steps=number, **given(scan=scan))


def _asked_preparation(
    recipe: Recipe, penalty: str | None, settings: dict[str, Any], training: dict[str, Any]
) -> Prepare | None:
    """The training before the cut. Recovery and it share how they learn, not for how long.

    Raises:
        ConfigError: settings of a preparation without one.
    """
    from ..compress.prune import Prepare

    if penalty is None:
        if settings:
            told = ", ".join(f"--prepare-{name}" for name in settings)
            raise ConfigError(f"{told} would change nothing: name a penalty with --prepare, or leave it out.")
        return None
    epochs = settings.pop("epochs", PREPARE_EPOCHS)
    train = dataclasses.replace(recipe.recover.train, epochs=epochs, keep="last", **training)
    return Prepare(penalty=penalty, train=train, **settings)


def _show(content: Any, folder: Path) -> None:
    from ..report import summary_lines
    from ..types import PLAN_FILE

    lines(summary_lines(content))
    print()
    table(("group", "channels", "kept", "rise of the loss", "when it alone is cut"), _rows(content),
          right=("channels", "kept", "rise of the loss"))  # fmt: skip
    lines(note for stage in content["stages"] for note in stage["notes"] if stage["name"] == "prune" and _is_news(note))
    print(f"model: {folder}, plan: {folder / PLAN_FILE}")


def _is_news(note: str) -> bool:
    return not note.startswith("Group ")  # the table says it


def _rows(content: Any) -> list[tuple[str, ...]]:
    """A row per group: widths in channels, the expected rise of the loss, and what the scan measured."""
    scanned: dict[str, list[Any]] = {}
    for row in content["sensitivity"]:
        scanned.setdefault(row["group"], []).append(row)
    rows: list[tuple[str, ...]] = []
    for each in content["groups"]:
        width = each["channels_per_class"]
        whole, kept = each["classes"] * width, each["kept"] * width
        rise = "" if each["rise"] is None or each["locked"] else f"{each['rise']:.3f}"
        why = f"cannot be cut because {each['locked']}" if each["locked"] else _measured(scanned.get(each["group"], []))
        rows.append((each["group"], str(whole), str(kept), rise, why))
    return rows


def _measured(rows: list[Any]) -> str:
    """`+0.010 at 75 %, +0.120 at 50 %`: the rise of the loss at each share that was measured."""
    base, cut = rows[0]["loss"] if rows else None, rows[1:][:MAX_SCANNED]
    if base is None:
        return ""
    return ", ".join(f"{row['loss'] - base:+.3f} at {row['keep']:.0%}" for row in cut if row["loss"] is not None)
