"""Sparse weights that stay sparse: the pattern of zeros is the mask, so nothing but the weights is saved."""

from __future__ import annotations

import torch
from torch import nn


def zeros_of(net: nn.Module) -> dict[str, torch.Tensor]:
    """Name of each parameter with two axes or more that holds zeros -> where it is exactly 0, of its shape.

    Biases, and the scales and shifts of normalization, have one axis: they start at 0 by design and are left out. A
    parameter that is 0 everywhere is left out for the same reason: some layers start so, and would never learn.
    """
    found = {}
    for name, value in net.named_parameters():
        zeros = value.detach() == 0
        if value.dim() > 1 and bool(zeros.any()) and not bool(zeros.all()):
            found[name] = zeros
    return found


def put_zeros(net: nn.Module, zeros: dict[str, torch.Tensor]) -> None:
    """Make the weights 0 again that were so when `zeros` was taken."""
    with torch.no_grad():
        for name, where in zeros.items():
            weight = net.get_parameter(name)
            weight.masked_fill_(where.to(weight.device), 0)
