"""Scoring a model on a split. A model is an `nn.Module` or any function from a float batch to outputs.

A module is scored on the device where its parameters are; decisions come back to the CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from ..data import Data
from ..progress import SILENT, Progress
from ..types import Score, Task
from .place import device_of, on_cpu

Model = nn.Module | Callable[[torch.Tensor], Any]


def evaluate(
    model: Model, task: Task, data: Data, split: str = "val", *, batch_size: int = 250, progress: Progress = SILENT
) -> Score:
    """The task's score of `model`, in points, on one split.

    A module is scored in eval mode without gradients and put back into the modes it was in.

    Raises:
        ModelError: the outputs do not suit the task.
    """
    metric = task.metric()
    num_samples = 0
    with progress.task(f"Score on {split}", total=len(data.split(split))) as bar:
        for decisions, targets in _decisions(model, task, data, split, batch_size):
            metric.update(decisions, targets)
            num_samples += len(targets)
            bar.advance(len(targets))
    return Score(metric=task.metric_name, value=metric.compute(), num_samples=num_samples, split=split)


def decide(
    model: Model, task: Task, data: Data, split: str = "val", *, batch_size: int = 250
) -> tuple[np.ndarray, np.ndarray]:
    """Decisions and targets of every sample of a split, in the split's order.

    Raises:
        ModelError: the outputs do not suit the task.
    """
    pairs = list(_decisions(model, task, data, split, batch_size))
    decisions, targets = zip(*pairs, strict=True)
    return torch.cat(decisions).numpy(), torch.cat(targets).numpy()


def score_of(decisions: np.ndarray, targets: np.ndarray, task: Task, split: str) -> Score:
    """The score, in points, of decisions that were made already, as `decide` gives them."""
    metric = task.metric()
    metric.update(decisions, targets)
    return Score(metric=task.metric_name, value=metric.compute(), num_samples=len(targets), split=split)


def _decisions(model: Model, task: Task, data: Data, split: str, batch_size: int) -> Iterator[tuple[Any, torch.Tensor]]:
    device = device_of(model)
    with _judged(model):
        for inputs_BCHW, targets in data.batches(split, batch_size=batch_size):
            with torch.no_grad():
                outputs = model(inputs_BCHW.to(device, non_blocking=True))
            task.check_outputs(outputs, model_name="The model")
            yield on_cpu(task.decode(outputs)), on_cpu(targets)


@contextmanager
def _judged(model: Model) -> Iterator[None]:
    """Eval mode for a module and all of its parts, and each part's own mode again afterwards."""
    parts = list(model.modules()) if isinstance(model, nn.Module) else []
    modes = [part.training for part in parts]
    if isinstance(model, nn.Module):
        model.eval()
    try:
        yield
    finally:
        for part, mode in zip(parts, modes, strict=True):
            part.training = mode
