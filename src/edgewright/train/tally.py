"""The sum of an epoch's losses, which stay on the device until somebody has to look at them."""

from __future__ import annotations

import math

import torch

LOOK_EVERY = 32  # steps that an accelerator runs ahead: looking at a loss waits for all that was started before it


class Tally:
    """Mean loss per image so far. On the CPU every loss is looked at as it comes, elsewhere every `LOOK_EVERY`-th time.

    The losses are added up in the same order and precision either way.
    """

    def __init__(self, device: torch.device) -> None:
        self._look_every = 1 if device.type == "cpu" else LOOK_EVERY
        self._waiting: list[tuple[torch.Tensor, int]] = []
        self._sum, self._num_images, self._num_steps = 0.0, 0, 0

    def add(self, loss: torch.Tensor, num_images: int) -> tuple[int, float] | None:
        """Take in the loss of one step; number (from 1) and value of the first loss that was not finite, if any."""
        self._waiting.append((loss.detach(), num_images))
        return self.look() if len(self._waiting) >= self._look_every else None

    def look(self) -> tuple[int, float] | None:
        """Add up what is waiting; number and value of the first loss that was not finite, if any."""
        waiting, self._waiting = self._waiting, []
        values = torch.stack([loss for loss, _ in waiting]).tolist() if waiting else []
        for value, (_, num_images) in zip(values, waiting, strict=True):
            self._num_steps += 1
            if not math.isfinite(value):
                return self._num_steps, value
            self._sum, self._num_images = self._sum + value * num_images, self._num_images + num_images
        return None

    def as_plain(self) -> dict[str, float]:
        """The sums so far, of the steps looked at."""
        return {"sum": self._sum, "images": self._num_images, "steps": self._num_steps}

    def restore(self, content: dict[str, float]) -> None:
        """Go on from the sums that `as_plain` gave."""
        self._sum = content["sum"]
        self._num_images, self._num_steps = int(content["images"]), int(content["steps"])

    @property
    def mean(self) -> float:
        """Mean loss per image of the steps looked at; nan before the first."""
        return self._sum / self._num_images if self._num_images else math.nan
