"""The small task of the trainings here: scikit-learn's 8x8 digits, a perceptron, and one loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..seeding import derive, torch_generator

NUM_TRAIN = 1200
Loss = Callable[[Tensor, Tensor], Tensor]
Net = TypeVar("Net", bound=nn.Module)


@dataclass(frozen=True, kw_only=True)
class Digits:
    """1,200 images to learn from and 597 to judge by; (N, 64) in [0, 1], and their classes."""

    x: Tensor
    y: Tensor
    test_x: Tensor
    test_y: Tensor


@cache
def digits(seed: int = 0) -> Digits:
    """The images, divided at random."""
    from sklearn.datasets import load_digits

    found = load_digits()
    order = torch.randperm(len(found.target), generator=torch_generator(seed, "lab.digits"))
    x, y = torch.tensor(found.data / 16.0, dtype=torch.float32)[order], torch.tensor(found.target)[order]
    return Digits(x=x[:NUM_TRAIN], y=y[:NUM_TRAIN], test_x=x[NUM_TRAIN:], test_y=y[NUM_TRAIN:])


def built(make: Callable[[], Net], seed: int, *purpose: str | int) -> Net:
    """What `make` builds, with initial weights that follow from the seed and the purpose alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, *purpose))
        return make()


def perceptron(
    widths: Sequence[int], *, activation: Callable[[], nn.Module] = nn.ReLU,
    norm: Callable[[int], nn.Module] | None = None, dropout: float = 0.0,
) -> nn.Sequential:  # fmt: skip
    """Linear layers from widths[0] to widths[-1]; between them a norm, the activation and dropout, where asked for."""
    layers: list[nn.Module] = []
    for at, (inputs, outputs) in enumerate(pairwise(widths)):
        layers.append(nn.Linear(inputs, outputs))
        if at < len(widths) - 2:
            layers += [norm(outputs)] if norm else []
            layers += [activation(), *([nn.Dropout(dropout)] if dropout else [])]
    return nn.Sequential(*layers)


def train(
    net: nn.Module, x: Tensor, y: Tensor, *, optimizer: torch.optim.Optimizer, epochs: int, batch: int = 32,
    seed: int = 0, loss: Loss = functional.cross_entropy, after_epoch: Callable[[int], None] | None = None,
) -> list[float]:  # fmt: skip
    """Train in place, in batches of a new order each epoch; gives the mean loss of each epoch.

    Dropout draws from the seed as well. A loss that is no number ends the training.
    """
    order, losses = torch_generator(seed, "lab.order"), []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "lab.dropout"))
        net.train()
        for epoch in range(epochs):
            total = 0.0
            for rows in torch.randperm(len(x), generator=order).split(batch):
                optimizer.zero_grad()
                value = loss(net(x[rows]), y[rows])
                value.backward()
                optimizer.step()
                total += float(value.detach()) * len(rows)
            losses.append(total / len(x))
            if after_epoch:
                after_epoch(epoch)
                net.train()
            if not torch.isfinite(torch.tensor(losses[-1])):
                break
    net.eval()
    return losses


@torch.no_grad()
def accuracy(net: nn.Module, x: Tensor, y: Tensor) -> float:
    """Share of right decisions in eval mode."""
    net.eval()
    return float((net(x).argmax(1) == y).float().mean())


def mislabelled(y_N: Tensor, share: float, seed: int, *purpose: str | int) -> Tensor:
    """The classes, of which each is drawn anew (it may come out right) with a probability of `share`."""
    generator = torch_generator(seed, "lab.mislabelled", *purpose)
    wrong = torch.rand(len(y_N), generator=generator) < share
    return torch.where(wrong, torch.randint(0, 10, y_N.shape, generator=generator), y_N)
