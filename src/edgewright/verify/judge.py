"""The judge: an artifact against its simulation, its fp32 sibling, and the limits it was made for.

Everything is measured in the runtime; nothing is taken over from the stages that made the artifact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..data import Data
from ..errors import DataError
from ..progress import SILENT, Progress
from ..tasks import decide, score_of
from ..types import Artifact, Budget, Check, Cost, Score, Task, plain
from . import checks
from .artifact import read_artifact, read_expected
from .formats import format_of
from .kernels import Kernels
from .machine import saturation_warning
from .parity import TensorParity, parity
from .timing import Latency, Race, Timing, race


@dataclass(frozen=True, kw_only=True)
class Verification:
    """The verdict on one artifact: every check, and the measurements behind them."""

    checks: tuple[Check, ...]
    score: Score
    agreement: float | None  # percent of decisions equal to the simulation's
    parity: tuple[TensorParity, ...]
    latency: tuple[Latency, ...]
    latency_ratio: float | None  # artifact / fp32, median over the turns
    latency_ratios: tuple[float, ...]
    kernels: Kernels
    decisions: tuple[int, ...]  # of every sample of the split, in order, for a confusion matrix
    targets: tuple[int, ...]

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)


def verify_artifact(
    artifact: Artifact | Path,
    *,
    task: Task,
    data: Data,
    split: str = "test",
    simulation: Callable[[Any], Any] | None = None,
    fp32: Artifact | Path | None = None,
    baseline: Score | None = None,
    budget: Budget | None = None,
    cost: Cost | None = None,
    max_size_share: float = 1.0,
    timing: Timing | None = None,
    is_target: bool = True,
    progress: Progress = SILENT,
) -> Verification:
    """Judge an artifact on this machine, in the runtime that its file is made for.

    Args:
        artifact: the folder, or what `export_onnx` returned.
        data: preprocessed as the artifact's manifest says.
        split: the images that the score and the decisions are taken on.
        simulation: what the artifact must agree with, on at least 99.5 % of the decisions.
        fp32: the same task's float artifact, to be smaller and faster than.
        baseline: the score that `budget` counts the drop from, on the same split.
        cost: what the model spends on the device; with `budget`, each limit becomes a check.
        max_size_share: largest allowed share of the fp32 file's bytes.
        is_target: this machine stands for the device, its latency replaces the estimate in `cost`; False reports
            its speed without judging by it.

    Raises:
        DataError: the artifact is missing or damaged, or the data is preprocessed in another way.
        UnsupportedError: its runtime cannot run it.
        MissingExtraError: its runtime is not installed.
    """
    artifact, fp32 = _read(artifact), _read(fp32) if fp32 is not None else None
    _check_preprocess(artifact, data)
    timing = timing or Timing()
    form = format_of(artifact.model_path)
    runner = form.run(artifact.model_path, threads=timing.threads)
    decisions, targets = decide(runner, task, data, split)
    score = score_of(decisions, targets, task, split)
    agreement = None
    if simulation is not None:
        agreement = 100 * float(np.mean(decide(simulation, task, data, split)[0] == decisions))
    expected = read_expected(artifact)
    sees_inside = expected and artifact.model_path.suffix == ".onnx"  # the other runtimes show no inner tensors
    rows = parity(artifact.model_path, expected, threads=timing.threads) if sees_inside else ()  # type: ignore[arg-type]
    result = form.kernels(artifact)
    times = _race(artifact, fp32, timing, progress)
    if cost is not None and is_target:
        cost = cost.measured(latency_s=times.latencies[0].median_s)
    return Verification(
        checks=(
            checks.files(artifact),
            *checks.score(score, baseline, budget, runtime=form.runtime),
            *checks.agreement(agreement, len(decisions), split, runtime=form.runtime),
            *checks.parity(rows, expected),
            *(checks.integer_kernels(result, runtime=form.runtime) if artifact.manifest["quantized"] else ()),
            *checks.size(artifact, fp32, max_size_share),
            *checks.speed(times, times.ratio is not None, result, binding=is_target),
            *checks.limits(cost, budget, artifact),
            *checks.processor(saturation_warning(), quantized=artifact.manifest["quantized"]),
        ),
        score=score, agreement=agreement, parity=rows, latency=times.latencies, latency_ratio=times.ratio,
        latency_ratios=times.ratios, kernels=result, decisions=tuple(decisions.tolist()),
        targets=tuple(targets.tolist()),
    )  # fmt: skip


def _read(artifact: Artifact | Path) -> Artifact:
    return read_artifact(artifact.folder if isinstance(artifact, Artifact) else artifact)


def _check_preprocess(artifact: Artifact, data: Data) -> None:
    asked, got = artifact.manifest["preprocess"], plain(data.preprocess)
    if asked and asked != got:
        raise DataError(
            f"The artifact was made for images preprocessed as {asked}, the data gives {got}: fit the data to it."
        )


def _race(artifact: Artifact, fp32: Artifact | None, timing: Timing, progress: Progress) -> Race:
    label = "int8" if artifact.manifest["quantized"] else "fp32"
    files = {label: artifact.model_path}
    form = format_of(artifact.model_path)
    if fp32 is not None and fp32.model_path.suffix in form.loads:
        files["fp32" if label != "fp32" else "fp32 to compare"] = fp32.model_path
    shape = artifact.manifest["input"]["shape"][1:]
    images_BCHW = np.random.default_rng(0).standard_normal((timing.batch, *shape), dtype=np.float32)
    runners = {name: form.run(path, threads=timing.threads) for name, path in files.items()}
    return race(runners, images_BCHW, timing=timing, progress=progress)
