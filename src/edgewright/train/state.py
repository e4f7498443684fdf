"""All that a training run knows between two steps, and its checkpoint on disk.

Between two epochs random numbers need no place in it: every draw comes from a generator named by purpose and epoch.
Within one, the states of the generators are a part of its `Position`.
"""

from __future__ import annotations

import copy
import hashlib
import io
import pickle
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import ConfigError
from ..files import write_atomic

Weights = dict[str, torch.Tensor]
FILE = "checkpoint.pt"


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """What one epoch did: mean training loss, score on val in points, and the learning rate of its last step."""

    number: int  # from 1
    loss: float
    score: float
    lr: float


@dataclass(frozen=True, kw_only=True)
class Position:
    """How far an unfinished epoch is: batches learnt from, the tally of their losses, states of the generators."""

    num_batches: int
    tally: dict[str, float]
    draws: dict[str, torch.Tensor]


class Average:
    """An exponential moving average of all weights and running statistics, as a model of its own.

    The decay of step t is `min(decay, (1 + t) / (10 + t))`, so that the first steps do not hold on to random weights.
    Source: Polyak and Juditsky 1992; the rising decay as in TensorFlow's ExponentialMovingAverage.
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.net = copy.deepcopy(net).eval()
        self.decay = decay
        self.num_steps = 0

    def update(self, net: nn.Module) -> None:
        self.num_steps += 1
        decay = min(self.decay, (1 + self.num_steps) / (10 + self.num_steps))
        with torch.no_grad():
            for mean, value in zip(_tensors(self.net), _tensors(net), strict=True):
                if mean.is_floating_point():
                    mean.lerp_(value, 1 - decay)
                else:
                    mean.copy_(value)


@dataclass(eq=False)
class Training:
    """The moving parts of one run."""

    net: nn.Module
    layout: torch.memory_format  # of the inputs and kernels, for speed only
    optimizer: torch.optim.Optimizer
    average: Average | None
    score_before: float
    best: Weights
    keep_last: bool = False  # the last epoch counts as the best
    min_delta: float = 0.0  # points; a smaller rise of the score is none to wait for
    history: list[Epoch] = field(default_factory=list)
    view: nn.Module | None = None  # of `net`, which computes the same in another way
    scaler: torch.amp.GradScaler | None = None  # of the loss, where layers compute in float16
    position: Position | None = None  # in an epoch that is not in `history` yet

    @property
    def learner(self) -> nn.Module:
        """What the loss is computed with."""
        return self.view or self.net

    @property
    def judged(self) -> nn.Module:
        """The model that is scored: the average where there is one."""
        return self.net if self.average is None else self.average.net

    @property
    def num_batches(self) -> int:
        """Batches that an unfinished epoch has learnt from."""
        return 0 if self.position is None else self.position.num_batches

    @property
    def best_score(self) -> float:
        return max([self.score_before, *(epoch.score for epoch in self.history)])

    @property
    def best_epoch(self) -> int:
        """Number of the epoch that is kept: the best score, the later of equals; 0 is the model as it came."""
        if self.keep_last:
            return len(self.history)
        scores = [self.score_before, *(epoch.score for epoch in self.history)]
        return max(range(len(scores)), key=lambda number: (scores[number], number))

    @property
    def epochs_without_gain(self) -> int:
        """Epochs since the score last rose, by more than `min_delta`, above where it had risen to before."""
        reached, since = self.score_before, 0
        for epoch in self.history:
            reached, since = (epoch.score, 0) if epoch.score > reached + self.min_delta else (reached, since + 1)
        return since

    def record(self, epoch: Epoch) -> None:
        """Add a finished epoch, and keep its weights when none before scored better, or when the last are asked for."""
        if self.keep_last or epoch.score >= self.best_score:
            self.best = weights_of(self.judged)
        self.history.append(epoch)

    def as_plain(self) -> dict[str, Any]:
        average = None
        if self.average is not None:
            average = {"net": weights_of(self.average.net), "steps": self.average.num_steps}
        extra: dict[str, Any] = {}
        if self.position is not None:
            extra["position"] = vars(self.position)
        if self.scaler is not None:
            extra["scaler"] = self.scaler.state_dict()
        return {
            **extra,
            "net": weights_of(self.net),
            "optimizer": self.optimizer.state_dict(),
            "average": average,
            "score_before": self.score_before,
            "best": self.best,
            "history": [asdict(epoch) for epoch in self.history],
        }

    def restore(self, content: dict[str, Any]) -> None:
        self.net.load_state_dict(content["net"])
        self.optimizer.load_state_dict(content["optimizer"])
        if self.average is not None:
            self.average.net.load_state_dict(content["average"]["net"])
            self.average.num_steps = content["average"]["steps"]
        if self.scaler is not None:
            self.scaler.load_state_dict(content["scaler"])
        self.score_before = content["score_before"]
        self.best = content["best"]
        self.history = [Epoch(**epoch) for epoch in content["history"]]
        self.position = Position(**content["position"]) if "position" in content else None


def _tensors(net: nn.Module) -> list[torch.Tensor]:
    """All weights and running statistics, each once, however many layers share it."""
    return [*net.parameters(), *net.buffers()]


def weights_of(net: nn.Module) -> Weights:
    """A copy of all weights and running statistics."""
    return {name: value.detach().clone() for name, value in net.state_dict().items()}


def weights_digest(net: nn.Module) -> str:
    """A hash of all weights and running statistics."""
    digest = hashlib.sha256()
    for name, value in net.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def save_checkpoint(folder: Path | None, key: str, state: Training) -> None:
    """Write the state into `folder` in one step; None writes nothing.

    Raises:
        ConfigError: the folder cannot be written.
    """
    if folder is None:
        return
    buffer = io.BytesIO()
    torch.save({"key": key, "state": state.as_plain()}, buffer)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / FILE, buffer.getvalue())
    except OSError as error:
        raise ConfigError(
            f"Cannot write the checkpoint into {folder} ({error.strerror}): choose another folder."
        ) from error


def load_checkpoint(folder: Path | None, key: str) -> tuple[dict[str, Any] | None, str]:
    """The state that `save_checkpoint` wrote under the same key, or None and the reason in words ("" for no file).

    Half-written files that a kill left beside it are removed. Tensors come on the CPU, wherever they were written
    from. Only tensors and plain values are read, never code.
    """
    path = Path(folder or "") / FILE
    if folder is None or not folder.is_dir():
        return None, ""
    for left in folder.glob(f".{FILE}.*"):
        left.unlink()
    if not path.exists():
        return None, ""
    try:
        content = torch.load(path, weights_only=True, map_location="cpu")
        if content["key"] == key:
            return content["state"], ""
        return None, f"{path} belongs to another training"
    except (RuntimeError, OSError, EOFError, KeyError, TypeError, pickle.UnpicklingError, zipfile.BadZipFile):
        return None, f"{path} is damaged"
