"""Progress for people: a live bar with the time left on a terminal, plain lines anywhere else. All of it on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from ..progress import Progress, Task

QUIET_S = 10.0  # seconds between two plain lines of one loop


def progress_for(stream: TextIO | None = None) -> Progress:
    """A live bar when `stream` (stderr) is a terminal, plain lines otherwise."""
    stream = stream or sys.stderr
    console = Console(file=stream)
    return LiveProgress(console) if console.is_terminal else PlainProgress(stream)


class LiveProgress(Progress):
    """Bars that redraw themselves; loops inside loops get a bar each."""

    def __init__(self, console: Console) -> None:
        self._bars = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[detail]}"),
            console=console,
            transient=True,
        )
        self._open = 0

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Task]:
        if self._open == 0:
            self._bars.start()
        self._open += 1
        number = self._bars.add_task(title, total=total, detail="")
        try:
            yield _LiveTask(self._bars, number)
        finally:
            self._bars.remove_task(number)
            self._open -= 1
            if self._open == 0:
                self._bars.stop()

    def note(self, text: str) -> None:
        self._bars.console.print(text, markup=False, highlight=False)


class _LiveTask(Task):
    def __init__(self, bars: RichProgress, number: TaskID) -> None:
        self._bars, self._number = bars, number

    def advance(self, steps: int = 1, *, detail: str = "") -> None:
        if detail:
            self._bars.update(self._number, advance=steps, detail=detail)
        else:
            self._bars.update(self._number, advance=steps)


class PlainProgress(Progress):
    """One line per loop that took long, and one every ten seconds while it runs: for logs and pipes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Task]:
        task = _PlainTask(self._stream, title, total)
        yield task
        task.finish()

    def note(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


class _PlainTask(Task):
    def __init__(self, stream: TextIO, title: str, total: int) -> None:
        self._stream, self._title, self._total = stream, title, total
        self._done, self._detail = 0, ""
        self._began = self._said = time.monotonic()

    def advance(self, steps: int = 1, *, detail: str = "") -> None:
        self._done += steps
        self._detail = detail or self._detail
        now = time.monotonic()
        if now - self._said >= QUIET_S and 0 < self._done < self._total:
            left = (now - self._began) / self._done * (self._total - self._done)
            self._say(f"about {left:.0f} s left")
            self._said = now

    def finish(self) -> None:
        """Say how it ended, if it took long enough for anyone to care."""
        seconds = time.monotonic() - self._began
        if seconds >= 1:
            self._say(f"{seconds:.0f} s")

    def _say(self, when: str) -> None:
        detail = f", {self._detail}" if self._detail else ""
        print(f"   {self._title}: {self._done}/{self._total}, {when}{detail}", file=self._stream, flush=True)
