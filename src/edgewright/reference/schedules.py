"""The learning rate at step t of T, as plain functions of numbers.

    step          g^floor(t / s)
    exponential   e^(-k t)
    polynomial    lo + (hi - lo) (1 - t/T)^power
    cosine        lo + (hi - lo) (1 + cos(π t/T)) / 2        periodic only with restarts
    triangular    from lo up to hi in `half` steps and down again, for ever
    warm-up       a straight line up to where the schedule begins

Sources: Loshchilov and Hutter 2017 (cosine, restarts), Smith 2017 (triangular), Goyal 2017 (warm-up, linear scaling),
Chen 2017 (power 0.9).
"""

from __future__ import annotations

import math


def step_decay(t: float, *, every: float, gamma: float) -> float:
    """A share of the first rate."""
    return gamma ** math.floor(t / every)


def exponential(t: float, *, k: float) -> float:
    """A share of the first rate."""
    return math.exp(-k * t)


def polynomial(t: float, total: float, *, power: float = 0.9, low: float = 0.0, high: float = 1.0) -> float:
    """Clamped at the end."""
    return low + (high - low) * (1 - min(t, total) / total) ** power


def cosine(t: float, total: float, *, low: float = 0.0, high: float = 1.0) -> float:
    """Half a wave down, clamped at the end."""
    return low + (high - low) * (1 + math.cos(math.pi * min(t, total) / total)) / 2


def cosine_restarts(t: float, first: float, *, growth: float = 2, low: float = 0.0, high: float = 1.0) -> float:
    """Cosines one after the other, each `growth` times as long."""
    while t >= first:
        t, first = t - first, first * growth
    return cosine(t, first, low=low, high=high)


def triangular(t: float, half: float, *, low: float, high: float, shrink: float = 1.0) -> float:
    """Every peak `shrink` times as high above `low` as the one before: 1/2 for "triangular2"."""
    cycle = math.floor(1 + t / (2 * half))
    height = max(0.0, 1 - abs(t / half - 2 * cycle + 1))
    return low + (high - low) * height * shrink ** (cycle - 1)


def warmed_up(t: float, num_warmup: float, begins_at: float) -> float:
    """(t + 1) / (num_warmup + 1) of what follows, at steps from 0: it meets the schedule at step `num_warmup`."""
    return begins_at * min(1.0, (t + 1) / (num_warmup + 1))


def scaled(lr: float, *, batch_size: int, base_batch_size: int, root: bool = False) -> float:
    """lr k for k times the batch, or lr sqrt(k), which is usual for Adam. Fails beyond a critical batch size."""
    k = batch_size / base_batch_size
    return lr * (math.sqrt(k) if root else k)
