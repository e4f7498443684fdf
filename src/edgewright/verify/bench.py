"""Speed of models in several runtimes: the steady state in turns, whole decisions, and cold starts apart from both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConfigError, LookupFailed, UnsupportedError
from ..progress import SILENT, Progress
from ..types import MANIFEST_FILE
from .artifact import read_artifact
from .cold import ColdStart, cold_starts
from .conditions import Conditions, conditions, load_average, remarks
from .end_to_end import EndToEnd, Samples, preprocess_for, time_end_to_end
from .rows import BenchRow, row_remarks
from .subjects import IN_TORCH, RUNTIMES, Contender, Skipped, Subject, check_installed, contenders, shared_shape
from .timing import Latency, Model, Timing, race, turn_ratios
from .torch_runner import torch_threads


@dataclass(frozen=True, kw_only=True)
class BenchPlan:
    """What to measure. Every batch is measured with every number of threads; cold starts with the first of each."""

    runtimes: tuple[str, ...] = ("onnxruntime",)
    threads: tuple[int, ...] = (1,)
    batches: tuple[int, ...] = (1,)
    timing: Timing = field(default_factory=Timing)  # its own threads and batch are replaced by those above
    starts: int = 3  # processes per contender; 0 leaves cold starts out

    def __post_init__(self) -> None:
        for name in ("runtimes", "threads", "batches"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise ConfigError(f"BenchPlan.{name} needs one or more different values, got {values}.")
        unknown = [name for name in self.runtimes if name not in RUNTIMES]
        if unknown:
            raise LookupFailed(f"A runtime is one of {', '.join(RUNTIMES)}, got '{unknown[0]}'.")
        if self.starts < 0:
            raise ConfigError(f"BenchPlan.starts is a number of processes from 0, got {self.starts}.")
        self.settings()

    def settings(self) -> tuple[Timing, ...]:
        """One `Timing` for each pair of threads and batch."""
        return tuple(replace(self.timing, threads=n, batch=size) for n in self.threads for size in self.batches)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """All measurements. `end_to_end` is empty without data: what is not measured is not claimed."""

    rows: tuple[BenchRow, ...]
    cold: tuple[ColdStart, ...]
    end_to_end: tuple[EndToEnd, ...]
    skipped: tuple[Skipped, ...]
    conditions: Conditions
    remarks: tuple[str, ...]
    input_shape: tuple[int, ...]  # (C, H, W)
    plan: BenchPlan
    data: str | None


def file_subject(path: Path) -> Subject:
    """An artifact folder, its manifest, or a lone file (`.onnx`, `.xml`, `.pte`), as something to measure.

    Raises:
        DataError: the artifact is damaged. A lone file is looked at when it is opened.
    """
    path = Path(path)
    if path.is_dir() or path.name == MANIFEST_FILE:
        artifact = read_artifact(path if path.is_dir() else path.parent)
        why = "an artifact holds no PyTorch model, give the run or the model that it was made from"
        return Subject(
            name=str(path),
            **_form(artifact.model_path),
            is_quantized=artifact.manifest["quantized"],
            preprocess=artifact.manifest["preprocess"],
            lacks=dict.fromkeys((*IN_TORCH, "executorch"), why),
        )
    why = f"the file {path.name} is run as it is; give the run or the model that it was made from"
    return Subject(name=str(path), **_form(path), lacks=dict.fromkeys((*IN_TORCH, "executorch"), why))


FORMS = {".xml": "openvino", ".pte": "executorch"}  # suffix -> field of `Subject`; any other is taken for ONNX


def _form(path: Path) -> dict[str, Any]:
    return {FORMS.get(path.suffix, "onnx"): path}


def bench(
    subjects: Sequence[Subject],
    *,
    plan: BenchPlan | None = None,
    samples: Samples | None = None,
    progress: Progress = SILENT,
) -> Bench:
    """Measure models side by side, in turns, in one process per machine setting; cold starts in processes of their own.

    Sets the threads of PyTorch while it measures and restores them; makes `torch.compile` forget what this process
    compiled before, see `compiled_runner`.

    Args:
        samples: real images for whole decisions with pre- and post-processing; None leaves those out.

    Raises:
        ConfigError: nothing to measure, or models that take different inputs.
        DataError, UnsupportedError: a file is missing or damaged, or cannot be run.
        MissingExtraError: a runtime is not installed.
    """
    plan = plan or BenchPlan()
    check_installed(plan.runtimes)
    load_before = load_average()
    those, skipped = contenders(subjects, plan.runtimes)
    used = [subject for subject in subjects if any(each.subject is subject for each in those)]
    shape = shared_shape(used, plan.batches)
    running, measured = those, []
    for timing in plan.settings():
        measured.append(_measure(running, shape, timing, samples, progress))
        failed = {(skip.model, skip.runtime) for skip in measured[-1][2]}  # what failed once is not tried again
        running = tuple(each for each in running if (each.subject.name, each.runtime) not in failed)
    cold, unstarted = cold_starts(
        running, shape=(plan.batches[0], *shape), threads=plan.threads[0], starts=plan.starts, progress=progress
    ) if plan.starts else ((), ())  # fmt: skip
    found, rows = conditions(load_before), tuple(row for each, _, _ in measured for row in each)
    return Bench(
        rows=rows,
        cold=cold,
        end_to_end=tuple(row for _, each, _ in measured for row in each),
        skipped=(*skipped, *(skip for _, _, each in measured for skip in each), *unstarted),
        conditions=found,
        remarks=(*remarks(found, plan.threads), *row_remarks(rows, used)),
        input_shape=shape,
        plan=plan,
        data=samples.name if samples else None,
    )


Measured = tuple[tuple[BenchRow, ...], tuple[EndToEnd, ...], tuple[Skipped, ...]]


def _measure(
    those: Sequence[Contender],
    shape: tuple[int, ...],
    timing: Timing,
    samples: Samples | None,
    progress: Progress,
) -> Measured:
    """One setting: every contender that can be opened, in turns."""
    images_BCHW = np.random.default_rng(0).standard_normal((timing.batch, *shape), dtype=np.float32)
    with torch_threads(timing.threads):
        models, skipped = _opened(those, images_BCHW, timing.threads, progress)
        times = race({each.label: model for each, model in models.items()}, images_BCHW, timing=timing,
                     progress=progress).latencies  # fmt: skip
        differences = _differences(models, images_BCHW)
        whole = _whole(models, shape, samples, timing, progress)
    rows = tuple(_row(each, latency, times[0], differences[each]) for each, latency in zip(models, times, strict=True))
    return rows, whole, skipped


def _opened(
    those: Sequence[Contender], images_BCHW: np.ndarray, threads: int, progress: Progress
) -> tuple[dict[Contender, Model], tuple[Skipped, ...]]:
    """Contenders ready to run. What this machine cannot compile is left out, as long as anything is left."""
    models: dict[Contender, Model] = {}
    skipped: list[Skipped] = []
    with progress.task("Open", total=len(those)) as bar:
        for each in those:
            try:
                models[each] = each.open(images_BCHW, threads=threads)
            except UnsupportedError as error:
                if each.runtime != "compiled":
                    raise
                skipped.append(Skipped(model=each.subject.name, runtime=each.runtime, reason=str(error).rstrip(".")))
            bar.advance(detail=each.label)
    if not models:
        raise UnsupportedError(f"{skipped[0].model} cannot be measured: {skipped[0].reason}.")
    return models, tuple(skipped)


def _row(contender: Contender, latency: Latency, first: Latency, difference: float | None) -> BenchRow:
    ratios = turn_ratios(latency, first)
    return BenchRow(
        model=contender.subject.name, runtime=contender.runtime, num_bytes=contender.num_bytes,
        latency=replace(latency, artifact=contender.subject.name), images_per_s=latency.per_second,
        ratio=float(np.median(ratios)), ratio_range=(min(ratios), max(ratios)), difference=difference,
    )  # fmt: skip


def _differences(models: Mapping[Contender, Model], images_BCHW: np.ndarray) -> dict[Contender, float | None]:
    """How far each form's outputs are from those of the same model's first form: a fast wrong answer is no answer."""
    first: dict[str, tuple[np.ndarray, ...]] = {}
    found: dict[Contender, float | None] = {}
    for each, model in models.items():
        outputs = model(images_BCHW)
        arrays = outputs if isinstance(outputs, tuple) else (outputs,)
        known = first.setdefault(each.subject.name, arrays)
        found[each] = None if known is arrays else difference(known, arrays)
    return found


def difference(known: Sequence[np.ndarray], got: Sequence[np.ndarray]) -> float:
    """The largest difference as a share of the largest known output; infinite where the shapes differ."""
    if [each.shape for each in known] != [each.shape for each in got]:
        return float("inf")
    return max(float(np.abs(a - b).max() / max(np.abs(a).max(), 1e-30)) for a, b in zip(known, got, strict=True))


def _whole(
    models: Mapping[Contender, Model],
    shape: tuple[int, ...],
    samples: Samples | None,
    timing: Timing,
    progress: Progress,
) -> tuple[EndToEnd, ...]:
    if samples is None:
        return ()
    given = {
        (each.subject.name, each.runtime): (model, preprocess_for(shape, each.subject.preprocess))
        for each, model in models.items()
    }
    return time_end_to_end(given, samples, timing=timing, progress=progress)
