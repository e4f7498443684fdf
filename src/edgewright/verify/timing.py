"""How long one call takes: several models in turns, so that whatever else the machine does hits all of them alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from ..errors import ConfigError
from ..progress import SILENT, Progress

Clock = Callable[[], float]
Model = Callable[[Any], Any]
Item = TypeVar("Item")

WINDOW = 5  # calls whose median is compared with that of the window before
WARM_UP = 2 * WINDOW  # the fewest calls after which times can be called stable: caches, page faults, the governor
STEADY = 0.05  # medians of two windows in a row that differ by less
MOST_CALLS, MOST_SECONDS, FEWEST_CALLS = 200, 3.0, 3  # a machine under load may never look stable


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
class WarmUp:
    """Calls that do not count, and whether the times had settled when they ended."""

    calls: int
    stable: bool


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
    min_s: float
    spread: float  # interquartile range of the turns' medians, as a share of the median
    turn_medians_s: tuple[float, ...]
    cpu_s: float  # the processor's time per call, all threads together: the mean of each turn, median of the turns
    runs: int
    turns: int
    warm_up: WarmUp

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


def turn_ratios(latency: Latency, other: Latency) -> tuple[float, ...]:
    """The first's median over the other's within each turn: what slowed a turn down slowed both."""
    return tuple(a / b for a, b in zip(latency.turn_medians_s, other.turn_medians_s, strict=True))


def race(
    models: Mapping[str, Model],
    images_BCHW: np.ndarray,
    *,
    timing: Timing,
    progress: Progress = SILENT,
    clock: Clock = time.perf_counter,
    cpu_clock: Clock = time.process_time,
) -> Race:
    """Time `models` on the same input, in turns; every second turn in reverse order.

    Args:
        models: functions of the input. One with a `runtime` (text) is recorded with it.
        clock, cpu_clock: seconds that passed and seconds that the processor worked, for tests that bring their own.
    """
    names = list(models)
    with progress.task("Time", total=timing.turns) as bar, without_garbage_collection():
        taken = {name: _Taken(warm_up=warm_up(models[name], images_BCHW, clock=clock)) for name in names}
        for turn in range(timing.turns):
            for name in in_turn(names, turn):
                _time(models[name], images_BCHW, timing, (clock, cpu_clock), into=taken[name])
            bar.advance()
    latencies = tuple(_summary(name, models[name], taken[name], timing) for name in names)
    return Race(latencies=latencies, ratios=turn_ratios(*latencies[:2]) if len(names) > 1 else ())


def in_turn(those: Sequence[Item], turn: int) -> Sequence[Item]:
    """Every second turn goes backwards, so that nobody always follows the same neighbour."""
    return those if turn % 2 == 0 else those[::-1]


def warm_up(model: Model, images_BCHW: Any, *, clock: Clock = time.perf_counter) -> WarmUp:
    """Call until the medians of two windows in a row differ by less than 5 %, for 200 calls or 3 seconds at most."""
    taken: list[float] = []
    began = clock()
    while len(taken) < MOST_CALLS:
        before = clock()
        model(images_BCHW)
        after = clock()
        taken.append(after - before)
        if _has_settled(taken):
            return WarmUp(calls=len(taken), stable=True)
        if after - began >= MOST_SECONDS and len(taken) >= FEWEST_CALLS:
            break
    return WarmUp(calls=len(taken), stable=False)


def _has_settled(taken: list[float]) -> bool:
    if len(taken) < WARM_UP:
        return False
    last, before = np.median(taken[-WINDOW:]), np.median(taken[-WARM_UP:-WINDOW])
    return bool(abs(last - before) <= STEADY * before)


@dataclass(kw_only=True)
class _Taken:
    """What one model's turns have given so far."""

    warm_up: WarmUp
    turns_s: list[list[float]] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)


def _time(model: Model, images_BCHW: Any, timing: Timing, clocks: tuple[Clock, Clock], *, into: _Taken) -> None:
    """One turn."""
    clock, cpu_clock = clocks
    seconds: list[float] = []
    cpu_before = cpu_clock()
    model(images_BCHW)  # the model before has filled the caches with its own weights
    while len(seconds) < timing.runs and (sum(seconds) < timing.seconds or len(seconds) < 3):
        began = clock()
        model(images_BCHW)
        seconds.append(clock() - began)
    into.cpu_s.append((cpu_clock() - cpu_before) / (1 + len(seconds)))
    into.turns_s.append(seconds)


def _summary(name: str, model: Model, taken: _Taken, timing: Timing) -> Latency:
    times = np.concatenate([np.asarray(turn) for turn in taken.turns_s])
    median, p95, p99 = (float(value) for value in np.percentile(times, [50, 95, 99]))
    medians = tuple(float(np.median(turn)) for turn in taken.turns_s)
    low, high = np.percentile(medians, [25, 75])
    return Latency(
        artifact=name, runtime=getattr(model, "runtime", "function"), threads=timing.threads, batch=timing.batch,
        median_s=median, p95_s=p95, p99_s=p99, min_s=float(times.min()), spread=float((high - low) / median),
        turn_medians_s=medians, cpu_s=float(np.median(taken.cpu_s)), runs=len(times), turns=len(taken.turns_s),
        warm_up=taken.warm_up,
    )  # fmt: skip


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """A collection in the middle of a call would be measured as part of it."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
