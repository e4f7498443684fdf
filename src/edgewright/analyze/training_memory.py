"""Memory of training: weights, gradients, optimizer state and activations, and the largest batch that fits a budget.

    total = weights + buffers + gradients + optimizer state         once
          + input + saved activations + transient                   grows with the batch

*Saved activations* are what autograd keeps when the forward pass ends. *Transient* is what the fullest moment of the
step has alive beyond them: mostly the gradients of the largest activations, early in the backward pass. Gradients of
weights count from the start, as they do when they are accumulated or set to zero late; a loop that drops them before
each forward pass needs up to that much less.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from torch import nn

from ..errors import BudgetError, ConfigError, LookupFailed, ModelError
from ..model import input_shape as captured_shape
from ..model import is_captured
from .training_step import DTYPES, Trainee, bytes_of

COUNTER_BYTES = 4  # a float32 scalar


@dataclass(frozen=True, kw_only=True)
class OptimizerState:
    """What an optimizer keeps: tensors of the weights' size and type, and counters, per parameter tensor."""

    copies: int
    counters: int
    source: str


OPTIMIZERS: dict[str, OptimizerState] = {
    "sgd": OptimizerState(copies=0, counters=0, source="Robbins and Monro 1951"),
    "momentum": OptimizerState(copies=1, counters=0, source="Polyak 1964; torch.optim.SGD(momentum=...)"),
    "adagrad": OptimizerState(copies=1, counters=1, source="Duchi et al. 2011; sum of squares"),
    "rmsprop": OptimizerState(copies=1, counters=1, source="Tieleman and Hinton 2012; without momentum"),
    "adadelta": OptimizerState(copies=2, counters=1, source="Zeiler 2012"),
    "adam": OptimizerState(copies=2, counters=1, source="Kingma and Ba 2015; both moments"),
    "adamw": OptimizerState(copies=2, counters=1, source="Loshchilov and Hutter 2019; both moments"),
    "adamax": OptimizerState(copies=2, counters=1, source="Kingma and Ba 2015, section 7.1"),
    "radam": OptimizerState(copies=2, counters=1, source="Liu et al. 2020"),
    "nadam": OptimizerState(copies=2, counters=2, source="Dozat 2016; the product of momenta is a second counter"),
    "amsgrad": OptimizerState(copies=3, counters=1, source="Reddi et al. 2018; torch.optim.Adam(amsgrad=True)"),
    "lion": OptimizerState(copies=1, counters=0, source="Chen et al. 2023, arXiv:2302.06675; not in torch.optim"),
}

LESS_OF: dict[str, str] = {  # part -> what makes it smaller
    "weights": "take a smaller model",
    "buffers": "take a smaller model",
    "gradients": "freeze layers or take a smaller model",
    "optimizer state": "take an optimizer that keeps less, for instance sgd",
    "input": "take smaller images",
    "saved activations": "take smaller images, freeze early layers or train at dtype amp",
    "transient": "take smaller images or train at dtype amp",
}


@dataclass(frozen=True, kw_only=True)
class TrainingMemory:
    """What one training step needs, part by part. Bytes."""

    batch: int
    optimizer: str
    dtype: str
    weight_bytes: int
    buffer_bytes: int
    gradient_bytes: int
    optimizer_bytes: int
    input_bytes: int
    activation_bytes: int  # saved for the backward pass
    transient_bytes: int  # the fullest moment beyond all the others
    bytes_per_sample: int  # what one more sample adds

    @property
    def parts(self) -> dict[str, int]:
        """Every part by its name, in bytes."""
        return {
            "weights": self.weight_bytes,
            "buffers": self.buffer_bytes,
            "gradients": self.gradient_bytes,
            "optimizer state": self.optimizer_bytes,
            "input": self.input_bytes,
            "saved activations": self.activation_bytes,
            "transient": self.transient_bytes,
        }

    @property
    def total_bytes(self) -> int:
        return sum(self.parts.values())

    def rows(self) -> list[dict[str, Any]]:
        """One row per part and one for the total."""
        total = self.total_bytes
        growing = {"input", "saved activations", "transient"}
        rows = [
            {"part": name, "memory_bytes": size, "share_of_total": size / total, "grows_with_batch": name in growing}
            for name, size in self.parts.items()
        ]
        return [*rows, {"part": "total", "memory_bytes": total, "share_of_total": 1.0, "grows_with_batch": True}]


@dataclass(frozen=True, kw_only=True)
class LargestBatch:
    """The largest batch within a budget: it needs `memory.total_bytes`, one sample more `next_bytes`."""

    batch: int
    memory: TrainingMemory
    next_bytes: int


def training_memory(
    model: nn.Module,
    input_shape: tuple[int, ...] | None = None,
    *,
    batch: int = 1,
    optimizer: str = "adamw",
    dtype: str = "float32",
) -> TrainingMemory:
    """What one training step of `model` needs, by running it in train mode on tensors without content.

    Args:
        model: any module that maps one tensor (B, *input_shape) to tensors, captured or not. It is not changed.
        input_shape: shape of one sample; None takes that of a captured model.
        batch: samples per step.
        optimizer: a key of `OPTIMIZERS`.
        dtype: of weights, gradients, state and activations; `amp` keeps those of the weights in float32 and runs the
            forward pass under autocast to bfloat16.

    Raises:
        ConfigError: the batch, the shape or the dtype is none.
        LookupFailed: no such optimizer.
        ModelError: the model has nothing to train, or does not run in train mode on one such tensor.
    """
    return _Account(model, input_shape, optimizer=optimizer, dtype=dtype).memory(batch)


def largest_batch(
    model: nn.Module,
    input_shape: tuple[int, ...] | None = None,
    *,
    budget_bytes: int,
    optimizer: str = "adamw",
    dtype: str = "float32",
) -> LargestBatch:
    """The largest batch whose step fits `budget_bytes`; the one above is measured too, and does not fit.

    Args are those of `training_memory`.

    Raises:
        BudgetError: not even the smallest batch fits; the part that takes most is named.
    """
    account = _Account(model, input_shape, optimizer=optimizer, dtype=dtype)
    low, high = account.smallest_batch(), 0  # `low` fits, `high` does not; 0: not known yet
    if account.total(low) > budget_bytes:
        raise _too_little(account, low, budget_bytes)
    while high != low + 1:
        known = high or low + 1
        slope = (account.total(known) - account.total(low)) / (known - low)
        guess = low + max(1, int((budget_bytes - account.total(low)) / slope))
        guess = min(guess, high - 1) if high else guess
        if account.total(guess) <= budget_bytes:
            low = guess
        else:
            high = guess
        if not high and account.total(low + 1) > budget_bytes:
            high = low + 1
    memory = account.memory(low)
    return LargestBatch(batch=low, memory=memory, next_bytes=account.total(low + 1))


class _Account:
    """The bytes of a model's steps, each batch measured once."""

    def __init__(self, model: nn.Module, input_shape: tuple[int, ...] | None, *, optimizer: str, dtype: str) -> None:
        if optimizer not in OPTIMIZERS:
            raise LookupFailed(f"Unknown optimizer '{optimizer}': training memory knows {', '.join(OPTIMIZERS)}.")
        if input_shape is None and not is_captured(model):
            raise ConfigError(f"A {type(model).__name__} does not know its input: pass input_shape=(C, H, W).")
        self.shape = tuple(input_shape or captured_shape(model))  # type: ignore[arg-type]
        self.optimizer, self.dtype = optimizer, dtype
        self.trainee = Trainee(model, dtype)
        self.measured: dict[int, dict[str, int]] = {}

    def parts(self, batch: int) -> dict[str, int]:
        """The parts of a step as fields of `TrainingMemory`."""
        if batch not in self.measured:
            self.measured[batch] = self._measure(batch)
        return self.measured[batch]

    def total(self, batch: int) -> int:
        return sum(self.parts(batch).values())

    def memory(self, batch: int) -> TrainingMemory:
        parts = self.parts(batch)
        more = self.total(batch + 1) - self.total(batch)
        return TrainingMemory(batch=batch, optimizer=self.optimizer, dtype=self.dtype, bytes_per_sample=more, **parts)

    def smallest_batch(self) -> int:
        """1, or 2 for models that normalize over the batch a map of one value."""
        try:
            self.parts(1)
        except ModelError:
            self.parts(2)
            return 2
        return 1

    def _measure(self, batch: int) -> dict[str, int]:
        if batch < 1:
            raise ConfigError(f"A batch has at least one sample, got {batch}.")
        step = self.trainee.step(self.shape, batch)
        state, trainable = OPTIMIZERS[self.optimizer], bytes_of(self.trainee.trainable)
        return {
            "weight_bytes": bytes_of(self.trainee.model.parameters()),
            "buffer_bytes": bytes_of(self.trainee.model.buffers()),
            "gradient_bytes": trainable,
            "optimizer_bytes": state.copies * trainable + state.counters * COUNTER_BYTES * len(self.trainee.trainable),
            "input_bytes": batch * math.prod(self.shape) * DTYPES[self.dtype].itemsize,
            "activation_bytes": step.saved,
            "transient_bytes": step.most - step.saved,
        }


def _too_little(account: _Account, batch: int, budget_bytes: int) -> BudgetError:
    memory = account.memory(batch)
    part, size = max(memory.parts.items(), key=lambda pair: pair[1])
    samples = "one sample" if batch == 1 else f"{batch} samples, the fewest that it runs on"
    return BudgetError(
        f"{account.trainee.name} needs {memory.total_bytes:,} bytes to train on {samples}, the budget is "
        f"{budget_bytes:,}: most goes to {part} ({size:,} bytes), so {LESS_OF[part]}, or raise the budget."
    )
