"""`fit()`: the only place where the rooms meet.

    as given or trained -> which limit binds? -> scan -> [plan -> prune -> recover -> quantize -> score] x rounds
        -> export -> judge in the runtime -> report

Each bracket is a round of the search in `targets`; every step is kept on disk by `runs`, so a killed run goes on where
it was.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from torch import nn

from ..errors import ModelError
from ..files import write_json
from ..model import capture
from ..model.quantized import is_quantized
from ..progress import SILENT, Progress
from ..recipes import RECIPES, Recipe
from ..report import write_report
from ..runs import RUN_FILE, Run, Step, open_run
from ..targets import TargetSearch
from ..types import Job, Report
from .evidence import Evidence, gather
from .given import AsGiven
from .record import content_of
from .rounds import Round, Solver, best_of

MAX_REPLANS = (
    2  # a measured latency corrects the estimate; what it takes after two corrections is not a matter of scale
)


def fit(
    job: Job,
    *,
    out: Path | str,
    recipe: Recipe | None = None,
    resume: bool = False,
    command: str | None = None,
    progress: Progress = SILENT,
) -> Report:
    """Make the job's model fit its device, prove it in the runtime, and write the page.

    Args:
        job: model, task, data (fitted to the model's input), device, budget, seed. Its model is not changed.
        out: the run directory; created.
        recipe: settings of every stage; the default recipe when None.
        resume: go on with a run that was interrupted in `out`.
        command: the line that was typed, for the record.
        progress: told what is going on.

    Returns:
        The report; `report.passed` says whether every check passed. A budget that cannot be met is no error: the
        report names the binding limit and the nearest feasible point.

    Raises:
        UserError: model, data, device, budget or folder cannot be used.
    """
    recipe = recipe or RECIPES["default"]
    job = prepared(job)
    with open_run(Path(out), resume=resume, progress=progress) as run:
        start = _start(run, job, recipe)
        job = replace(job, model=start.model, teacher=job.teacher or start.model)
        chosen, rounds, evidence, solver = _solve(run, job, start, recipe)
        run.forget_others()
        content = content_of(
            run,
            job,
            recipe,
            start=start,
            rounds=rounds,
            chosen=chosen,
            evidence=evidence,
            solver=solver,
            command=command,
        )
        write_json(run.folder / RUN_FILE, content)
        write_report(run.folder)
    return Report(folder=Path(out), content=content)


def prepared(job: Job) -> Job:
    """The job with its model captured, after a look at whether model, data and task belong together.

    Raises:
        ModelError: the model does not run on the data's images, or its outputs do not suit the task.
    """
    net = capture(job.model, job.data.preprocess.shape, name=job.model_name)
    if is_quantized(net):
        raise ModelError(
            f"{job.model_name} is in integers already: start from a float model, for instance a training's run."
        )
    inputs, _ = next(job.data.batches("val", batch_size=2))
    job.task.check_outputs(net(inputs), model_name=job.model_name)
    return replace(job, model=net, teacher=_teacher(job), budget=job.budget.within(job.device))


def _teacher(job: Job) -> nn.Module | None:
    """The teacher, captured unless it is one that only answers (it then has an `identity`)."""
    if job.teacher is None or hasattr(job.teacher, "identity"):
        return job.teacher
    return capture(job.teacher, job.data.preprocess.shape, name="The teacher")


def _start(run: Run, job: Job, recipe: Recipe) -> Step:
    """The model that everything is compared with: as given, or trained when it came without weights."""
    if job.trained:
        return run.step("given", "Model as given", AsGiven(), job)
    trained = run.step("train", "Train", recipe.train, job)
    return run.step("trained", "Model as trained", AsGiven(), job.with_model(trained.model))


def _solve(run: Run, job: Job, start: Step, recipe: Recipe) -> tuple[Round, list[Round], Evidence, Solver]:
    """Search, build the artifact of the best round and measure it; search again if what was measured breaks a limit."""
    solver = Solver.of(run, job, start, recipe)
    rounds: list[Round] = []
    for replans in range(1 + MAX_REPLANS):
        rounds = _search(run, solver, recipe, known=[solver.judged_again(each) for each in rounds])
        chosen = best_of(rounds, job.budget)
        evidence = gather(run, job, start, chosen)
        corrected = solver.corrected(chosen, evidence.known_latency_s)
        if corrected is None or replans == MAX_REPLANS:
            break
        run.progress.note(f"Latency is {corrected.correction:.2f}x the estimate: planning again.")
        solver = corrected
    return chosen, rounds, evidence, solver


def _search(run: Run, solver: Solver, recipe: Recipe, *, known: list[Round]) -> list[Round]:
    """The known rounds and those of one more search. What was tried before is not tried again."""
    search = TargetSearch(
        ceiling=solver.ceiling(), floor=solver.smallest, max_rounds=recipe.max_rounds, fixed=recipe.keep_macs
    )
    rounds = list(known)
    while (share := search.propose()) is not None:
        made = next((each for each in rounds if each.target == share), None)
        if made is None:
            made = solver.round(run, share, number=len(rounds) + 1)
            rounds.append(made)
            run.progress.note(f"Round {made.number}: {'accepted' if made.accepted else 'refused'}, {made.reason}")
        search.record(share, accepted=made.accepted)
    return rounds
