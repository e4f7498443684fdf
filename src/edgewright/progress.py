"""One progress object, passed in; silent by default. The CLI passes one that draws."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


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


class Task:
    """One running loop."""

    def advance(self, steps: int = 1, *, detail: str = "") -> None:
        """Count `steps` as done; `detail` replaces the text beside the bar (loss, score, learning rate)."""


SILENT = Progress()
