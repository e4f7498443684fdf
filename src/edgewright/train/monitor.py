"""A log of a training in files: `history.jsonl` for programs, event files for TensorBoard. No network, no package."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch

from ..errors import ConfigError
from ..files import write_atomic
from ..progress import Progress, Task
from .events import EventFile, Histogram

HISTORY = "history.jsonl"
NUM_BINS = 30
LOOP = "Train"  # title of a training's loop


class Logged(Progress):
    """Passes on what it is told to `shown`, and writes numbers and distributions below `folder`.

    The first training writes into the folder itself, each later one of the same run into `training-2` and so on. A
    run that is gone on with replaces what the log holds of later steps.

    Raises:
        ConfigError: the folder cannot be written.
    """

    def __init__(self, shown: Progress, folder: Path) -> None:
        self._shown, self._folder, self._number = shown, folder, 0
        self._log: _Log | None = None

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Task]:
        if title == LOOP:
            self._number += 1
            self._log = _Log(self._folder if self._number == 1 else self._folder / f"training-{self._number}")
        try:
            with self._shown.task(title, total) as task:
                yield task
        finally:
            if title == LOOP and self._log is not None:
                self._log.close()

    def note(self, text: str) -> None:
        self._shown.note(text)

    def scalars(self, values: Mapping[str, float], *, step: int) -> None:
        self._shown.scalars(values, step=step)
        if self._log is not None:
            self._log.scalars(values, step)

    def histograms(self, tensors: Callable[[], Mapping[str, torch.Tensor]], *, step: int) -> None:
        self._shown.histograms(tensors, step=step)
        if self._log is not None:
            self._log.histograms(tensors(), step)


class _Log:
    """The files of one training, opened at its first step."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._events: EventFile | None = None

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        events = self._opened(step)
        events.scalars(values, step=step)
        plain = {name: value if math.isfinite(value) else None for name, value in values.items()}
        with (self._folder / HISTORY).open("a") as file:
            file.write(json.dumps({"step": step, **plain}) + "\n")

    def histograms(self, tensors: Mapping[str, torch.Tensor], step: int) -> None:
        found = {name: histogram(tensor) for name, tensor in tensors.items()}
        self._opened(step).histograms({name: each for name, each in found.items() if each is not None}, step=step)

    def close(self) -> None:
        if self._events is not None:
            self._events.close()

    def _opened(self, step: int) -> EventFile:
        if self._events is None:
            try:
                self._events = EventFile(self._folder, step=step)
                _forget(self._folder / HISTORY, step)
            except OSError as error:
                raise ConfigError(
                    f"Cannot write the log into {self._folder} ({error.strerror}): choose another folder with --log."
                ) from error
        return self._events


def read_history(folder: Path) -> list[dict[str, float]]:
    """What `Logged` wrote into `history.jsonl`, in the order of the steps; a half-written last line is left out."""
    path, records = folder / HISTORY, []
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            records.append(json.loads(line))
        except ValueError:
            break
    return records


def _forget(path: Path, step: int) -> None:
    """Remove the records of `step` and later, which will be written again."""
    kept = [record for record in read_history(path.parent) if record["step"] < step]
    write_atomic(path, "".join(json.dumps(record) + "\n" for record in kept))


def histogram(tensor: torch.Tensor) -> Histogram | None:
    """The distribution of a tensor's finite values over evenly wide bins; None for none."""
    values = tensor.detach().flatten().double().cpu()
    values = values[torch.isfinite(values)]
    if not len(values):
        return None
    low, high = float(values.min()), float(values.max())
    counts, edges = torch.histogram(values, NUM_BINS, range=(low, high if high > low else low + 1.0))
    return Histogram(
        low=low,
        high=high,
        num=len(values),
        total=float(values.sum()),
        sum_of_squares=float(values.square().sum()),
        limits=edges[1:].tolist(),
        counts=counts.tolist(),
    )
