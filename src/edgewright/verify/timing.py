"""How long one call takes: several models in turns, so that whatever else the machine does hits all of them alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ConfigError
from ..progress import SILENT, Progress

WARM_UP = 10  # calls before the first that counts: caches, page faults, the clock's governor


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How to measure: `turns` rounds; in each, every model for `runs` calls or `seconds`, whichever ends first."""

    turns: int = 7
    runs: int = 50
    seconds: float = 0.5
    threads: int = 1
    batch: int = 1

    def __post_init__(self) -> None:
        for name in ("turns", "runs", "threads", "batch"):
            if getattr(self, name) < 1:
                raise ConfigError(f"Timing.{name} must be 1 or more, got {getattr(self, name)}.")
        if not self.seconds > 0:
            raise ConfigError(f"Timing.seconds must be greater than 0, got {self.seconds}.")


@dataclass(frozen=True, kw_only=True)
class Latency:
    """One model's times over all turns, in seconds per call."""

    artifact: str
    runtime: str
    threads: int
    batch: int
    median_s: float
    p95_s: float
    p99_s: float
    runs: int
    turns: int

    @property
    def per_second(self) -> float:
        """Samples per second, one call after the other."""
        return self.batch / self.median_s


@dataclass(frozen=True, kw_only=True)
class Race:
    """The times of several models, and for each turn the ratio of the first model's median to the second's."""

    latencies: tuple[Latency, ...]
    ratios: tuple[float, ...] = ()

    @property
    def ratio(self) -> float | None:
        """Median over the turns; below 1 the first is faster."""
        return float(np.median(self.ratios)) if self.ratios else None


def race(
    models: Mapping[str, Callable[[Any], Any]], images_BCHW: np.ndarray, *, timing: Timing, progress: Progress = SILENT
) -> Race:
    """Time `models` on the same input, in turns; every second turn in reverse order."""
    names = list(models)
    seconds: dict[str, list[list[float]]] = {name: [] for name in names}
    for model in models.values():
        for _ in range(WARM_UP):
            model(images_BCHW)
    with progress.task("Time", total=timing.turns) as bar, _without_garbage_collection():
        for turn in range(timing.turns):
            for name in names if turn % 2 == 0 else reversed(names):
                seconds[name].append(_time(models[name], images_BCHW, timing))
            bar.advance()
    latencies = tuple(_summary(name, seconds[name], timing) for name in names)
    if len(names) < 2:
        return Race(latencies=latencies)
    pairs = zip(seconds[names[0]], seconds[names[1]], strict=True)
    return Race(latencies=latencies, ratios=tuple(float(np.median(a) / np.median(b)) for a, b in pairs))


def _time(model: Callable[[Any], Any], images_BCHW: np.ndarray, timing: Timing) -> list[float]:
    taken: list[float] = []
    model(images_BCHW)  # the model before has filled the caches with its own weights
    while len(taken) < timing.runs and (sum(taken) < timing.seconds or len(taken) < 3):
        began = time.perf_counter()
        model(images_BCHW)
        taken.append(time.perf_counter() - began)
    return taken


def _summary(name: str, turns: list[list[float]], timing: Timing) -> Latency:
    times = np.concatenate([np.asarray(turn) for turn in turns])
    median, p95, p99 = (float(value) for value in np.percentile(times, [50, 95, 99]))
    return Latency(
        artifact=name, runtime=_runtime(), threads=timing.threads, batch=timing.batch, median_s=median, p95_s=p95,
        p99_s=p99, runs=len(times), turns=len(turns),
    )  # fmt: skip


def _runtime() -> str:
    import onnxruntime

    return f"onnxruntime {onnxruntime.__version__}"


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """A collection in the middle of a call would be measured as part of it."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
