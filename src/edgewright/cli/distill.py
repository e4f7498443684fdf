"""`distill`: a student learns from a teacher, from its own earlier generations, or among peers."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConfigError
from . import options
from .kinds import KIND_NAMES, TERM_WEIGHTS, WAYS, Kinds, parse_kinds, weighed
from .recovery import flags
from .show import as_json, lines, table
from .stages import DEVICE, Augment, BatchSize, Lr, OnDevice, Preset, given, run_one

if TYPE_CHECKING:
    from ..compress.distill import Distill
    from ..pipeline.generations import BornAgain
    from ..recipes import Recipe
    from ..types import Job


def distill(
    model: Annotated[str, typer.Argument(metavar="STUDENT", help="The model that learns: as MODEL elsewhere.")],
    data: options.Data,
    teacher: Annotated[
        str | None,
        typer.Option("--teacher", metavar="T", help="The model that it learns from: a MODEL too, or an artifact."),
    ] = None,
    teacher_weights: Annotated[
        Path | None, typer.Option("--teacher-weights", metavar="FILE", help="State dict to load into the teacher.")
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind",
            metavar="KIND[:WEIGHT],...",
            help=f"What it imitates: {', '.join(KIND_NAMES)}; several with commas between. Default: soft.",
        ),
    ] = None,
    alpha: Annotated[
        float | None, typer.Option("--alpha", metavar="X", help="Weight of the labels; the rest weighs the teacher.")
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option("--temperature", metavar="T", help="Softens both answers; its square weighs the soft term."),
    ] = None,
    features: Annotated[
        float | None, typer.Option("--features", metavar="X", help="Weight of the distance between feature maps.")
    ] = None,
    generations: Annotated[
        int | None, typer.Option("--generations", metavar="N", help="Of born-again, after the first; default: 2.")
    ] = None,
    peers: Annotated[int | None, typer.Option("--peers", metavar="N", help="Of mutual; default: 2.")] = None,
    keep_answers: Annotated[
        Path | None,
        typer.Option("--keep-answers", metavar="DIR", help="Keep the teacher's answers there, and find them again."),
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
    out: options.Out = Path("runs/distill"),
    resume: options.Resume = False,
    accelerator: options.Accelerator = "cpu",
    seed: options.Seed = 0,
    json_file: options.Json = None,
) -> None:
    """Train STUDENT on the labels and on what a teacher, its own earlier generations or its peers make of them."""
    from ..pipeline.generations import BornAgain
    from ..recipes import recipe
    from ..types import Budget
    from .load import Asked, job_for

    kinds = parse_kinds(kind) if kind else {}
    own = given(alpha=alpha, temperature=temperature, features=features)
    alone = given(generations=generations, peers=peers, keep_answers=keep_answers, teacher_weights=teacher_weights)
    _check(kinds, own, alone, teacher=teacher)
    training = given(epochs=epochs, batch_size=batch_size, lr=lr, augment=augment)
    settings = _settings(recipe(preset), kinds, own, training)
    if temperature is not None and "mutual" not in kinds and not {"soft", "decoupled"} & set(settings.weights):
        raise ConfigError(
            "--temperature changes nothing where neither soft nor decoupled counts: leave it out, or add one of them "
            "to --kind."
        )
    looks_inside = bool(set(settings.weights) - {"soft", "decoupled"})
    if keep_answers is not None and looks_inside:
        raise ConfigError(
            "--keep-answers keeps what a teacher says and not what it sees: leave it out, or imitate answers only "
            "(soft, decoupled)."
        )
    asked = Asked(
        model=model, data=data, device=device, weights=weights, data_root=data_root, download=download,
        image_size=image_size, channels=channels, val_from=val_from, accelerator=accelerator, seed=seed,
        teacher=teacher, teacher_weights=teacher_weights, answers_only=not looks_inside,
    )  # fmt: skip
    job = job_for(asked, Budget())
    where: dict[str, Any] = {"out": out, "resume": resume, "json_file": json_file}
    if "mutual" in kinds:
        run_one("mutual", _mutual(kinds, own, recipe(preset), training, peers), _untrained(job, "mutual"), **where)
    elif "born-again" in kinds:
        train = dataclasses.replace(recipe(preset).train, **training)
        born = BornAgain(train=train, distill=settings, **given(generations=generations))
        _run_generations(_untrained(job, "born-again"), born, **where)
    else:
        _run_taught(job, settings, keep_answers, **where)


def _check(kinds: Kinds, own: dict[str, Any], alone: dict[str, Any], *, teacher: str | None) -> None:
    """Refuse options that contradict each other or would change nothing.

    Raises:
        ConfigError: names them.
    """
    way = next((name for name in WAYS if name in kinds), None)
    if way is None and teacher is None:
        raise ConfigError("distill needs somebody to learn from: add --teacher, or --kind born-again or mutual.")
    if way is not None and teacher is not None:
        raise ConfigError(f"--kind {way} has no teacher: leave out --teacher, or name another kind.")
    useless = {"generations": "born-again", "peers": "mutual"}
    for name, needed in useless.items():
        if name in alone and way != needed:
            raise ConfigError(f"--{name} changes nothing without --kind {needed}: leave it out.")
    if way is not None and "keep_answers" in alone:
        raise ConfigError(f"--keep-answers keeps those of a teacher, and --kind {way} has none: leave it out.")
    if way is not None and "teacher_weights" in alone:
        raise ConfigError(f"--teacher-weights are those of a teacher, and --kind {way} has none: leave them out.")
    refused = {"alpha", "features"} & set(own)
    if way == "mutual" and refused:
        raise ConfigError(f"{flags(sorted(refused))} changes nothing about peers: write their weight as mutual:0.5.")
    if "features" in own and "features" in kinds:
        raise ConfigError("--features and --kind features are the same weight: give one of them.")


def _settings(recipe: Recipe, kinds: Kinds, own: dict[str, Any], training: dict[str, Any]) -> Distill:
    start = recipe.recover
    start = dataclasses.replace(start, train=dataclasses.replace(start.train, **training))
    return weighed(start, {name: weight for name, weight in kinds.items() if name in TERM_WEIGHTS}, own)


def _mutual(kinds: Kinds, own: dict[str, Any], recipe: Recipe, training: dict[str, Any], peers: int | None) -> Any:
    from ..compress.distill import Mutual

    train = dataclasses.replace(recipe.train, **training)
    return Mutual(train=train, **given(peers=peers, weight=kinds["mutual"]), **own)


def _untrained(job: Job, way: str) -> Job:
    if job.trained:
        raise ConfigError(
            f"{job.model_name} is trained already, and {way} begins with random weights: name an untrained model, and "
            "leave --weights out."
        )
    return job


def _run_generations(job: Job, born: BornAgain, *, out: Path, resume: bool, json_file: Path | None) -> None:
    """Generations in one run directory, and a row for each."""
    from ..pipeline.generations import born_again
    from ..report import summary_lines
    from .progress import progress_for

    found = born_again(job, born, out=out, resume=resume, progress=progress_for())
    if not as_json(found.content, json_file):
        lines([*summary_lines(found.content), ""])
        headings = ("generation", "val", "test", "kept")
        table(headings, _generation_rows(found.content), right=headings[:-1])
        print(f"model: {found.folder}")


def _generation_rows(content: Any) -> list[tuple[str, ...]]:
    kept = content["kept_generation"]
    return [
        (str(each["generation"]), f"{each['score']['value']:.2f}", f"{each['score_test']['value']:.2f}",
         "kept" if each["generation"] == kept else "")
        for each in content["generations"]
    ]  # fmt: skip


def _run_taught(
    job: Job, settings: Distill, keep_answers: Path | None, *, out: Path, resume: bool, json_file: Path | None
) -> None:
    """One distillation, its teacher's answers kept if that is asked for."""
    from .teachers import told, with_kept_answers

    kept = None
    if keep_answers is not None:
        job, kept = with_kept_answers(job, keep_answers, augment=settings.train.augment)
    run_one("distill", settings, job, out=out, resume=resume, json_file=json_file)
    if kept is not None and str(json_file) != "-":
        print(told(kept))
