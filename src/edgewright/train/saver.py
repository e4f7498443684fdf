"""When the state of a run is written to disk: after each epoch, and within one as often as the settings ask."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from .state import Training, save_checkpoint

if TYPE_CHECKING:
    from .settings import Train


class Saver:
    """Writes checkpoints into `folder` under `key`; None writes nothing."""

    def __init__(self, folder: Path | None, key: str, settings: Train) -> None:
        self._folder, self._key = folder, key
        self._steps, self._seconds = settings.checkpoint_steps, settings.checkpoint_seconds
        self._saved = time.monotonic()

    def is_due(self, step: int) -> bool:
        """Whether to save after step number `step` (from 1), in the middle of an epoch."""
        if self._folder is None:
            return False
        by_step = self._steps is not None and step % self._steps == 0
        return by_step or (self._seconds is not None and time.monotonic() - self._saved >= self._seconds)

    def save(self, state: Training) -> None:
        """Write the state in one step."""
        save_checkpoint(self._folder, self._key, state)
        self._saved = time.monotonic()
