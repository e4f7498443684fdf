"""`run.json`: what a run asked, did and found, as plain data. The report and the commands read nothing else."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ..analyze import cost_of, profile
from ..devices.machine import cpu_name, package_versions, system_name
from ..recipes import Recipe, for_budget
from ..runs import Run, Step
from ..targets import nearest
from ..types import LIMITS, RUN_FORMAT, Artifact, Budget, Check, Cost, Job, Overrun, plain
from .evidence import Evidence
from .rounds import Round, Solver

PACKAGES = ("torch", "torchvision", "timm", "onnx", "onnxruntime", "scikit-learn", "numpy")


def content_of(
    run: Run,
    job: Job,
    recipe: Recipe,
    *,
    start: Step,
    rounds: Sequence[Round],
    chosen: Round,
    evidence: Evidence,
    solver: Solver,
    command: str | None,
) -> dict[str, Any]:
    """Everything about a finished run."""
    before = profile(start.model, device=job.device, dtype="float32")
    after = profile(chosen.model, device=job.device, dtype="int8")
    at_int8 = profile(start.model, device=job.device, dtype="int8")
    return plain({
        "format": RUN_FORMAT,
        "asked": {**_asked(job, recipe), "command": command},
        "versions": version_facts(),
        "machine": machine_facts(),
        "device": job.device,
        "data": data_facts(job),
        "order": for_budget(recipe, at_int8, job.budget, trained=job.trained),
        "stages": [stage_entry(step, job) for step in run.steps],
        "chosen_stages": [step.index for step in (start, *chosen.steps)],
        "final_model": f"stages/{chosen.steps[-1].index:02d}-{chosen.steps[-1].name}",
        "profile": {"before": before, "after": after},
        "groups": solver.groups_table(),
        "sensitivity": solver.sensitivity_rows(),
        "rounds": [each.as_plain() for each in rounds],
        "pareto": _pareto(start, rounds, chosen, evidence),
        "parity": evidence.parity,
        "artifacts": {name: _artifact(artifact, run.folder) for name, artifact in evidence.all_artifacts().items()},
        "latency": evidence.latency,
        "firmware": None if evidence.firmware is None else evidence.firmware.facts,
        "estimate": _estimate_error(chosen, evidence),
        "checks": evidence.checks,
        "scores": {
            "before": evidence.score_before,
            "after": evidence.score_after,
            "change_std_error": evidence.change_std_error,
        },
        "confusion": evidence.confusion,
        "verdict": _verdict(evidence, chosen, rounds, job.budget),
    })  # fmt: skip


def stage_entry(step: Step, job: Job) -> dict[str, Any]:
    """The entry of a step in `run.json`: a training reports no cost, so its model costs what its graph does."""
    entry = step.as_plain()
    return entry if entry["cost"] else {**entry, "cost": cost_of(step.model, job.device, "float32")}


def _asked(job: Job, recipe: Recipe) -> dict[str, Any]:
    return {
        "model": job.model_name,
        "data": job.data.name,
        "device": job.device.name,
        "budget": job.budget,
        "seed": job.seed,
        "recipe": recipe.as_plain(),
    }


def version_facts() -> dict[str, str]:
    return package_versions(PACKAGES)


def machine_facts() -> dict[str, Any]:
    return {
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "os": system_name(),
    }


def data_facts(job: Job) -> dict[str, Any]:
    data = job.data
    return {
        "name": data.name,
        "num_classes": data.num_classes,
        "class_names": data.class_names,
        "splits": {name: {"num": len(part)} for name, part in data.splits.items()},
        "fingerprint": data.fingerprint,
        "preprocess": data.preprocess,
        "provenance": data.provenance,
    }


def _artifact(artifact: Artifact, folder: Path) -> dict[str, Any]:
    return {
        "path": str(artifact.model_path.relative_to(folder)),
        "bytes": artifact.num_bytes,
        "files": artifact.manifest["files"],
    }


def _pareto(start: Step, rounds: Sequence[Round], chosen: Round, evidence: Evidence) -> list[dict[str, Any]]:
    """One point per model that was scored on val: the start in float32, and each round in int8."""
    points = [_point("start (float32)", "start", start.result.score.value, start.result.cost)]  # type: ignore[union-attr]
    for each in rounds:
        label = f"round {each.number}: {each.keep_macs:.0%} of the MACs, int8"
        points.append(_point(label, "chosen" if each is chosen else "tried", each.score.value, each.cost))
    return points


def _point(label: str, kind: str, score: float, cost: Cost | None) -> dict[str, Any]:
    fields = ("macs", "flash_bytes", "latency_s", "ram_bytes", "energy_j")
    return {"label": label, "kind": kind, "score": score, **{name: getattr(cost, name, None) for name in fields}}


def _estimate_error(chosen: Round, evidence: Evidence) -> dict[str, float] | None:
    """Measured over estimated latency, where the device's runtime ran here."""
    measured, estimated = evidence.measured_latency_s, chosen.estimated_latency_s
    if measured is None or not estimated:
        return None
    return {"estimated_s": estimated, "measured_s": measured, "ratio": measured / estimated}


def _verdict(evidence: Evidence, chosen: Round, rounds: Sequence[Round], budget: Budget) -> dict[str, Any]:
    failed = [check for check in evidence.checks if not check.passed]
    overruns = budget.overruns(evidence.cost)
    best = None
    if failed:
        name, _ = nearest([(str(each.number), each.cost) for each in rounds], budget)
        point = next(each for each in rounds if str(each.number) == name)
        best = _point(f"round {name}: {point.keep_macs:.0%} of the MACs, int8", "tried", point.score.value, point.cost)
    return {
        "passed": not failed,
        "sentence": _sentence(evidence.checks, overruns, chosen),
        "binding": [{**plain(overrun), "factor": overrun.factor} for overrun in overruns],
        "nearest": best,
        "relax": _together([*map(_relaxed, overruns), *_relaxed_score(failed, evidence)]),
    }


def _sentence(checks: Sequence[Check], overruns: Sequence[Overrun], chosen: Round) -> str:
    """The verdict: device limits before the score, and never a word less about an artifact that is slower."""
    failed = [check for check in checks if not check.passed]
    if overruns:
        worst = max(overruns, key=lambda overrun: overrun.factor)
        also = " and the score is too low" if any(check.name == "score" for check in failed) else ""
        return f"The budget cannot be met: at its nearest, {worst.title} is {worst.factor:.2f} times the limit{also}."
    if failed:
        names = ", ".join(check.name for check in failed)
        return f"{len(failed)} of the checks failed ({names}): {failed[0].blame or 'see the checks'}"
    return (
        f"All checks passed: int8 with {chosen.keep_macs:.0%} of the MACs keeps the score and meets every limit."
        f"{_slower_here(checks)}"
    )


def _slower_here(checks: Sequence[Check]) -> str:
    slower = [each for each in checks if each.name == "latency against fp32" and (each.value or 0) > 1]
    if not slower:
        return ""
    return f" On this machine, which is not the device, int8 takes {slower[0].value:.1f} times as long as fp32."


def _together(relax: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Limits that are broken together admit the model only when all are relaxed."""
    if len(relax) < 2:
        return relax
    return [
        {**each, "sentence": f"{each['sentence'].rstrip('.')}, with the others here relaxed too."} for each in relax
    ]


def _relaxed(overrun: Overrun) -> dict[str, Any]:
    limit = LIMITS[overrun.limit_name]
    needed, allowed = limit.to_flag(overrun.value), limit.to_flag(overrun.limit)
    sentence = f"{limit.flag} {needed:.4g} would admit this model ({allowed:.4g} {limit.flag_unit} are allowed now)."
    return {"limit_name": overrun.limit_name, "needed": overrun.value, "sentence": sentence}


def _relaxed_score(failed: Sequence[Check], evidence: Evidence) -> list[dict[str, Any]]:
    if not any(check.name == "score" for check in failed):
        return []
    drop = evidence.score_before.value - evidence.score_after.value
    needed = math.ceil(drop * 100) / 100
    sentence = f"{LIMITS['max_drop'].flag} {needed:.2f} would admit this model."
    return [{"limit_name": "max_drop", "needed": needed, "sentence": sentence}]
