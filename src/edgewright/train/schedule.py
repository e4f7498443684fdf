"""The learning rate of each step: a straight warm-up that joins a cosine."""

from __future__ import annotations

import math


def lr_factor(step: int, *, num_steps: int, num_warmup: int = 0, final: float = 0.0) -> float:
    """The learning rate of one step as a share of the largest.

    Rises as `(step + 1) / (num_warmup + 1)` over the warm-up, is 1 at step `num_warmup`, and falls as
    `final + (1 - final) / 2 * (1 + cos(pi * t / T))` with t counted from there and T the steps that are left.

    Args:
        step: from 0.
        num_steps: of the whole training, warm-up included.
        num_warmup: steps of the rise.
        final: what the cosine falls to; 1 keeps the rate constant after the warm-up.

    Source: Loshchilov and Hutter 2017, SGDR (the cosine); Goyal 2017 (the warm-up).
    """
    if step < num_warmup:
        return (step + 1) / (num_warmup + 1)
    passed = (step - num_warmup) / max(1, num_steps - num_warmup)
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * passed))
