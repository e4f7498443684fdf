"""One update of the weights: gradients, what bounds them, the optimizer, and what follows an update."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import nn

from ..tasks import device_of
from .accumulate import accumulate_gradients, num_parts, parts_of
from .optimizers import shrink
from .plan import Plan
from .state import Training
from .zeros import put_zeros

HALVES = {"bfloat16": torch.bfloat16, "float16": torch.float16}  # what layers may compute in


def take_step(state: Training, plan: Plan, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """One update of the weights, where they are; the loss before it, which nobody has waited for."""
    device, half = device_of(state.net), HALVES.get(plan.settings.dtype)

    def loss(inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        inputs = inputs.to(device, non_blocking=True).contiguous(memory_format=state.layout)
        with torch.autocast(device.type, half) if half else nullcontext():
            return plan.loss(state.learner, inputs, targets.to(device, non_blocking=True))

    state.optimizer.zero_grad(set_to_none=True)
    count = num_parts(len(targets), asked=plan.settings.accumulate, least=max(2, plan.team.size))
    parts = [(plan.team.share(x), plan.team.share(y)) for x, y in parts_of(inputs, targets, count)]
    scale = (lambda share: share) if state.scaler is None else state.scaler.scale
    value = accumulate_gradients(loss, parts, num_images=len(targets), backward=lambda share: scale(share).backward())
    value = plan.team.sum_gradients(state.net, value)
    if _update(state, plan):
        shrink(state.optimizer, plan.settings.l1)
    return value


def _update(state: Training, plan: Plan) -> bool:
    """Let the optimizer use the gradients; whether it did: scaled ones that overflowed are dropped, and set to 0.

    Source: Micikevicius 2018, Mixed Precision Training, section 3.2 (loss scaling).
    """
    scaler = state.scaler
    if scaler is None:
        _clip(state.net, plan)
        state.optimizer.step()
        return True
    scaler.unscale_(state.optimizer)
    _clip(state.net, plan)
    scaler.step(state.optimizer)
    before = scaler.get_scale()
    scaler.update()
    is_used = scaler.get_scale() >= before
    for parameter in () if is_used else state.net.parameters():
        if parameter.grad is not None:  # what looks at gradients after the step must not see infinity
            parameter.grad.zero_()
    return is_used


def _clip(net: nn.Module, plan: Plan) -> None:
    """Bound each value of the gradient, then the length of all of them together."""
    if plan.settings.clip_value is not None:
        nn.utils.clip_grad_value_(net.parameters(), plan.settings.clip_value)
    if plan.settings.clip_norm is not None:
        nn.utils.clip_grad_norm_(net.parameters(), plan.settings.clip_norm)


def after_step(state: Training, plan: Plan, number: int) -> None:
    """What follows an update: zeros that stay, what the caller does, the average of what came of it."""
    put_zeros(state.net, plan.zeros)
    if plan.after_step is not None:
        plan.after_step(state.net, number)
    if state.average is not None:
        state.average.update(state.net)
