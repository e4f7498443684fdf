"""Pruning at once or in several steps, with a recovery after each: what the command `prune` does.

    as given -> (prepare) -> [prune -> recover] x steps

Every bracket is two stages of the run directory, so a killed run goes on where it was. All shares are of the model as
it came, which is also the teacher where recovery distills.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ..compress.distill import Distill
from ..compress.prune import ApplyPlan, CutStep, Planner, Prepare, Prune, PrunePlan, apply_plan, composed, save_plan
from ..compress.prune.schedule import COURSES
from ..errors import ConfigError, unknown_name
from ..files import content_key, write_json
from ..model import find_channels
from ..progress import SILENT, Progress
from ..report import write_report
from ..runs import Run, Step, open_run, stage_key
from ..train import Train
from ..types import PLAN_FILE, RUN_FILE, Job, Report, Stage, plain
from .flow import prepared
from .given import AsGiven
from .record import stage_entry
from .single import stage_content

Recover = Train | Distill


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How far each of several cuts goes.

    Args:
        course: "one-shot"; "steps", which take the same share of what is left each time; "cubic", which go far at
            first and little at the end (Zhu and Gupta 2017, arXiv:1710.01878).
        steps: how many cuts; a one-shot is one.
        scan: measure the groups before "each" cut, or "once" and read the later ones off that.
    """

    course: str = "one-shot"
    steps: int = 1
    scan: Literal["each", "once"] = "each"

    def __post_init__(self) -> None:
        if self.course not in ("one-shot", *COURSES):
            raise unknown_name("schedule", self.course, ("one-shot", *COURSES), command="edgewright prune --help")
        if self.steps < 1 or (self.course == "one-shot" and self.steps != 1):
            least = "1 for a one-shot" if self.course == "one-shot" else "a whole number from 1"
            raise ConfigError(f"Schedule.steps is {least}, got {self.steps}.")
        if self.scan not in ("each", "once"):
            raise ConfigError(f"Schedule.scan is each or once, got '{self.scan}'.")

    def shares(self, keep: float) -> tuple[float, ...]:
        """The share that stays after each cut; the last is `keep` itself."""
        if self.course == "one-shot":
            return (keep,)
        course = COURSES[self.course]
        return (*(1 - course(0.0, 1 - keep, step / self.steps) for step in range(1, self.steps)), keep)


def prune_gradually(
    job: Job,
    prune: Prune | PrunePlan,
    *,
    out: Path | str,
    schedule: Schedule | None = None,
    prepare: Prepare | None = None,
    recover: Recover | None = None,
    resume: bool = False,
    progress: Progress = SILENT,
) -> Report:
    """Cut the job's model, at once or in steps, and let it recover after each.

    Args:
        prune: what to aim at and how; or a plan of an earlier cut, to be carried out again.
        out: the run directory; created. It holds `plan.json`, all cuts as one plan for the model as it came.
        schedule: how the way to the share is divided; one cut when None.
        prepare: a training before the first cut that shrinks what will leave; None trains nothing.
        recover: a training after each cut, on the labels (`Train`) or on the answers of the job's teacher, the model
            as it came where it has none (`Distill`); None trains nothing.
        resume: go on with a run that was interrupted in `out`.

    Raises:
        UserError: model, data, plan or folder cannot be used.
        BudgetError: the model cannot be cut that far; names the smallest share that can be reached.
    """
    schedule = schedule or Schedule()
    if isinstance(prune, PrunePlan) and schedule != Schedule():
        raise ConfigError("A plan is carried out in one cut: leave the schedule out.")
    job = prepared(job)
    with open_run(Path(out), resume=resume, progress=progress) as run:
        given = run.step("given", "Model as given", AsGiven(), job)
        job = replace(job, model=given.model, teacher=job.teacher or given.model)
        if prepare is not None:
            _check(job, prune)
            job = job.with_model(run.step("prepare", f"Prepare by {prepare.penalty}", prepare, job).model)
        cuts = _cuts(run, job, prune, schedule)
        steps = _carry_out(run, job, cuts, recover)
        plans = [PrunePlan.from_plain(each.result.details["plan"]) for each in steps if each.name == "prune"]
        plan = composed(plans, asked=prune.target_keep if isinstance(prune, PrunePlan) else prune.target[1])
        run.forget_others()
        content = _content(run, job, given, steps, plan)
        save_plan(plan, run.folder / PLAN_FILE)
        write_json(run.folder / RUN_FILE, content)
        write_report(run.folder)
    return Report(folder=Path(out), content=content)


def _check(job: Job, prune: Prune | PrunePlan) -> None:
    """Refuse before a training what could not be cut after it."""
    if isinstance(prune, PrunePlan):
        apply_plan(job.model, prune)  # type: ignore[arg-type]
        return
    target, keep = prune.target
    Planner(job, prune).require(keep, target)


def _cuts(run: Run, job: Job, prune: Prune | PrunePlan, schedule: Schedule) -> list[Stage]:
    """The stage of each cut. Nothing is begun that cannot be finished: the last share is looked at first."""
    if isinstance(prune, PrunePlan):
        return [ApplyPlan(plan=prune)]
    planner, (target, keep) = Planner(job, prune), prune.target
    planner.require(keep, target)
    if schedule.steps == 1:
        return [prune]
    scanned = _scanned(run, job, planner) if schedule.scan == "once" else None
    shares = schedule.shares(keep)
    return [
        CutStep(
            prune=prune.aiming_at(target, share), step=number, steps=len(shares), start=planner.value(target),
            sizes={group.name: group.num_classes for group in planner.channels.groups}, last_keep=keep, scanned=scanned,
        )
        for number, share in enumerate(shares, start=1)
    ]  # fmt: skip


def _scanned(run: Run, job: Job, planner: Planner) -> tuple[Mapping[str, Any], ...]:
    """The scan of the model as it came, kept on disk."""
    key = content_key(stage_key(planner.settings, job))
    return tuple(run.recall("sensitivity", key, lambda: planner.scan(progress=run.progress)))


def _carry_out(run: Run, job: Job, cuts: Sequence[Stage], recover: Recover | None) -> list[Step]:
    steps: list[Step] = []
    for number, cut in enumerate(cuts, start=1):
        where = f"Step {number} of {len(cuts)}: " if len(cuts) > 1 else ""
        steps.append(run.step("prune", f"{where}prune".capitalize(), cut, job))
        job = job.with_model(steps[-1].model)
        if recover is not None:
            how = "by distillation" if isinstance(recover, Distill) else "by training"
            steps.append(run.step("recover", f"{where}recover {how}".capitalize(), recover, job))
            job = job.with_model(steps[-1].model)
    return steps


def _content(run: Run, job: Job, given: Step, steps: Sequence[Step], plan: PrunePlan) -> dict[str, Any]:
    """What `run.json` holds: as of any stage, with the groups, their scan and the plan."""
    content = stage_content(run, job, given, steps[-1])
    stages = [stage_entry(step, job) for step in run.steps]
    content["asked"]["recipe"] = {f"{step.index:02d}-{step.name}": step.settings for step in run.steps[1:]}
    content["verdict"]["sentence"] = _sentence(given, steps[-1], plan)
    scanned = steps[0].result.details.get("sensitivity", [])
    return plain({**content, "stages": stages, "groups": _groups(given, plan), "sensitivity": scanned, "plan": plan})


def _groups(given: Step, plan: PrunePlan) -> list[dict[str, Any]]:
    """One row per coupled group: its layers, width before and after, and why it is locked if it is."""
    planned = {group.name: group for group in plan.groups}
    return [
        {
            "group": group.name,
            "classes": group.num_classes,
            "channels_per_class": group.width,
            "layers": list(dict.fromkeys(member.path for member in group.members)),
            "kept": group.num_classes - len(planned[group.name].dropped),
            "rise": planned[group.name].rise if plan.measured else None,
            "locked": group.locked,
        }
        for group in find_channels(given.model).groups
    ]


def _sentence(given: Step, done: Step, plan: PrunePlan) -> str:
    before, after = given.result.score, done.result.score
    assert before is not None and after is not None
    counted = f" ({plan.counted})" if plan.counted else ""
    kept = f"{plan.keep:.1%} of the {plan.title}{counted} stay (asked: at most {plan.target_keep:.1%})"
    return f"Prune: {kept}; {after.metric} on {after.split} {before.value:.2f} -> {after.value:.2f}."
