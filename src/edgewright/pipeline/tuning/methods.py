"""Which settings are tried next: every point of a grid, points drawn at random, or points that look promising.

Each proposal follows from the space, the seed, the trial's number and the trials before it alone, so a search that is
continued proposes what an uninterrupted one does.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ...errors import MissingExtraError
from ...seeding import derive, numpy_generator
from .space import Choices, Range, Space, Value

NUM_RANDOM = 5  # trials that the Bayesian search draws at random before it models anything


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One set of settings, and what came of it; a score of None failed for a `reason`."""

    number: int  # from 1
    values: Mapping[str, Value]
    score: float | None = None
    folder: str = ""
    seconds: float | None = None
    reason: str = ""


Propose = Callable[[Space, int, Sequence[Trial], int], "dict[str, Value] | None"]


def grid(space: Space, number: int, tried: Sequence[Trial], seed: int) -> dict[str, Value] | None:
    """Point `number` of all combinations, the last setting changing fastest; None behind the last."""
    points = itertools.product(*(values.grid(name) for name, values in space.items()))
    point = next(itertools.islice(points, number - 1, None), None)
    return None if point is None else dict(zip(space, point, strict=True))


def draw(space: Space, number: int, tried: Sequence[Trial], seed: int) -> dict[str, Value]:
    """Each setting drawn by a generator named for it: another setting in the space changes none of the others.

    Source: Bergstra and Bengio 2012, Random Search for Hyper-Parameter Optimization.
    """
    return {
        name: values.at(float(numpy_generator(seed, "tune", number, name).random())) for name, values in space.items()
    }


def bayes(space: Space, number: int, tried: Sequence[Trial], seed: int) -> dict[str, Value]:
    """What Optuna's tree of Parzen estimators proposes after the trials so far.

    Raises:
        MissingExtraError: Optuna is not installed.

    Source: Bergstra 2011, Algorithms for Hyper-Parameter Optimization.
    """
    optuna = require_optuna()
    ranges = {name: _distribution(optuna, values) for name, values in space.items()}
    sampler = optuna.samplers.TPESampler(seed=derive(seed, "tune.bayes", number) % 2**32, n_startup_trials=NUM_RANDOM)
    with _quiet(optuna):
        study = optuna.create_study(direction="maximize", sampler=sampler)
        study.add_trials([_as_optunas(optuna, each, ranges) for each in tried])
        asked = study.ask(ranges)
    return {name: _restored(space[name], asked.params[name]) for name in space}


METHODS: Mapping[str, Propose] = {"grid": grid, "random": draw, "bayes": bayes}


def require_optuna() -> Any:
    """The package Optuna.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import optuna  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ModuleNotFoundError as error:
        raise MissingExtraError("Optuna", "tune") from error
    return optuna


def _distribution(optuna: Any, values: Choices | Range) -> Any:
    if isinstance(values, Choices):
        return optuna.distributions.CategoricalDistribution(list(values.values))
    kind = optuna.distributions.IntDistribution if values.is_whole else optuna.distributions.FloatDistribution
    return kind(values.low, values.high, log=values.is_log)


def _as_optunas(optuna: Any, trial: Trial, ranges: Mapping[str, Any]) -> Any:
    """A trial as Optuna keeps it; one that failed is remembered as failed."""
    state = optuna.trial.TrialState.FAIL if trial.score is None else optuna.trial.TrialState.COMPLETE
    return optuna.trial.create_trial(
        params=dict(trial.values), distributions=dict(ranges), value=trial.score, state=state
    )


def _restored(values: Choices | Range, proposed: Any) -> Value:
    return int(proposed) if isinstance(values, Range) and values.is_whole else proposed


@contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    """Without Optuna's lines about studies that live for a millisecond."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
