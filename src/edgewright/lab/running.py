"""Running experiments: one, or all of them on several processes, each result saved as soon as it is there."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path

from ..errors import DataError
from .catalog import experiment
from .store import Outcome, load, save

PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to run. `folder` keeps the findings; None keeps nothing."""

    names: tuple[str, ...]
    seed: int = 0
    fast: bool = False
    folder: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Failure:
    """An experiment that ended with an error."""

    experiment: str
    reason: str


@cache
def code_hash() -> str:
    """Hash of all source files of the package: whatever changes in it may change a number."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def run_one(name: str, *, seed: int = 0, fast: bool = False) -> Outcome:
    """Run one experiment here.

    Raises:
        ConfigError: there is no experiment of that name.
    """
    chosen = experiment(name)
    begin = time.perf_counter()
    finding = chosen.run(seed, fast)
    seconds = time.perf_counter() - begin
    return Outcome(experiment=name, seed=seed, fast=fast, seconds=seconds, code=code_hash(), finding=finding)


def kept(request: Request) -> dict[str, Outcome]:
    """Findings in the folder that are what this request would make: the same code, seed and length."""
    found = {}
    for name in request.names:
        outcome = _loaded(request.folder, name)
        if outcome and (outcome.seed, outcome.fast, outcome.code) == (request.seed, request.fast, code_hash()):
            found[name] = outcome
    return found


def run_all(request: Request, *, processes: int = 2) -> Iterator[Outcome | Failure]:
    """Run experiments side by side and yield each when it is done; those that are `kept` are not asked for here.

    Each process computes on one thread, so that numbers do not depend on how many there are.
    """
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        waiting = {pool.submit(_task, name, request): name for name in request.names}
        try:
            for done in as_completed(waiting):
                yield _result(waiting[done], done.result)
        except GeneratorExit:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _result(name: str, result: Callable[[], Outcome]) -> Outcome | Failure:
    try:
        return result()
    except BrokenProcessPool:
        return Failure(experiment=name, reason="its process was killed (out of memory?)")
    except Exception as error:  # one experiment that fails must not take the others with it
        return Failure(experiment=name, reason=f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")


def _task(name: str, request: Request) -> Outcome:
    outcome = run_one(name, seed=request.seed, fast=request.fast)
    if request.folder is not None:
        save(outcome, request.folder)
    return outcome


def _one_thread() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    import torch

    torch.set_num_threads(1)


def _loaded(folder: Path | None, name: str) -> Outcome | None:
    try:
        return load(folder / f"{name}.json") if folder is not None else None
    except DataError:
        return None


def in_order(names: Sequence[str], outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Outcomes in the order of the catalog rather than that of their end."""
    by_name = {outcome.experiment: outcome for outcome in outcomes}
    return [by_name[name] for name in names if name in by_name]
