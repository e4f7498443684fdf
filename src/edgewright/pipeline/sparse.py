"""Zeros, then recovery: what the command `sparsify` does.

    as given -> sparsify -> [recover, with the zeros kept]

Two stages of the run directory, so a killed run goes on where it was. Where recovery distills, the teacher is the job's
own, or the model as it came.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ..compress.distill import Distill
from ..compress.prune.sparse import Sparsify, accounts
from ..files import write_json
from ..progress import SILENT, Progress
from ..report import write_report
from ..runs import Run, Step, open_run
from ..train import Train
from ..types import RUN_FILE, Job, Report, plain
from .flow import prepared
from .given import AsGiven
from .single import stage_content

Recover = Train | Distill


def sparsify(
    job: Job,
    stage: Sparsify,
    *,
    out: Path | str,
    recover: Recover | None = None,
    resume: bool = False,
    progress: Progress = SILENT,
) -> Report:
    """Make weights of the job's model zero, and let it recover with the zeros kept.

    Args:
        stage: how many zeros, where, and chosen how.
        out: the run directory; created. Its `run.json` has the accounts of the final model under "sparsity".
        recover: a training on the labels (`Train`) or on the answers of the teacher (`Distill`); None trains nothing
            more. The zeros are kept whatever its settings say.
        resume: go on with a run that was interrupted in `out`.

    Raises:
        UserError: model, data or folder cannot be used.
        BudgetError: more zeros than a weight for each layer allows.
    """
    job = prepared(job)
    with open_run(Path(out), resume=resume, progress=progress) as run:
        given = run.step("given", "Model as given", AsGiven(), job)
        job = replace(job, model=given.model, teacher=job.teacher or given.model)
        done = run.step("sparsify", "Sparsify", stage, job)
        if recover is not None:
            how = "distillation" if isinstance(recover, Distill) else "training"
            done = run.step("recover", f"Recover by {how}", keeping_zeros(recover), job.with_model(done.model))
        run.forget_others()
        content = _content(run, job, (given, done), stage)
        write_json(run.folder / RUN_FILE, content)
        write_report(run.folder)
    return Report(folder=Path(out), content=content)


def keeping_zeros(recover: Recover) -> Recover:
    """The same training, in which weights that are 0 stay so."""
    if isinstance(recover, Train):
        return replace(recover, keep_zeros=True)
    return replace(recover, train=replace(recover.train, keep_zeros=True))


def _content(run: Run, job: Job, ends: tuple[Step, Step], stage: Sparsify) -> dict[str, Any]:
    given, done = ends
    content, found = stage_content(run, job, given, done), accounts(done.model, stage)
    content["asked"]["recipe"] = {f"{step.index:02d}-{step.name}": step.settings for step in run.steps[1:]}
    content["verdict"]["sentence"] = _sentence(given, done, found)
    return plain({**content, "sparsity": found})


def _sentence(given: Step, done: Step, found: dict[str, Any]) -> str:
    before, after = given.result.score, done.result.score
    assert before is not None and after is not None
    zeros = f"{found['zeros']:,} of {found['weights']:,} weights are 0 ({found['share']:.2%})"
    return f"Sparsify: {zeros}; {after.metric} on {after.split} {before.value:.2f} -> {after.value:.2f}."
