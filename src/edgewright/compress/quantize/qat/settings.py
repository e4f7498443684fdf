"""`Qat`: how a quantized model is trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ....errors import ConfigError
from ....train import Train

STEPS = ("learned", "observed", "fixed")
FIRST_STEPS = ("best", "calibrated", "formula")
GRADIENTS = ("clipped", "plain")
BATCH_NORMS = ("folded", "live")
GENTLE = Train(
    epochs=10, batch_size=64, optimizer="sgd", lr=0.03, weight_decay=1e-4, warmup_epochs=0.5,
    keep_zeros=True,  # a sparse model is quantized to a sparse one; dense ones have no weights that are exactly 0
)  # fmt: skip


def _one_of(names: tuple[str, ...]) -> tuple[str, Callable[[Any], bool]]:
    return f"one of {', '.join(names)}", lambda value: value in names


def _share(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


def _temperature(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < math.inf


RULES: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "train": ("the settings of a training (Train)", lambda value: isinstance(value, Train)),
    "steps": _one_of(STEPS),
    "first_steps": _one_of(FIRST_STEPS),
    "gradient": _one_of(GRADIENTS),
    "batch_norm": _one_of(BATCH_NORMS),
    "freeze_ranges": ("a share of the epochs in [0, 1]", _share),
    "freeze_batch_norm": ("a share of the epochs in [0, 1]", _share),
    "alpha": ("a fraction in [0, 1]", _share),
    "temperature": ("greater than 0", _temperature),
}


@dataclass(frozen=True, kw_only=True)
class Qat:
    """Train a model through its rounding, from 8 down to 2 bits.

    Args:
        train: epochs, optimizer, learning rate and so on.
        steps: "learned" trains the step size of every channel of weights and of every tensor of activations along
            with the weights (Esser 2020); "observed" lets them follow the largest weight of the channel and a moving
            average of the activations' ranges (Jacob 2018); "fixed" keeps what calibration found.
        first_steps: of the weights, where they are learned: "calibrated", "formula" (2 mean|w| / sqrt(largest code)),
            or "best": for each channel the one of the two that rounds with the smaller squared error.
        gradient: "clipped" stops the gradient of values outside the grid, "plain" lets it pass.
        batch_norm: "folded" multiplies the weights by the batch norm's factor before they are rounded, as the
            integers will be (Krishnamoorthi 2018); "live" rounds the weights as they are, and the folded steps follow
            the factor, so that a batch norm that moves changes no code. Both use the statistics of the batch at
            first, and both end in the same folded form.
        freeze_ranges: share of the epochs after which observed ranges stay as they are.
        freeze_batch_norm: share of the epochs after which running statistics are used and stay as they are; late, when
            the learning rate is low: nothing normalizes any more from there on.
        alpha: weight of the labels; the rest weighs the answers of the float model (Hinton 2015).
        temperature: of these answers.
    """

    train: Train = field(default_factory=lambda: GENTLE)
    steps: Literal["learned", "observed", "fixed"] = "learned"
    first_steps: Literal["best", "calibrated", "formula"] = "best"
    gradient: Literal["clipped", "plain"] = "clipped"
    batch_norm: Literal["folded", "live"] = "live"
    freeze_ranges: float = 0.5
    freeze_batch_norm: float = 0.8
    alpha: float = 0.5
    temperature: float = 4.0

    def __post_init__(self) -> None:
        for name, (range_text, holds) in RULES.items():
            value = getattr(self, name)
            if not holds(value):
                raise ConfigError(f"Qat.{name} must be {range_text}, got {value!r}.")
