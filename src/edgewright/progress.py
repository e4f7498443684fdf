"""One progress object, passed in; silent by default. The CLI passes one that draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class Progress:
    """Receives what a long computation has to say. This base class says nothing.

    A computation calls `task(...)` around a loop of known length and `advance` in it; `note` is for one line of
    news that a person reads. Subclasses draw; computations never print.
    """

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Task]:
        """A loop of `total` steps named `title`."""
        yield Task()

    def note(self, text: str) -> None:
        """One line of news."""

    def scalars(self, values: Mapping[str, float], *, step: int) -> None:
        """Numbers by name, as they are at one step of a long computation: for a log."""

    def histograms(self, tensors: Callable[[], Mapping[str, Any]], *, step: int) -> None:
        """Tensors by name whose distribution is worth a record; `tensors` is called only by who keeps one."""


class Task:
    """One running loop."""

    def advance(self, steps: int = 1, *, detail: str = "") -> None:
        """Count `steps` as done; `detail` replaces the text beside the bar (loss, score, learning rate)."""


SILENT = Progress()
