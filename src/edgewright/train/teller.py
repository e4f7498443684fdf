"""What a run says while it runs, to people and to a log."""

from __future__ import annotations

import time

import torch

from ..progress import Progress
from ..progress import Task as Bar
from .plan import Plan
from .state import Training


class Teller:
    """Says how far the run is: loss, score, learning rate, images per second. The time left is the bar's to say."""

    def __init__(self, bar: Bar, progress: Progress, state: Training, plan: Plan) -> None:
        self._bar, self._progress, self._state, self._plan = bar, progress, state, plan
        self._began, self._num_images = time.perf_counter(), 0

    def step(self, loss: float, lr: float, *, num_images: int, number: int) -> None:
        """Step `number` of the run (from 1); `loss` is the mean of the epoch so far."""
        self._num_images += num_images
        self._progress.scalars({"train/loss": loss, "train/lr": lr, "train/images_per_s": self._speed()}, step=number)
        self._bar.advance(detail=self._detail(loss, lr, epoch=len(self._state.history) + 1))

    def scored(self) -> None:
        """An epoch that is recorded: its score may be the best."""
        epoch = self._state.history[-1]
        step = epoch.number * self._plan.num_steps
        self._progress.scalars(
            {"epoch/number": epoch.number, "epoch/loss": epoch.loss, f"val/{self._plan.task.metric_name}": epoch.score},
            step=step,
        )
        self._progress.histograms(self._tensors, step=step)
        self._bar.advance(0, detail=self._detail(epoch.loss, epoch.lr, epoch=epoch.number))

    def _tensors(self) -> dict[str, torch.Tensor]:
        """All weights, and their gradients of the last step."""
        named = dict(self._state.net.named_parameters())
        slopes = {name: each.grad for name, each in named.items() if each.grad is not None}
        weights = {f"weights/{name}": each.detach() for name, each in named.items()}
        return {**weights, **{f"gradients/{name}": each for name, each in slopes.items()}}

    def _speed(self) -> float:
        return self._num_images / (time.perf_counter() - self._began)

    def _detail(self, loss: float, lr: float, *, epoch: int) -> str:
        parts = [
            f"epoch {epoch}/{self._plan.settings.epochs}",
            f"loss {loss:.3f}",
            f"best {self._plan.task.metric_name} {self._state.best_score:.2f}",
            f"lr {lr:.2g}",
            f"{self._speed():,.0f} images/s",
        ]
        return "  ".join(parts)
