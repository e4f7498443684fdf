"""Random weights once more, for a model that is only known as a graph."""

from __future__ import annotations

import copy

import torch
from torch import nn

from ...seeding import torch_generator


def redrawn(net: nn.Module, seed: int, *purpose: str | int) -> nn.Module:
    """A copy of an untrained `net` whose weights are another draw of its initialization.

    The values of each parameter are dealt out anew. Initializations draw the values of a tensor independently of each
    other, so every order of them is equally likely, whatever the rule that drew them; constants stay what they are.
    """
    generator = torch_generator(seed, "distill.redraw", *purpose)
    drawn = copy.deepcopy(net)
    with torch.no_grad():
        for parameter in drawn.parameters():
            order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
            parameter.copy_(parameter.flatten()[order].reshape(parameter.shape))
    return drawn
