"""Self-distillation over generations: each has the form of the one before it, and learns from that one.

    drawn -> generation 0, on the labels -> [drawn anew -> generation k, taught by k - 1] x generations

Every bracket is a stage of the run directory, so a killed run goes on where it was. Source: Furlanello et al. 2018,
Born-Again Neural Networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..compress.distill import Distill, redrawn
from ..errors import ConfigError
from ..files import content_key, write_json
from ..model import fingerprint
from ..progress import SILENT, Progress
from ..report import write_report
from ..runs import Run, Step, open_run
from ..seeding import derive
from ..tasks import evaluate
from ..train import Train
from ..types import RUN_FILE, Job, Report, plain
from .flow import prepared
from .given import AsGiven
from .single import stage_content


@dataclass(frozen=True, kw_only=True)
class BornAgain:
    """How generations follow each other.

    Args:
        generations: how many learn from the one before them; generation 0, which learns from the labels, comes first.
        train: how generation 0 is trained.
        distill: what the later ones imitate, and how they are trained.
    """

    generations: int = 2
    train: Train = field(default_factory=Train)
    distill: Distill = field(default_factory=Distill)

    def __post_init__(self) -> None:
        if not isinstance(self.generations, int) or isinstance(self.generations, bool) or self.generations < 1:
            raise ConfigError(f"BornAgain.generations is a whole number from 1, got {self.generations!r}.")


def born_again(
    job: Job, settings: BornAgain, *, out: Path | str, resume: bool = False, progress: Progress = SILENT
) -> Report:
    """Train the job's untrained model, then generations of it that learn from each other; keep the best on val.

    Args:
        settings: how many generations, and how they learn.
        out: the run directory; created. It is the MODEL of the best generation, and its `run.json` has the scores of
            all under "generations".
        resume: go on with a run that was interrupted in `out`.

    Raises:
        ConfigError: a model that is trained already, or a teacher.
        UserError: model, data or folder cannot be used.
    """
    if job.trained:
        raise ConfigError(
            f"{job.model_name} is trained already, and every generation begins with random weights: name an untrained "
            "model, and leave --weights out."
        )
    if job.teacher is not None:
        raise ConfigError("Generations learn from each other: leave the teacher out.")
    job = prepared(job)
    with open_run(Path(out), resume=resume, progress=progress) as run:
        given = run.step("given", "Model as drawn", AsGiven(), job)
        steps = _steps(run, job.with_model(given.model), settings)
        run.forget_others()
        content = _content(run, job, given, steps)
        write_json(run.folder / RUN_FILE, content)
        write_report(run.folder)
    return Report(folder=Path(out), content=content)


def _steps(run: Run, job: Job, settings: BornAgain) -> list[Step]:
    """All generations. Weights and order of the images are drawn anew for each; those of generation 0 are a plain
    training's of the same seed."""
    steps = [run.step("generation", "Generation 0", settings.train, job)]
    for number in range(1, settings.generations + 1):
        drawn = redrawn(job.model, job.seed, "generation", number)
        seed = derive(job.seed, "distill.generation", number)
        taught = replace(job, model=drawn, teacher=steps[-1].model, seed=seed)
        steps.append(run.step("generation", f"Generation {number}", settings.distill, taught))
    return steps


def _content(run: Run, job: Job, given: Step, steps: Sequence[Step]) -> dict[str, Any]:
    """What `run.json` holds: as of any stage, with one row a generation."""
    key = content_key([fingerprint(step.model) for step in steps], job.data.fingerprint, plain(job.data.preprocess))
    on_test = run.recall(
        "generations", key, lambda: [evaluate(each.model, job.task, job.data, "test") for each in steps]
    )
    rows = [
        {"generation": number, "score": step.result.score, "score_test": test, "seconds": step.result.seconds}
        for number, (step, test) in enumerate(zip(steps, on_test, strict=True))
    ]
    best = max(range(len(steps)), key=lambda number: (_value(steps[number]), number))
    content = stage_content(run, job, given, steps[best])
    content["asked"]["recipe"] = {f"{step.index:02d}-{step.name}": step.settings for step in run.steps[1:]}
    content["chosen_stages"] = [given.index, *(step.index for step in steps[: best + 1])]
    told = ", ".join(f"{_value(step):.2f}" for step in steps)
    content["verdict"]["sentence"] = (
        f"Born again: generations 0 to {len(steps) - 1} score {told} on val; {best} is kept."
    )
    return plain({**content, "generations": rows, "kept_generation": best})


def _value(step: Step) -> float:
    assert step.result.score is not None
    return step.result.score.value
