"""Rounding that a gradient passes: the same values as the simulation's, and a rule for what flows back.

Codes are counted from the zero point here (`low` and `high` are the grid's ends minus the zero point), so that rounding
is `clamp(round(x / step), low, high) * step`: the same number as with the zero point added and taken off again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

Bound = float | torch.Tensor  # a tensor where the zero point moves during training
SMALLEST = 1e-12  # of a step: far below any that a float32 net has, far above what division cannot take


@dataclass(frozen=True, kw_only=True)
class Gradient:
    """What flows back through a rounding.

    Args:
        clipped: nothing flows into values outside the grid (Bengio 2013, with the clip mask); False: all of it does.
        gain: factor on the gradient of the step size; None where the step is not learned.
    """

    clipped: bool = True
    gain: float | None = None


class _Rounded(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, step: torch.Tensor, low: Bound, high: Bound, how: Gradient) -> torch.Tensor:
        ctx.save_for_backward(x, step)
        ctx.low, ctx.high, ctx.how = low, high, how
        return x.div(step).round_().clamp_(low, high).mul_(step)  # type: ignore[arg-type]

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        x, step = ctx.saved_tensors
        ratio = x / step
        inside = _inside(ratio, ctx.low, ctx.high, margin=0.5 if ctx.how.gain is None else 0.0)
        grad_x = grad * inside if ctx.how.clipped else grad
        grad_step = None
        if ctx.how.gain is not None and ctx.needs_input_grad[1]:
            slope = torch.where(inside, ratio.round().sub_(ratio), ratio.clamp(ctx.low, ctx.high))
            grad_step = slope.mul_(grad).sum_to_size(step.shape).mul_(ctx.how.gain)
        return grad_x if ctx.needs_input_grad[0] else None, grad_step, None, None, None


def _inside(ratio: torch.Tensor, low: Bound, high: Bound, *, margin: float) -> torch.Tensor:
    """Where a value counts as on the grid: with fixed steps up to half a step beyond its ends, as far as values are
    rounded to them; with learned steps up to the ends, as the equations of the paper have it."""
    if margin:
        return (ratio >= low - margin) & (ratio <= high + margin)
    return (ratio > low) & (ratio < high)


def rounded(x: torch.Tensor, step: torch.Tensor, low: Bound, high: Bound, *, how: Gradient) -> torch.Tensor:
    """`clamp(round_half_even(x / step), low, high) * step`, with the gradients that `how` names.

    The gradient of a learned step is `gain` times the sum over all values that share it of
    `round(x / step) - x / step` inside the grid, and `low` or `high` outside.

    Args:
        x: float32.
        step: greater than 0, of a shape that broadcasts to that of `x`.
        low, high: ends of the grid, counted from the zero point.

    Source: Esser et al. 2020, Learned Step Size Quantization, equations 3 and 5.
    """
    return _Rounded.apply(x, step, low, high, how)  # type: ignore[no-any-return, no-untyped-call]


class _Bounded(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: torch.Tensor, largest: float) -> torch.Tensor:
        ctx.save_for_backward(value)
        ctx.largest = largest
        return value.abs().clamp_(SMALLEST, largest)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        (value,) = ctx.saved_tensors
        outwards = (value.abs() >= ctx.largest) & (grad < 0)
        return (grad * torch.where(value < 0, -1.0, 1.0)).masked_fill_(outwards, 0.0), None


def bounded(value: torch.Tensor, *, largest: float = float("inf")) -> torch.Tensor:
    """The step size that a trained number stands for: its magnitude, at most `largest`.

    A step below 0 means the same as above, and none is ever 0. At the upper end the gradient that pushes further is
    dropped and the one that leads back is kept.
    """
    return _Bounded.apply(value, largest)  # type: ignore[no-any-return, no-untyped-call]


def gain_of(num_values: int, largest_code: float) -> float:
    """1 / sqrt(N Q): brings the relative updates of a step and of the values that share it to one size.

    Args:
        num_values: N, values that share the step: weights of a channel, or features of one image.
        largest_code: Q, the largest code.

    Source: Esser et al. 2020, section 2.2.
    """
    return float(1 / (num_values * largest_code) ** 0.5)


def first_steps(weight: torch.Tensor, *, axis: int, top: int) -> torch.Tensor:
    """2 mean|w| / sqrt(Q) of each channel along `axis`; a channel of zeros gets 1.

    Source: Esser et al. 2020, section 2.1.
    """
    means = weight.detach().abs().transpose(0, axis).flatten(1).mean(1)
    return torch.where(means > 0, 2 * means / top**0.5, 1.0)
