"""The learning rate of each step, as a share of the largest: pure functions of the step's number.

A resumed run therefore needs no state. Epochs may be fractions; a step counts from 0, a `Course` says how many there
are. What rises before is the warm-up's business: a straight line that meets the schedule where the schedule begins.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

from .spelling import BELOW_1, POSITIVE, SHARE, Range, check, choose


@dataclass(frozen=True, kw_only=True)
class Course:
    """The run in which a schedule is asked for a rate.

    Args:
        num_steps: of the whole run, warm-up included.
        steps_per_epoch: the unit in which the options of a schedule count.
        num_warmup: steps of the rise before the schedule proper.
        final: share of the largest rate to which a schedule that falls to an end falls.
    """

    num_steps: int
    steps_per_epoch: int = 1
    num_warmup: int = 0
    final: float = 0.0

    def passed(self, step: int) -> float:
        """Share of the steps after the warm-up that lie behind; 1 from the last on."""
        return min(1.0, (step - self.num_warmup) / max(1, self.num_steps - self.num_warmup))

    @property
    def num_scheduled(self) -> int:
        """Steps after the warm-up."""
        return max(1, self.num_steps - self.num_warmup)

    def steps(self, epochs: float) -> int:
        """Epochs in steps, at least one."""
        return max(1, round(epochs * self.steps_per_epoch))


class Schedule(Protocol):
    """`rises`: it begins low by itself, so that a warm-up before it only costs time.

    `falls_to_final`: it ends at the share that a `Course` calls final; the others do not look at it.
    """

    rises: ClassVar[bool]
    falls_to_final: ClassVar[bool]

    def share(self, step: int, course: Course) -> float:
        """The share of the largest rate at `step`, which is not before the warm-up's end."""


@dataclass(frozen=True, kw_only=True)
class Constant:
    """1."""

    rises: ClassVar[bool] = False
    falls_to_final: ClassVar[bool] = False

    def share(self, step: int, course: Course) -> float:
        return 1.0


@dataclass(frozen=True, kw_only=True)
class Step:
    """gamma^floor(t / every): `gamma` times as much after every `every` epochs of the run (None: a third of it)."""

    every: float | None = None
    gamma: float = 0.1
    rises: ClassVar[bool] = False
    falls_to_final: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check(self, {"every": POSITIVE, "gamma": SHARE})

    def share(self, step: int, course: Course) -> float:
        every = max(1, math.ceil(course.num_steps / 3)) if self.every is None else course.steps(self.every)
        return float(self.gamma ** (step // every))


@dataclass(frozen=True, kw_only=True)
class MultiStep:
    """gamma^(milestones behind): `gamma` times as much at each epoch `at` (none: at 1/2 and 3/4 of the run).

    Source of the milestones: He 2016, Deep Residual Learning, section 4.2 (32 and 48 of 64 thousand steps).
    """

    at: tuple[float, ...] = ()
    gamma: float = 0.1
    rises: ClassVar[bool] = False
    falls_to_final: ClassVar[bool] = False

    def __post_init__(self) -> None:
        rising = ("epochs in rising order", lambda at: all(a < b for a, b in zip((0, *at), at, strict=False)))
        check(self, {"at": rising, "gamma": SHARE})

    def share(self, step: int, course: Course) -> float:
        halves = (course.num_steps / 2, course.num_steps * 3 / 4)
        milestones = [float(course.steps(each)) for each in self.at] or halves
        return float(self.gamma ** sum(step >= each for each in milestones))


@dataclass(frozen=True, kw_only=True)
class Exponential:
    """gamma^t = e^(-k t) with k = -ln gamma: `gamma` times as much per epoch (None: 1 % is left at the end)."""

    gamma: float | None = None
    rises: ClassVar[bool] = False
    falls_to_final: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check(self, {"gamma": SHARE})

    def share(self, step: int, course: Course) -> float:
        if self.gamma is None:
            return float(0.01 ** course.passed(step))
        return float(self.gamma ** ((step - course.num_warmup) / course.steps_per_epoch))


@dataclass(frozen=True, kw_only=True)
class Polynomial:
    """final + (1 - final) (1 - t/T)^power. Source of the power: Chen 2017, DeepLab, arXiv:1606.00915, section 4.1."""

    power: float = 0.9
    rises: ClassVar[bool] = False
    falls_to_final: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check(self, {"power": POSITIVE})

    def share(self, step: int, course: Course) -> float:
        return float(course.final + (1 - course.final) * (1 - course.passed(step)) ** self.power)


@dataclass(frozen=True, kw_only=True)
class Cosine:
    """final + (1 - final)/2 (1 + cos(pi t/T)). Source: Loshchilov and Hutter 2017, SGDR, equation 5, one cycle."""

    rises: ClassVar[bool] = False
    falls_to_final: ClassVar[bool] = True

    def share(self, step: int, course: Course) -> float:
        return course.final + (1 - course.final) * 0.5 * (1 + math.cos(math.pi * course.passed(step)))


@dataclass(frozen=True, kw_only=True)
class CosineRestarts:
    """Cosines one after the other, each `growth` times as long as the one before.

    The first takes `first` epochs; None: three cosines make the run, so that it ends at the bottom of one.

    Source: Loshchilov and Hutter 2017, SGDR, arXiv:1608.03983 (T_0 and T_mult).
    """

    first: float | None = None
    growth: float = 2
    rises: ClassVar[bool] = False
    falls_to_final: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check(self, {"first": POSITIVE, "growth": ("1 or greater", lambda value: 1 <= value < math.inf)})

    def share(self, step: int, course: Course) -> float:
        left, length = float(step - course.num_warmup), float(self._first(course))
        while left >= length:
            left, length = left - length, length * self.growth
        return course.final + (1 - course.final) * 0.5 * (1 + math.cos(math.pi * left / length))

    def _first(self, course: Course) -> int:
        if self.first is not None:
            return course.steps(self.first)
        return math.ceil(course.num_scheduled / (1 + self.growth + self.growth**2))


@dataclass(frozen=True, kw_only=True)
class OneCycle:
    """A cosine up from 1/`divide` over the share `rise` of the steps, and a cosine down to final. Momentum stays.

    Source: Smith and Topin 2019, Super-convergence, arXiv:1708.07120; the shape of torch's OneCycleLR.
    """

    rise: float = 0.3
    divide: float = 25
    rises: ClassVar[bool] = True
    falls_to_final: ClassVar[bool] = True

    def __post_init__(self) -> None:
        inside = ("in (0, 1)", lambda value: 0 < value < 1)
        check(self, {"rise": inside, "divide": ("1 or greater", lambda value: 1 <= value < math.inf)})

    def share(self, step: int, course: Course) -> float:
        top, last = self.rise * course.num_scheduled - 1, course.num_scheduled - 1
        passed = min(step - course.num_warmup, last)
        if passed < top:
            return _cosine_between(1 / self.divide, 1.0, passed / top)
        return _cosine_between(1.0, course.final, (passed - top) / (last - top)) if last > top else 1.0


@dataclass(frozen=True, kw_only=True)
class Triangular:
    """A straight line from `low` up to 1 and down again, `half` epochs each way (None: three times up and down).

    Source: Smith 2017, Cyclical Learning Rates, arXiv:1506.01186; section 3.3 for a low end at a quarter of the top.
    """

    half: float | None = None
    low: float = 0.25
    rises: ClassVar[bool] = True
    falls_to_final: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check(self, WAVE)

    def share(self, step: int, course: Course) -> float:
        _, height = _wave(step, course, self.half)
        return self.low + (1 - self.low) * height


@dataclass(frozen=True, kw_only=True)
class Triangular2:
    """As triangular, each peak half as far above `low` as the one before."""

    half: float | None = None
    low: float = 0.25
    rises: ClassVar[bool] = True
    falls_to_final: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check(self, WAVE)

    def share(self, step: int, course: Course) -> float:
        cycle, height = _wave(step, course, self.half)
        return self.low + (1 - self.low) * height * 0.5**cycle


@dataclass(frozen=True, kw_only=True)
class ExpRange:
    """As triangular, the height above `low` times gamma^step, counted from the warm-up's end."""

    half: float | None = None
    low: float = 0.25
    gamma: float = 0.99994
    rises: ClassVar[bool] = True
    falls_to_final: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check(self, {**WAVE, "gamma": SHARE})

    def share(self, step: int, course: Course) -> float:
        _, height = _wave(step, course, self.half)
        return float(self.low + (1 - self.low) * height * self.gamma ** (step - course.num_warmup))


WAVE: Mapping[str, Range] = {"half": POSITIVE, "low": BELOW_1}


SCHEDULES: Mapping[str, type[Schedule]] = {
    "constant": Constant,
    "step": Step,
    "multi-step": MultiStep,
    "exponential": Exponential,
    "polynomial": Polynomial,
    "cosine": Cosine,
    "cosine-restarts": CosineRestarts,
    "one-cycle": OneCycle,
    "triangular": Triangular,
    "triangular2": Triangular2,
    "exp-range": ExpRange,
}


def schedule(text: str) -> Schedule:
    """The schedule that `text` spells: a name, or `NAME:OPTION=VALUE,...`.

    Raises:
        ConfigError: an unknown name or option, or a value outside its range.
    """
    return choose(text, SCHEDULES, kind="schedule")


def names_schedule(value: object) -> bool:
    """Whether it is a text that begins with the name of a schedule; its options are not looked at."""
    return isinstance(value, str) and value.partition(":")[0] in SCHEDULES


def lr_share(schedule: Schedule, step: int, course: Course) -> float:
    """The learning rate of one step as a share of the largest.

    Over the warm-up it rises as `(step + 1) / (num_warmup + 1)` times what the schedule begins with.

    Args:
        schedule: of what follows the warm-up.
        step: from 0.
        course: of the run.

    Source of the warm-up: Goyal 2017, arXiv:1706.02677, section 2.2.
    """
    if step < course.num_warmup:
        rise = (step + 1) / (course.num_warmup + 1)
        return rise * schedule.share(course.num_warmup, course)
    return schedule.share(step, course)


def lr_factor(step: int, *, num_steps: int, num_warmup: int = 0, final: float = 0.0) -> float:
    """`lr_share` of a cosine: a straight rise to 1 at step `num_warmup`, then down to `final` at `num_steps`."""
    return lr_share(Cosine(), step, Course(num_steps=num_steps, num_warmup=num_warmup, final=final))


def _wave(step: int, course: Course, half_epochs: float | None) -> tuple[int, float]:
    """Number of the cycle (from 0) and the height on its triangle, 0 to 1."""
    half = math.ceil(course.num_scheduled / 6) if half_epochs is None else course.steps(half_epochs)
    passed = step - course.num_warmup
    cycle = passed // (2 * half)
    return cycle, 1 - abs(passed / half - 2 * cycle - 1)


def _cosine_between(start: float, end: float, passed: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * passed))
