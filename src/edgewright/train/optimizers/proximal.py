"""L1 as a proximal step: weights become exactly 0 and stay there, which a term in the loss does not bring about."""

from __future__ import annotations

import torch

from .switch import AdamToSgd


def soft_threshold(weight: torch.Tensor, amount: float) -> torch.Tensor:
    """sign(w) max(|w| - amount, 0): the weight that is best under |w| times `amount`, near the one given.

    Source: Tibshirani 1996; Daubechies 2004 (the step inside an iteration).
    """
    return weight.sign() * (weight.abs() - amount).clamp_(min=0)


def elastic_net_step(weight: torch.Tensor, *, step: float, l1: float, l2: float = 0.0) -> torch.Tensor:
    """soft(w, step l1) / (1 + step l2): the proximal step of l1 |w| + l2/2 w^2. Source: Zou and Hastie 2005."""
    return soft_threshold(weight, step * l1) / (1 + step * l2)


@torch.no_grad()
def shrink(optimizer: torch.optim.Optimizer, l1: float) -> None:
    """The proximal step that follows an optimizer's step: kernels and matrices, by the group's rate times `l1`.

    Norms and biases, which have one axis, are left out. The threshold is the same for all weights of a group whatever
    the optimizer scales its step by, as AdamW's decay is: decoupled. Adam and its kin take steps of about the rate
    whatever the gradient, so `l1` has to be near 1 there to hold a weight at 0; under SGD it counts as the gradient.
    """
    if l1 == 0:
        return
    share = optimizer.share_of_lr if isinstance(optimizer, AdamToSgd) else 1.0
    for group in optimizer.param_groups:
        for weight in group["params"]:
            if weight.dim() > 1 and weight.grad is not None:
                weight.copy_(soft_threshold(weight, float(group["lr"]) * share * l1))
