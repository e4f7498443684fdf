"""One stage in a run directory of its own: what the commands `train`, `prune`, `distill` and `quantize` do.

The directory is a MODEL again: the next stage, or `export`, starts from it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..analyze import profile
from ..compress.quantize import Quantize
from ..files import write_json
from ..model.quantized import is_quantized
from ..progress import SILENT, Progress
from ..report import write_report
from ..runs import Run, Step, open_run
from ..types import RUN_FILE, RUN_FORMAT, Job, Report, Stage, plain
from .flow import prepared
from .given import AsGiven
from .record import data_facts, machine_facts, version_facts
from .suited import suited


def run_stage(
    job: Job, stage: Stage, *, name: str, out: Path | str, resume: bool = False, progress: Progress = SILENT
) -> Report:
    """Run one stage on the job's model, and write what it did as a run.

    Args:
        name: of the stage, for its folder and its title.
        out: the run directory; created.
        resume: go on with a run that was interrupted in `out`.

    Raises:
        UserError: model, data or folder cannot be used.
        BudgetError: the stage cannot reach what its settings ask for.
    """
    job = prepared(job)
    stage = suited(stage, job.device) if isinstance(stage, Quantize) else stage
    with open_run(Path(out), resume=resume, progress=progress) as run:
        given = run.step("given", "Model as given", AsGiven(), job)
        done = run.step(name, name.capitalize(), stage, job.with_model(given.model))
        content = stage_content(run, job, given, done)
        write_json(run.folder / RUN_FILE, content)
        write_report(run.folder)
    return Report(folder=Path(out), content=content)


def stage_content(run: Run, job: Job, given: Step, done: Step) -> dict[str, Any]:
    """What `run.json` holds of stages that follow each other: no rounds, no artifact, nothing to judge."""
    return plain({
        "format": RUN_FORMAT,
        "asked": {
            "model": job.model_name,
            "data": job.data.name,
            "device": job.device.name,
            "budget": job.budget,
            "seed": job.seed,
            "recipe": {done.name: done.settings},
        },
        "versions": version_facts(),
        "machine": machine_facts(),
        "device": job.device,
        "data": data_facts(job),
        "stages": [step.as_plain() for step in run.steps],
        "chosen_stages": [step.index for step in run.steps],
        "final_model": f"stages/{done.index:02d}-{done.name}",
        "profile": {
            "before": profile(given.model, device=job.device, dtype=_dtype(given)),
            "after": profile(done.model, device=job.device, dtype=_dtype(done)),
        },
        "scores": {"before": given.result.score, "after": done.result.score},
        "verdict": {"passed": True, "sentence": _sentence(given, done), "binding": [], "nearest": None, "relax": []},
    })  # fmt: skip


def _dtype(step: Step) -> str:
    """How the step's model is stored: a simulation in integers counts as int8."""
    return "int8" if is_quantized(step.model) else "float32"


def _sentence(given: Step, done: Step) -> str:
    before, after = given.result.score, done.result.score
    if before is None or after is None:
        return f"{done.title}: done."
    return f"{done.title}: {after.metric} on {after.split} {before.value:.2f} -> {after.value:.2f}."
