"""The run directory: what was asked, each stage's result on disk, and the lock that keeps two runs apart.

    OUT/
    ├── run.json                 everything in plain data, written last
    ├── stages/NN-name/          stage.json, graph.json, weights.safetensors
    ├── stages/NN-name.KEY.work/ scratch of a stage that is under way (checkpoints); gone when it ends
    ├── facts/NAME.json          what was computed once besides (sensitivity, verification), under the key of its inputs
    ├── plan.json                of a run that pruned: what left the model
    ├── artifact/  artifact-fp32/
    └── report.html

A stage's key is the hash of all that decides its result: its settings but those that change nothing, the model that
goes in, data, device, budget and seed. A finished stage with the same key is loaded, never computed again. What a run
goes on with is always what is on the disk, so a resumed run and an uninterrupted one see the same bytes.
"""

from __future__ import annotations

import fcntl
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import fx

from . import __version__
from .errors import ConfigError, EdgewrightError
from .files import content_key, folder_atomic, read_json, read_tagged, writable_folder, write_json
from .model import fingerprint, load_model, save_model
from .progress import SILENT, Progress
from .types import (
    ARTIFACT_FOLDERS,
    EXPORT_FOLDERS,
    PLAN_FILE,
    RUN_FILE,
    RUN_FORMAT,
    Cost,
    Job,
    Score,
    Stage,
    StageResult,
    deciding,
    plain,
)

STAGE_FILE = "stage.json"
MOST_TOLD = 4  # differences from an earlier run
LONGEST_TOLD = 80  # characters of two values
CHEAP_S = 60.0  # what took longer is kept, whatever went wrong behind it


@dataclass(frozen=True, kw_only=True)
class Step:
    """One finished stage of a run."""

    index: int
    name: str
    title: str
    settings: dict[str, Any]
    result: StageResult
    cached: bool

    @property
    def model(self) -> fx.GraphModule:
        return self.result.model  # type: ignore[return-value]

    def as_plain(self) -> dict[str, Any]:
        """The entry of this step in `run.json`."""
        kept = {key: plain(getattr(self.result, key)) for key in ("score", "cost", "seconds", "notes", "details")}
        return {"index": self.index, "name": self.name, "title": self.title, "settings": self.settings,
                "cached": self.cached, **kept}  # fmt: skip


class Run:
    """An open run directory. `step` runs a stage or loads its result; `recall` does the same for plain facts."""

    def __init__(self, folder: Path, progress: Progress) -> None:
        self.folder = folder
        self.progress = progress
        self.steps: list[Step] = []

    def step(self, name: str, title: str, stage: Stage, job: Job) -> Step:
        """The result of `stage` on `job`, computed once and kept on disk."""
        index = len(self.steps) + 1
        settings = plain(stage)
        decided = _decided_by(stage, _inputs(job))
        folder = self.folder / "stages" / f"{index:02d}-{name}"
        cached = _is_finished(folder, decided["key"])
        if not cached:
            self.progress.note(f"{index}. {title}{_news(folder, decided)}")
            self._compute(folder, decided, stage, job)
        done = Step(index=index, name=name, title=title, settings=settings, result=_load(folder), cached=cached)
        self.steps.append(done)
        return done

    def _compute(self, folder: Path, decided: dict[str, Any], stage: Stage, job: Job) -> None:
        scratch = _scratch(folder, decided)
        for stale in folder.parent.glob(f"{folder.name}.*.work"):  # of a run with other settings
            if stale != scratch:
                shutil.rmtree(stale)
        scratch.mkdir(exist_ok=True)
        began = time.perf_counter()
        result = stage.run(replace(job, workdir=scratch), progress=self.progress)
        result = replace(result, seconds=time.perf_counter() - began)
        with folder_atomic(folder) as temporary:
            save_model(result.model, temporary)  # type: ignore[arg-type]
            facts = {name: plain(getattr(result, name)) for name in ("score", "cost", "seconds", "notes", "details")}
            write_json(temporary / STAGE_FILE, {**decided, "stage": type(stage).__name__, **facts})
        shutil.rmtree(scratch)

    def forget_others(self) -> None:
        """Remove stages that an earlier run with other settings left, and that this one did not come to."""
        mine = {f"{step.index:02d}-{step.name}" for step in self.steps}
        for folder in (self.folder / "stages").iterdir():
            if folder.name not in mine:
                shutil.rmtree(folder)

    def recall(self, name: str, key: str, compute: Callable[[], Any]) -> Any:
        """Plain facts that are computed once: `compute()` is called when the stored ones have another key."""
        path = self.folder / "facts" / f"{name}.json"
        stored = _stored(path)
        if stored.get("key") != key:
            path.parent.mkdir(exist_ok=True)
            write_json(path, {"key": key, "facts": plain(compute())})
            stored = read_json(path)
        return stored["facts"]


@contextmanager
def open_run(folder: Path, *, resume: bool, progress: Progress = SILENT) -> Iterator[Run]:
    """Open `folder` for one run, alone.

    Without `resume` the results of an earlier run in it are replaced; with it they are used where they still apply.
    A mistake in what was asked, one that shows before more than the model as given is done, leaves things as they were:
    no new folder, and the earlier results in their place.

    Raises:
        ConfigError: the folder cannot be written, holds something else than a run, or another run is using it.
    """
    _refuse_foreign(folder)
    is_new = not folder.exists()
    writable_folder(folder)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(
                f"Another run is using {folder}: wait for it, or choose another folder with --out."
            ) from error
        if not resume and (earlier := _earlier(folder)):
            progress.note(f"{folder} holds {earlier}, which this run replaces.")
        _clear(folder, keep_stages=resume)
        (folder / "stages").mkdir(exist_ok=True)
        run = Run(folder, progress)
        try:
            yield run
        except EdgewrightError:
            if len(run.steps) <= 1 and sum(step.result.seconds for step in run.steps) < CHEAP_S:
                _undo(folder, is_new=is_new)
            raise
        shutil.rmtree(folder / PREVIOUS, ignore_errors=True)


def read_run(folder: Path) -> dict[str, Any]:
    """The content of a finished run's `run.json`.

    Raises:
        ConfigError: there is no finished run in the folder.
        DataError: its `run.json` is damaged or of another format.
    """
    is_cut_short = (folder / "stages").is_dir()
    hint = "it did not finish: rerun `fit` with --resume" if is_cut_short else "give a run directory"
    absent = ConfigError(f"{folder} holds no {RUN_FILE}: {hint}.")
    return read_tagged(folder / RUN_FILE, RUN_FORMAT, absent=absent, remedy="rerun `fit` with --resume")


def load_final_model(folder: Path) -> fx.GraphModule:
    """The model of the last stage that a finished run chose."""
    return load_model(folder / read_run(folder)["final_model"])


def stage_key(stage: Stage, job: Job) -> str:
    """The hash of all that decides what `stage` makes of `job`."""
    return str(_decided_by(stage, _inputs(job))["key"])


def _inputs(job: Job) -> dict[str, Any]:
    """What decides beside the settings of a stage."""
    teacher = job.teacher
    if teacher is not None:  # one that only answers says itself who it is
        teacher = getattr(teacher, "identity", None) or fingerprint(teacher)  # type: ignore[arg-type, assignment]
    return {
        "model": fingerprint(job.model),  # type: ignore[arg-type]
        "teacher": teacher,
        "task": [type(job.task).__name__, plain(job.task)],
        "data": job.data.fingerprint,
        "preprocess": plain(job.data.preprocess),
        "device": plain(job.device),
        "budget": plain(job.budget),
        "seed": job.seed,
        "accelerator": job.accelerator,
    }


def _decided_by(stage: Stage, inputs: dict[str, Any]) -> dict[str, Any]:
    """The key of a result, and what it is made of in a form that a later run can tell differences by."""
    settings = deciding(stage)
    key = content_key(__version__, type(stage).__name__, settings, inputs)
    hashes = {name: content_key(value) for name, value in inputs.items()}
    return {"key": key, "version": __version__, "settings": plain(settings), "inputs": hashes}


def _scratch(folder: Path, decided: dict[str, Any]) -> Path:
    return folder.with_name(f"{folder.name}.{decided['key']}.work")


def _news(folder: Path, decided: dict[str, Any]) -> str:
    """Why a stage is computed though an earlier run has been here; "" where none has, or it did not say by what."""
    before = _stored(folder / STAGE_FILE)
    if "inputs" not in before:
        begun = [each for each in folder.parent.glob(f"{folder.name}.*.work") if each != _scratch(folder, decided)]
        return ", begun anew: what was begun here had other settings" if begun else ""
    names = [_told(*each) for each in _differing(before.get("settings"), decided["settings"])]
    names += [name for name, _, _ in _differing(before["inputs"], decided["inputs"])]
    names += [] if before.get("version") == __version__ else ["version of edgewright"]
    more = f" and {len(names) - MOST_TOLD} more" if len(names) > MOST_TOLD else ""
    return f", done anew for another {', '.join(names[:MOST_TOLD])}{more}" if names else ""


def _told(name: str, before: Any, now: Any) -> str:
    """The name, and both values where they fit into a sentence: a plan of widths or the rows of a scan do not."""
    values = f" ({before} before, {now} now)"
    return f"{name}{values}" if len(values) <= LONGEST_TOLD else name


def _differing(before: Any, now: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Name and both values of each entry of two nested dicts that differs."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in {**before, **now}:
            yield from _differing(before.get(key), now.get(key), f"{name}.{key}" if name else key)
    elif before != now:
        yield name, before, now


def _earlier(folder: Path) -> str:
    """What an earlier run has left, in words; "" for nothing."""
    asked = _stored(folder / RUN_FILE).get("asked")
    if isinstance(asked, dict):
        return f"a finished run of {asked.get('model')} on {asked.get('data')}"
    return "a run that did not finish" if any((folder / "stages").glob("[0-9]*")) else ""


def _is_finished(folder: Path, key: str) -> bool:
    return _stored(folder / STAGE_FILE).get("key") == key


def _stored(path: Path) -> dict[str, Any]:
    """What an earlier run left, nothing where it is missing or damaged: it is then computed again."""
    try:
        found = read_json(path)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _load(folder: Path) -> StageResult:
    facts = read_json(folder / STAGE_FILE)
    return StageResult(
        model=load_model(folder),
        score=Score(**facts["score"]) if facts["score"] else None,
        cost=Cost(**facts["cost"]) if facts["cost"] else None,
        notes=tuple(facts["notes"]),
        details=facts["details"],
        seconds=facts["seconds"],
    )


PREVIOUS = ".previous"  # the results that a run will replace, until it has some of its own
ARTIFACTS = dict.fromkeys((*ARTIFACT_FOLDERS.values(), *EXPORT_FOLDERS.values()))
OURS = ("stages", "facts", *ARTIFACTS, RUN_FILE, PLAN_FILE, "report.html", ".lock")


def _refuse_foreign(folder: Path) -> None:
    """A folder is ours when it is empty, new, or holds nothing but what a run leaves."""
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"The output folder {folder} is a file: choose another with --out.")
    try:
        foreign = [entry.name for entry in folder.iterdir() if entry.name not in OURS] if folder.exists() else []
    except OSError as error:
        raise ConfigError(
            f"Cannot read the output folder {folder} ({error.strerror}): choose another with --out."
        ) from error
    foreign = [
        name for name in foreign if name != PREVIOUS and not name.startswith(tuple(f".{ours}." for ours in OURS))
    ]
    if foreign:
        raise ConfigError(f"{folder} holds other files ({sorted(foreign)[0]}): choose an empty folder with --out.")


def _clear(folder: Path, *, keep_stages: bool) -> None:
    """Remove what a killed run left half-made, and set an earlier run aside unless it is resumed."""
    for entry in [*folder.glob(".*"), *folder.glob("*/.*")]:
        if entry.name != ".lock":
            _remove(entry)
    if not keep_stages:
        _move_ours(folder, folder / PREVIOUS)


def _undo(folder: Path, *, is_new: bool) -> None:
    """Leave the folder as it was found: a new one goes, an earlier run comes back."""
    if (folder / PREVIOUS).is_dir():
        for name in OURS[:-1]:
            _remove(folder / name)
        _move_ours(folder / PREVIOUS, folder)
        (folder / PREVIOUS).rmdir()
    elif is_new:
        shutil.rmtree(folder)


def _move_ours(source: Path, target: Path) -> None:
    for path in (source / name for name in OURS[:-1]):
        if path.exists():
            target.mkdir(exist_ok=True)
            path.rename(target / path.name)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


__all__ = ["RUN_FILE", "Run", "Step", "load_final_model", "open_run", "read_run", "stage_key"]
