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


def take_step(state: Training, plan: Plan, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """One update of the weights, where they are; the loss before it, which nobody has waited for."""
    device = device_of(state.net)
    inputs, targets = (values.to(device, non_blocking=True) for values in (inputs, targets))
    inputs = inputs.contiguous(memory_format=state.layout)
    half = plan.settings.dtype == "bfloat16"

    def loss(part_inputs: torch.Tensor, part_targets: torch.Tensor) -> torch.Tensor:
        with torch.autocast(device.type, torch.bfloat16) if half else nullcontext():
            return plan.loss(state.net, part_inputs, part_targets)

    state.optimizer.zero_grad(set_to_none=True)
    count = num_parts(len(targets), asked=plan.settings.accumulate)
    value = accumulate_gradients(loss, list(parts_of(inputs, targets, count)))
    _clip(state.net, plan)
    state.optimizer.step()
    shrink(state.optimizer, plan.settings.l1)
    return value


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
