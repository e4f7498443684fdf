"""Many small networks trained at once: the first axis of every weight counts networks, so that seeds cost little.

Networks share the order of their batches and nothing else. Axes: S networks, N images, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


class ManyLinear(nn.Module):
    """`count` linear layers side by side: inputs (N, in), the same for all, or (S, N, in); outputs (S, N, out)."""

    def __init__(self, count: int, inputs: int, outputs: int) -> None:
        super().__init__()
        edge = 1 / math.sqrt(inputs)  # as nn.Linear begins
        self.weight = nn.Parameter(torch.empty(count, inputs, outputs).uniform_(-edge, edge))
        self.bias = nn.Parameter(torch.empty(count, 1, outputs).uniform_(-edge, edge))

    def forward(self, x: Tensor) -> Tensor:
        x = x if x.dim() == 3 else x.expand(len(self.weight), *x.shape)
        return torch.baddbmm(self.bias, x, self.weight)


def many_perceptrons(
    count: int, widths: Sequence[int], *, activation: Callable[[], nn.Module] = nn.ReLU, dropout: float = 0.0
) -> nn.Sequential:  # fmt: skip
    """`count` perceptrons of these widths; dropout draws anew for each of them."""
    layers: list[nn.Module] = []
    for at, (inputs, outputs) in enumerate(pairwise(widths)):
        layers.append(ManyLinear(count, inputs, outputs))
        if at < len(widths) - 2:
            layers += [activation(), *([nn.Dropout(dropout)] if dropout else [])]
    return nn.Sequential(*layers)


def cross_entropies(logits_SNK: Tensor, targets_N: Tensor) -> Tensor:
    """The mean cross-entropy of each network (S)."""
    rows = logits_SNK.flatten(0, 1)
    each = functional.cross_entropy(rows, targets_N.repeat(len(logits_SNK)), reduction="none")
    return each.view(len(logits_SNK), -1).mean(1)


def summed_cross_entropy(logits_SNK: Tensor, targets_N: Tensor) -> Tensor:
    """What to train on: each network gets the gradient of its own mean."""
    return cross_entropies(logits_SNK, targets_N).sum()


@torch.no_grad()
def accuracies(net: nn.Module, x: Tensor, y: Tensor) -> list[float]:
    """Share of right decisions of each network, in eval mode."""
    net.eval()
    right: list[float] = (net(x).argmax(-1) == y).float().mean(-1).tolist()
    return right


def one_of(net: nn.Sequential, at: int) -> nn.Sequential:
    """Network `at` alone, in plain linear layers."""
    layers: list[nn.Module] = []
    for each in net:
        if isinstance(each, ManyLinear):
            alone = nn.utils.skip_init(nn.Linear, *each.weight.shape[1:])
            alone.weight.data, alone.bias.data = each.weight.data[at].T.clone(), each.bias.data[at, 0].clone()
            layers.append(alone)
        else:
            layers.append(each)
    return nn.Sequential(*layers)
