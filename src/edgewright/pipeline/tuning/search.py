"""`tune()`: train with many settings, each trial a run of its own, and keep the best on val."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...errors import ConfigError, ModelError
from ...files import writable_folder, write_json
from ...progress import SILENT, Progress
from ...runs import load_final_model, read_run
from ...tasks import evaluate
from ...train import Train
from ...types import Job, Score, plain
from ..flow import prepared
from ..folds import cross_validate
from ..single import run_stage
from .methods import METHODS, Trial, require_optuna
from .space import Space, changed, parse_space

TUNING_FILE, TUNING_FORMAT = "tuning.json", "edgewright.tuning/1"


@dataclass(frozen=True, kw_only=True)
class Tune:
    """A search for the settings of a training.

    Args:
        space: what it varies, texts `NAME=VALUES` (`space.parse_space`).
        method: "grid" tries every combination, "random" draws, "bayes" asks Optuna.
        trials: at most so many.
        folds: judge each trial by the mean of so many folds instead of by the val split.
        train: the settings that are not searched.
    """

    space: tuple[str, ...]
    method: str = "random"
    trials: int = 20
    folds: int | None = None
    train: Train = field(default_factory=Train)

    def __post_init__(self) -> None:
        object.__setattr__(self, "space", tuple(self.space))  # a list, when read from JSON
        if self.method not in METHODS:
            raise ConfigError(f"Tune.method is one of {', '.join(METHODS)}, got '{self.method}'.")
        if self.trials < 1:
            raise ConfigError(f"Tune.trials is a whole number from 1, got {self.trials}.")
        if self.folds is not None and self.folds < 2:
            raise ConfigError(f"Tune.folds is a whole number from 2, got {self.folds}.")
        if self.method == "grid":
            for name, values in self.parsed().items():
                values.grid(name)

    def parsed(self) -> Space:
        """The space, read.

        Raises:
            ConfigError: see `parse_space`.
        """
        return parse_space(self.space, self.train)


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """The trials and the best of them; `folder` holds their runs and `tuning.json`.

    The best trial's score on val is the largest of many and therefore too high; `score_test` is not.
    """

    folder: Path
    trials: tuple[Trial, ...]
    best: Trial
    score_test: Score | None  # None where the trials were judged by folds
    content: dict[str, Any]


def tune(job: Job, settings: Tune, *, out: Path | str, resume: bool = False, progress: Progress = SILENT) -> Tuned:
    """Search for the settings that score best.

    Args:
        job: the model as each trial starts from it, and the data.
        settings: what is varied, how, and how often.
        out: a folder for the summary and for each trial's run directory, a MODEL; with folds, a folder of as many run
            directories per trial, of which none has learnt from all images.
        resume: trials that are finished are not run again, and one that was interrupted goes on.

    Raises:
        ConfigError: a space that cannot be searched, or a folder that cannot be written or that another run is using.
        MissingExtraError: "bayes" without Optuna.
        ModelError: every trial failed.
    """
    if settings.method == "bayes":
        require_optuna()
    space = settings.parsed()
    job = prepared(job)
    folder = writable_folder(Path(out))
    search = _Search(job=job, settings=settings, folder=folder, resume=resume, progress=progress)
    trials: list[Trial] = []
    for number in range(1, settings.trials + 1):
        values = METHODS[settings.method](space, number, trials, job.seed)
        if values is None:
            break
        trials.append(search.trial(Trial(number=number, values=values, folder=f"trial-{number:03d}")))
        _write(folder, job, settings, trials)
    best = best_of(trials)
    score = None if settings.folds else evaluate(load_final_model(folder / best.folder), job.task, job.data, "test")
    content = _write(folder, job, settings, trials, best=best, score_test=score)
    return Tuned(folder=folder, trials=tuple(trials), best=best, score_test=score, content=content)


def best_of(trials: Sequence[Trial]) -> Trial:
    """The trial with the highest score, the first of equals.

    Raises:
        ModelError: every trial failed.
    """
    scored = [each for each in trials if each.score is not None]
    if not scored:
        raise ModelError(f"Each of {len(trials)} trials failed, the last one so: {trials[-1].reason}")
    return max(scored, key=lambda each: (each.score or 0.0, -each.number))


@dataclass(frozen=True, kw_only=True)
class _Search:
    """What all trials have in common."""

    job: Job
    settings: Tune
    folder: Path
    resume: bool
    progress: Progress

    def trial(self, trial: Trial) -> Trial:
        """The trial with its score; a training that fails is a result too."""
        said = ", ".join(f"{name}={value}" for name, value in trial.values.items())
        self.progress.note(f"Trial {trial.number}: {said}")
        try:
            train = changed(self.settings.train, trial.values)
        except ConfigError as error:  # settings that do not go together
            return replace(trial, reason=str(error))
        try:  # a folder that cannot be used is no result: that ConfigError ends the search
            score, seconds = self._scored(train, trial.folder)
        except ModelError as error:  # a loss that is not finite
            return replace(trial, reason=str(error))
        return replace(trial, score=score, seconds=seconds)

    def _scored(self, train: Train, name: str) -> tuple[float, float]:
        """The score, and the seconds that the training took, whenever that was."""
        out = self.folder / name
        if self.settings.folds is not None:
            found = cross_validate(
                self.job, train, num_folds=self.settings.folds, out=out, resume=self.resume, progress=self.progress
            )
            return found.mean, sum(_seconds(read_run(out / each.folder)) for each in found.folds)
        report = run_stage(self.job, train, name="train", out=out, resume=self.resume, progress=self.progress)
        return float(report.content["scores"]["after"]["value"]), _seconds(report.content)


def _seconds(content: Mapping[str, Any]) -> float:
    """What the last stage of a run took when it was computed."""
    return float(content["stages"][-1]["seconds"])


def _write(
    folder: Path, job: Job, settings: Tune, trials: Sequence[Trial], *, best: Trial | None = None,
    score_test: Score | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The summary so far."""
    content = plain({
        "format": TUNING_FORMAT, "model": job.model_name, "data": job.data.name, "seed": job.seed,
        "settings": settings, "trials": trials, "best": best and best.number, "score_test": score_test,
    })  # fmt: skip
    write_json(folder / TUNING_FILE, content)
    return content
