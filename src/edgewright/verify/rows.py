"""One row of a benchmark, and what a reader must be told about several of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .checks import why_slow
from .kernels import kernels
from .subjects import Subject
from .timing import Latency

MOST_DIFFERENCE = 0.05  # rounding gives 1e-6 in float, and a step or two of 1/255 in integers
WORKED = 0.7  # share of the median that the processor spent, below which a call was interrupted
WIDE = 0.5  # spread between the turns above which a median says little


@dataclass(frozen=True, kw_only=True)
class BenchRow:
    """One model in one runtime at one setting. The ratio is to the first row of the setting, turn by turn."""

    model: str
    runtime: str
    num_bytes: int | None  # of the ONNX file
    latency: Latency
    images_per_s: float
    ratio: float  # median over the turns
    ratio_range: tuple[float, float]
    difference: float | None  # largest, from the outputs of the same model's first form, as a share of their largest


def row_remarks(rows: Sequence[BenchRow], subjects: Sequence[Subject]) -> tuple[str, ...]:
    """What the rows themselves give away: unrest, forms that disagree, integers that are slower than float."""
    return (
        *_unsettled(rows),
        *_interrupted(rows),
        *_disagreeing(rows),
        *_slow_integers(rows, {subject.name: subject for subject in subjects}),
        *(subject.remark for subject in subjects if subject.remark),
    )


def _unsettled(rows: Sequence[BenchRow]) -> Iterator[str]:
    moving = [row for row in rows if not row.latency.warm_up.stable]
    if moving:
        yield f"Times had not settled after the warm-up: {_named(moving)}."
    wide = [row for row in rows if row.latency.spread > WIDE]
    if wide:
        threads = any(row.latency.threads > 1 and row.runtime != "onnxruntime" for row in wide)
        yield f"The turns differ by more than half of the median: {_named(wide)}. Their times say little." + (
            " PyTorch's threads wait for each other by spinning, which a busy machine punishes: set "
            "OMP_WAIT_POLICY=passive, or use fewer threads."
            if threads
            else ""
        )


def _interrupted(rows: Sequence[BenchRow]) -> Iterator[str]:
    """Calls that waited: with one thread the median should be what the processor worked."""
    waited = [row for row in rows if row.latency.cpu_s < WORKED * row.latency.median_s]
    if waited:
        texts = ", ".join(
            f"{row.model} in {row.runtime} (threads {row.latency.threads}, batch {row.latency.batch}): "
            f"{1e3 * row.latency.cpu_s:.3g} of {1e3 * row.latency.median_s:.3g} ms"
            for row in waited
        )
        yield f"Calls waited for a core; the processor worked on {texts}."


def _named(rows: Sequence[BenchRow]) -> str:
    def text(row: BenchRow) -> str:
        return f"{row.model} in {row.runtime} (threads {row.latency.threads}, batch {row.latency.batch})"

    return ", ".join(text(row) for row in rows)


def _disagreeing(rows: Sequence[BenchRow]) -> Iterator[str]:
    for row in rows:
        if row.difference is not None and not row.difference <= MOST_DIFFERENCE:
            yield (
                f"{row.model} in {row.runtime} gives other outputs than the model's first form (off by "
                f"{100 * row.difference:.0f} % of the largest): its time is that of another function."
            )


def _slow_integers(rows: Sequence[BenchRow], subjects: dict[str, Subject]) -> Iterator[str]:
    """Per quantized file that a float file of the same setting beats: the layers that are to blame."""
    told = set()
    files = [row for row in rows if row.runtime == "onnxruntime"]
    floats = [row for row in files if not subjects[row.model].is_quantized]
    for row in files:
        subject = subjects[row.model]
        setting = (row.latency.threads, row.latency.batch)
        faster = [
            each
            for each in floats
            if (each.latency.threads, each.latency.batch) == setting and each.latency.median_s < row.latency.median_s
        ]
        if subject.is_quantized and subject.onnx is not None and faster and row.model not in told:
            told.add(row.model)
            yield f"{row.model} is int8 and slower than {faster[0].model}: {why_slow(kernels(subject.onnx))}"
