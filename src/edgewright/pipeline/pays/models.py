"""The whole model in ONNX Runtime: as it is, with zeros in its weights, and with channels cut to the same share."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import fx

from ...analyze import profile
from ...compress.prune import Planner, Prune, refreshed
from ...compress.prune.sparse import choose, weighted_layers, zero_outside
from ...data import Data
from ...errors import BudgetError, ExportError
from ...export import export_onnx
from ...model import input_shape
from ...progress import SILENT, Progress
from ...seeding import numpy_generator
from ...tasks import evaluate
from ...types import Job, Score
from ...verify import Latency, OnnxRunner, Timing, race
from ...verify.timing import turn_ratios

DENSE, MASKED, CUT = "dense", "masked", "cut"
MOST_TRAIN_IMAGES = 1000  # scored: a gap to validation of some points shows, and ten forms do not take an hour


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A model to time; `reason` says why there is none."""

    way: str
    sparsity: float  # share of the weights that is zero, or of the MACs that is cut
    net: fx.GraphModule | None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class ModelRow:
    """One form of the whole model. What could not be made has no times and says why."""

    way: str
    sparsity: float
    macs: int | None = None  # that the runtime multiplies
    num_bytes: int | None = None  # of the file
    latency: Latency | None = None
    speed_up: float | None = None  # the dense time over this one's within each turn, median over the turns
    speed_up_range: tuple[float, float] | None = None
    cpu_speed_up: float | None = None  # the same of the processor's time per call, which waiting is no part of
    score: Score | None = None  # on the validation split, nothing trained after the zeros or the cut
    train_score: Score | None = None  # on some train images; the gap between the two is what was learned by heart
    reason: str = ""


def with_zeros(net: fx.GraphModule, sparsity: float) -> fx.GraphModule:
    """A copy in which the smallest `round(sparsity x weights)` weights of all layers together are exactly zero.

    Raises:
        BudgetError: more zeros than one weight for each layer allows.
    """
    sparse = copy.deepcopy(net)
    layers = weighted_layers(sparse)
    sizes = {path: layer.weight.detach().abs() for path, layer in layers.items()}
    sizes = {path: each.masked_fill(each == 0, -torch.inf) for path, each in sizes.items()}  # what is zero stays so
    zero_outside(layers, choose(sizes, sparsity))
    return sparse


def cuts(job: Job, sparsities: Sequence[float], *, progress: Progress = SILENT) -> Iterator[Candidate]:
    """The job's model with at most `1 - sparsity` of its MACs left, whole channels gone; planned once for all."""
    settings = Prune() if job.data is not None else Prune(score="l2", sensitivity_samples=0)
    planner = Planner(job, settings)
    sensitivities = planner.scan(progress=progress)
    for sparsity in sparsities:
        try:
            net = planner.apply(planner.plan(1 - sparsity, sensitivities))
        except BudgetError as error:
            yield Candidate(way=CUT, sparsity=sparsity, net=None, reason=str(error))
        else:
            yield Candidate(way=CUT, sparsity=sparsity, net=_settled(net, job))


def masks(job: Job, sparsities: Sequence[float]) -> Iterator[Candidate]:
    """The job's model with zeros in its weights."""
    assert isinstance(job.model, fx.GraphModule)
    for sparsity in sparsities:
        try:
            net = with_zeros(job.model, sparsity)
        except BudgetError as error:
            yield Candidate(way=MASKED, sparsity=sparsity, net=None, reason=str(error))
        else:
            yield Candidate(way=MASKED, sparsity=sparsity, net=_settled(net, job))


def _settled(net: fx.GraphModule, job: Job) -> fx.GraphModule:
    """With batch norms that describe what is left, where there are images to measure them on."""
    return net if job.data is None else refreshed(net, job, Prune())


def time_models(
    candidates: Sequence[Candidate], job: Job, *, timing: Timing, progress: Progress = SILENT
) -> tuple[ModelRow, ...]:
    """Write every model as it would ship, time all files in turns, and score them where the job has data.

    Args:
        candidates: the first one is what the others are compared with.
    """
    assert isinstance(job.model, fx.GraphModule)
    shape = input_shape(job.model)
    image_BCHW = numpy_generator(job.seed, "pays.image").standard_normal((1, *shape), dtype=np.float32)
    with tempfile.TemporaryDirectory() as folder:
        rows, runners = _written(candidates, job, Path(folder), progress)
        found = race(runners, image_BCHW, timing=timing, progress=progress)
    return _with_times(rows, {each.artifact: each for each in found.latencies})


def _written(
    candidates: Sequence[Candidate], job: Job, folder: Path, progress: Progress
) -> tuple[list[ModelRow], dict[str, OnnxRunner]]:
    rows, runners = [], {}
    with progress.task("Export", total=len(candidates)) as bar:
        for each in candidates:
            row = ModelRow(way=each.way, sparsity=each.sparsity, reason=each.reason)
            if each.net is not None:
                row, path = _one_written(row, each.net, job, folder / _key(row))
                if path is not None:
                    runners[_key(row)] = OnnxRunner(path)
            rows.append(row)
            bar.advance(detail=_key(row))
    return rows, runners


def _one_written(row: ModelRow, net: fx.GraphModule, job: Job, folder: Path) -> tuple[ModelRow, Path | None]:
    try:
        artifact = export_onnx(net, folder, name=job.model_name, preprocess={})
    except ExportError as error:
        return replace(row, reason=str(error)), None
    row = replace(row, macs=profile(net).macs, num_bytes=artifact.num_bytes)
    if job.data is not None:
        val, train = (evaluate(net, job.task, _sampled(job.data), split) for split in ("val", "train"))
        row = replace(row, score=val, train_score=train)
    return row, artifact.model_path


def _sampled(data: Data) -> Data:
    """The data with few train images, evenly spaced: the same for every form."""
    train = data.split("train")
    where = torch.linspace(0, len(train) - 1, min(len(train), MOST_TRAIN_IMAGES)).round().long()
    return replace(data, splits={**data.splits, "train": train.take(where)})


def _key(row: ModelRow) -> str:
    return f"{row.way}-{row.sparsity}"


def _with_times(rows: Sequence[ModelRow], latencies: Mapping[str, Latency]) -> tuple[ModelRow, ...]:
    dense, timed = latencies.get(_key(rows[0])), []
    for row in rows:
        latency = latencies.get(_key(row))
        if latency is None or dense is None:
            timed.append(row)
            continue
        gains = turn_ratios(dense, latency)
        span = (min(gains), max(gains))
        by_cpu = dense.cpu_s / latency.cpu_s if latency.cpu_s else None
        timed.append(
            replace(row, latency=latency, speed_up=float(np.median(gains)), speed_up_range=span, cpu_speed_up=by_cpu)
        )
    return tuple(timed)
