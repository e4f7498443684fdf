"""The proof: both artifacts written, and the int8 one judged in the runtime against the simulation and the fp32 one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import fx

from ..analyze import profile
from ..export import export_onnx
from ..files import content_key
from ..metrics import ConfusionMatrix, paired_std_error
from ..model import fingerprint
from ..runs import Run, Step
from ..tasks import decide, score_of
from ..types import ARTIFACT_FOLDERS, MANIFEST_FILE, Artifact, Check, Cost, Job, Score, plain
from ..verify import read_artifact, verify_artifact
from .firmware import FirmwareEvidence, prove_firmware
from .rounds import Round

NUM_GOLDEN = 16  # samples whose every tensor is written beside the artifact, for other runtimes to compare with


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What was measured. `measured_latency_s` is None where the device is not served by the runtime that ran.

    `firmware` is None on devices that take no C.
    """

    artifacts: Mapping[str, Artifact]
    checks: tuple[Check, ...]
    score_before: Score
    score_after: Score
    cost: Cost
    measured_latency_s: float | None
    firmware: FirmwareEvidence | None
    latency: Sequence[Mapping[str, Any]]
    parity: Sequence[Mapping[str, Any]]
    confusion: Mapping[str, Any]
    change_std_error: float  # of the change of the score, in points: both models saw the same images

    def all_artifacts(self) -> dict[str, Artifact]:
        """By kind, the firmware's too where there is one."""
        firmware = None if self.firmware is None else self.firmware.artifact
        return {**self.artifacts, **({} if firmware is None else {"c": firmware})}

    @property
    def known_latency_s(self) -> float | None:
        """As measured, else from the instructions that the firmware executes; None where neither is known."""
        counted = None if self.firmware is None else self.firmware.latency_s
        return self.measured_latency_s if self.measured_latency_s is not None else counted


def gather(run: Run, job: Job, start: Step, chosen: Round) -> Evidence:
    """Write the artifacts of `start` (fp32) and `chosen` (int8) and judge the latter on the test split."""
    artifacts = {
        "int8": _export(run, job, chosen.model, "int8"),
        "fp32": _export(run, job, start.model, "fp32"),
    }
    before = run.recall(
        "start", content_key(artifacts["fp32"].manifest["files"], job.data.fingerprint), lambda: _decided(job, start)
    )
    firmware = prove_firmware(run, job, chosen.model, artifacts["int8"], _score_before(job, before))
    budget = job.budget if firmware is None else firmware.left_of(job.budget)
    files = [each.manifest["files"] for each in artifacts.values()]
    key = content_key(files, job.data.fingerprint, plain(budget), plain(job.device), plain(chosen.cost))
    run.progress.note("Verify in ONNX Runtime")
    facts = run.recall("verification", key, lambda: _judge(replace(job, budget=budget), before, chosen, artifacts, run))
    measured = _host_latency(job, facts["latency"])
    values = {"flash_bytes": artifacts["int8"].num_bytes, **({} if measured is None else {"latency_s": measured})}
    cost = chosen.cost.measured(**values) if firmware is None else firmware.applied_to(chosen.cost)
    checks = tuple(Check(**check) for check in facts["checks"])
    return Evidence(
        artifacts=artifacts,
        checks=checks if firmware is None else (*checks, *firmware.checks),
        score_before=Score(**facts["score_before"]),
        score_after=Score(**facts["score"]),
        cost=cost,
        measured_latency_s=measured,
        firmware=firmware,
        latency=facts["latency"],
        parity=facts["parity"],
        confusion=facts["confusion"],
        change_std_error=facts["change_std_error"],
    )


def _export(run: Run, job: Job, net: fx.GraphModule, kind: str) -> Artifact:
    """The artifact folder; written only when it does not hold this model already."""
    folder: Path = run.folder / ARTIFACT_FOLDERS[kind]
    preprocess = plain(job.data.preprocess)
    if (folder / MANIFEST_FILE).exists():
        found = read_artifact(folder)
        if found.manifest["weights"] == fingerprint(net) and found.manifest["preprocess"] == preprocess:
            return found
    samples = next(job.data.batches("test", batch_size=NUM_GOLDEN))[0] if kind == "int8" else None
    name = f"{job.model_name} {kind}"
    return export_onnx(
        net,
        folder,
        name=name,
        preprocess=preprocess,
        class_names=job.data.class_names,
        samples_BCHW=samples,
        facts={"device": job.device.name, "host": job.device.host},
    )


def _decided(job: Job, start: Step) -> dict[str, Any]:
    """What the model decides on the test split before compression, and the truth."""
    decisions, targets = decide(start.model, job.task, job.data, "test")
    return {"decisions": decisions.tolist(), "targets": targets.tolist()}


def _score_before(job: Job, decided: Mapping[str, Any]) -> Score:
    return score_of(np.asarray(decided["decisions"]), np.asarray(decided["targets"]), job.task, "test")


def _judge(
    job: Job, decided: Mapping[str, Any], chosen: Round, artifacts: Mapping[str, Artifact], run: Run
) -> dict[str, Any]:
    """Everything that is measured, as plain facts."""
    decisions, targets = np.asarray(decided["decisions"]), np.asarray(decided["targets"])
    before = _score_before(job, decided)
    found = verify_artifact(
        artifacts["int8"],
        task=job.task,
        data=job.data,
        simulation=chosen.model,
        fp32=artifacts["fp32"],
        baseline=before,
        budget=job.budget,
        cost=chosen.cost,
        is_target=job.device.is_here,
        progress=run.progress,
    )
    return {
        "checks": [*found.checks, _unknown_operators(job, chosen)],
        "score_before": before,
        "score": found.score,
        "latency": [{**plain(each), "ratios": found.latency_ratios} for each in found.latency],
        "parity": found.parity,
        "change_std_error": paired_std_error(
            decisions == targets, np.asarray(found.decisions) == np.asarray(found.targets)
        ),
        "confusion": {
            "labels": job.data.class_names,
            "before": _confusion(decisions, targets, job.data.num_classes),
            "after": _confusion(found.decisions, found.targets, job.data.num_classes),
        },
    }


def _unknown_operators(job: Job, chosen: Round) -> Check:
    """Operators without a formula cost nothing in an estimate, so an estimate with them proves nothing."""
    unknown = profile(chosen.model, device=job.device, dtype="int8").unknown
    blame = f"{', '.join(unknown)}: their cost is in no estimate." if unknown else ""
    return Check(
        name="unknown operators",
        passed=not unknown,
        value=len(unknown),
        limit=0,
        unit="operators without a formula",
        how="the graph as it was counted",
        blame=blame,
    )


def _confusion(decisions: Any, targets: Any, num_classes: int) -> list[list[int]]:
    matrix = ConfusionMatrix(num_classes)
    matrix.update(decisions, targets)
    return matrix.compute().tolist()


def _host_latency(job: Job, latency: Sequence[Mapping[str, Any]]) -> float | None:
    """The int8 artifact's median time, where this machine runs the device's own runtime."""
    if not job.device.is_here:
        return None
    return next((each["median_s"] for each in latency if each["artifact"] == "int8"), None)
