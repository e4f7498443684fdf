"""A progress that ends a training after so many steps, however the test wants it ended."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from edgewright.progress import Progress, Task


class Countdown(Progress):
    """Calls `end()` when so many steps of training are done."""

    def __init__(self, steps: int, end: Callable[[], None]) -> None:
        self.left, self.end = steps, end

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Task]:
        countdown = self

        class Bar(Task):
            def advance(self, steps: int = 1, *, detail: str = "") -> None:
                countdown.left -= steps if title == "Train" else 0
                if countdown.left <= 0:
                    countdown.end()

        yield Bar()
