"""`calibrate`: from nothing to a device file of this machine.

    plan -> prepare (build, profile, export) -> time in turns -> points -> predict whole models -> device

Whole models are timed between the small networks, turn by turn, so that what else the machine does hits both; they have
no part in the points. Everything is kept beside the output until it is written: an interruption loses one timing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..analyze.latency import FEW
from ..analyze.pricing import latency_of, priced
from ..devices.machine import cpu_name
from ..devices.text import device_text
from ..errors import ConfigError
from ..files import read_json, write_atomic, write_json
from ..progress import SILENT, Progress
from ..seeding import numpy_generator
from ..types import Device, LatencyTable, OpProfile, Validated, plain
from .machine import copy_bandwidth, described, short
from .measuring import measure_file
from .nets import MicroNet
from .shapes import LONG, LONG_CHAIN, NOTHING, OVERHEADS, SHORT, SHORT_CHAIN, plan
from .slots import NodeTime, Sample, corrected, points_of
from .subjects import Subject, forget, subject

DTYPE = "float32"
ASKED = "asked.json"
MIN_STEP_S = 1e-8  # some 30 cycles, less than a call of any kernel: what stands where noise hides the step
QUICK_MODELS = (
    "torchvision:resnet18", "torchvision:mobilenet_v2", "torchvision:squeezenet1_1", "torchvision:mobilenet_v3_small",
    "torchvision:shufflenet_v2_x1_0",
)  # fmt: skip
MODELS = (
    *QUICK_MODELS, "torchvision:efficientnet_b0", "torchvision:densenet121", "torchvision:regnet_y_400mf",
    "torchvision:resnet50", "torchvision:convnext_tiny",
)  # fmt: skip
"""Whole models that only validate: families that differ in what they are made of, with random weights."""

Measure = Callable[[Subject], Sample]


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What to measure.

    `turns`: how often each network is timed; the least time counts. `quick`: fewer networks and models, one turn less.
    """

    name: str = "this-machine"
    threads: int = 1
    turns: int = 3
    quick: bool = False
    models: tuple[str, ...] | None = None  # that validate; None: `MODELS`, or `QUICK_MODELS`
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("threads", "turns"):
            if getattr(self, name) < 1:
                raise ConfigError(f"Calibration.{name} must be 1 or more, got {getattr(self, name)}.")
        if not self.name:
            raise ConfigError("Calibration.name must not be empty: it is what `--device` and reports call the machine.")

    @property
    def whole_models(self) -> tuple[str, ...]:
        """The models that validate."""
        return self.models if self.models is not None else QUICK_MODELS if self.quick else MODELS

    @property
    def rounds(self) -> int:
        return max(1, self.turns - 1) if self.quick else self.turns


def calibrate(
    out: Path,
    *,
    base: Device,
    settings: Calibration | None = None,
    nets: Sequence[MicroNet] | None = None,
    measure: Measure | None = None,
    resume: bool = False,
    progress: Progress = SILENT,
) -> Device:
    """Measure this machine and write it as the device file `out`, latency table included.

    Args:
        base: the device whose energy figures (and whatever cannot be measured) are taken over, with their sources.
        nets: the small networks to time; None: those that `shapes.plan` draws from the seed.
        measure: times one subject; None: ONNX Runtime on this machine.
        resume: go on with what an interrupted calibration to the same `out` has measured.

    Raises:
        ConfigError: the file cannot be written, or what is to be resumed had other settings.
    """
    settings = settings or Calibration()
    out = Path(out)
    parts = out.with_name(f"{out.name}.parts")
    _start(parts, settings, resume=resume)
    nets = tuple(nets or plan(numpy_generator(settings.seed, "calibrate.shapes"), quick=settings.quick))
    small = [subject(net.name, parts, net) for net in nets]
    whole = [subject(name, parts) for name in settings.whole_models]
    subjects = _spread(small, whole)
    _prepare(subjects, settings, progress)
    _time(subjects, settings, measure or (lambda each: measure_file(each, threads=settings.threads)), progress)
    device = machine_of(small, settings, base)
    device = validated(device, whole)
    write_atomic(out, device_text(device))
    forget(parts)
    return device


def _start(parts: Path, settings: Calibration, *, resume: bool) -> None:
    """An empty folder for what is measured, or the one that an interrupted calibration left."""
    if not parts.parent.is_dir():
        raise ConfigError(f"The folder {parts.parent} does not exist: create it, or choose another file.")
    asked, note = plain(settings), parts / ASKED
    if resume and note.is_file() and read_json(note) != asked:
        raise ConfigError(f"{parts} holds a calibration with other settings: repeat those, or leave out --resume.")
    if not resume:
        forget(parts)
    parts.mkdir(exist_ok=True)
    write_json(note, asked)


def _spread(small: Sequence[Subject], whole: Sequence[Subject]) -> list[Subject]:
    """The whole models at even distances between the small networks."""
    step = max(1, len(small) // (len(whole) + 1))
    order = list(small)
    for index, each in reversed(list(enumerate(whole, start=1))):
        order.insert(index * step, each)
    return order


def _prepare(subjects: Sequence[Subject], settings: Calibration, progress: Progress) -> None:
    with progress.task("Prepare", total=len(subjects)) as bar:
        for each in subjects:
            each.prepare(settings.seed)
            bar.advance(detail=each.name)


def _time(subjects: Sequence[Subject], settings: Calibration, measure: Measure, progress: Progress) -> None:
    with progress.task("Time", total=settings.rounds * len(subjects)) as bar:
        for turn in range(settings.rounds):
            for each in subjects:
                each.time(turn, measure)
                bar.advance(detail=each.name)


def machine_of(small: Sequence[Subject], settings: Calibration, base: Device) -> Device:
    """This machine with the points of all timed networks, not validated yet."""
    best = {each.name: each.best() for each in small}
    call_s = best[NOTHING].total_s
    table = LatencyTable(
        runtime=f"onnxruntime {_runtime_version()}",
        machine=cpu_name(),
        threads=settings.threads,
        call_overhead_s=short(call_s),
        points={DTYPE: _points(small, {name: corrected(sample, call_s) for name, sample in best.items()})},
    )
    step_s = max((best[LONG].total_s - best[SHORT].total_s) / (LONG_CHAIN - SHORT_CHAIN), MIN_STEP_S)
    return described(settings.name, base, table, bandwidth=copy_bandwidth(), overhead_s=short(step_s))


def _points(
    small: Sequence[Subject], nodes: Mapping[str, tuple[NodeTime, ...]]
) -> dict[str, tuple[tuple[float, ...], ...]]:
    points: dict[str, list[tuple[float, ...]]] = {}
    for each in small:
        assert each.net is not None
        if each.name in OVERHEADS:
            continue
        baseline = nodes[each.net.baseline] if each.net.baseline else ()
        for kind, rows in points_of(each.net, each.rows, nodes[each.name], baseline).items():
            points.setdefault(kind, []).extend(rows)
    return {
        kind: tuple(tuple(map(short, row)) for row in rows) for kind, rows in sorted(points.items()) if len(rows) >= FEW
    }


def validated(device: Device, whole: Sequence[Subject]) -> Device:
    """`device` with what its table says of whole models that it has not seen, beside what they took."""
    table = device.latency_table
    assert table is not None
    results = tuple(
        Validated(
            name=each.name,
            dtype=DTYPE,
            predicted_s=short(model_latency(each.rows, device)),
            measured_s=short(each.best().total_s),
        )
        for each in whole
    )
    return replace(device, latency_table=replace(table, validation=results))


def model_latency(rows: Iterable[OpProfile], device: Device, dtype: str = DTYPE) -> float:
    """Seconds of a model as `analyze` estimates them: by the table, by the roofline where that has no answer."""
    return latency_of((priced(row, device, dtype) for row in rows), device)


def _runtime_version() -> str:
    import onnxruntime

    return str(onnxruntime.__version__)
