"""How curved a loss is at a point, from its gradients alone: largest eigenvalue, trace, and the rise within a box.

Gradients are functions of a flat vector (N), in torch. The Hessian times a vector is a central difference of gradients.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad

Function = Callable[[Tensor], Tensor]  # of a flat vector
NUM_CLIMBS = 40


def slope_of_net(net: nn.Module, loss: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Function, Tensor]:
    """The gradient of `loss(net(x))` as a function of all weights in one row, and the weights as they are (float64)."""
    names = {name: each.detach().double() for name, each in net.named_parameters()}
    shapes = {name: each.shape for name, each in names.items()}

    def value(row_N: Tensor) -> Tensor:
        parts = row_N.split([shape.numel() for shape in shapes.values()])
        weights = {name: part.view(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}
        return loss(functional_call(net, weights, (x.double(),)))

    return grad(value), torch.cat([each.flatten() for each in names.values()])


def hessian_times(slope: Function, at_N: Tensor, vector_N: Tensor) -> Tensor:
    """H v by (g(w + h v) - g(w - h v)) / 2h, with a step that suits the length of v."""
    step = 1e-4 / max(float(vector_N.norm()), 1e-12)
    return (slope(at_N + step * vector_N) - slope(at_N - step * vector_N)) / (2 * step)


def top_eigenvalue(slope: Function, at_N: Tensor, *, generator: torch.Generator, num_steps: int = 40) -> float:
    """The eigenvalue of the Hessian that is largest in size, by power iteration: from below, close where it leads."""
    vector = torch.randn(at_N.shape, dtype=at_N.dtype, generator=generator)
    found = 0.0
    for _ in range(num_steps):
        vector = vector / vector.norm()
        times = hessian_times(slope, at_N, vector)
        found, vector = float(vector @ times), times
    return found


def trace_samples(slope: Function, at_N: Tensor, *, generator: torch.Generator, count: int) -> list[float]:
    """v'Hv of random signs v: their mean is the trace. Source: Hutchinson 1990."""
    signs = (torch.randint(0, 2, (count, *at_N.shape), generator=generator) * 2 - 1).to(at_N.dtype)
    return [float(each @ hessian_times(slope, at_N, each)) for each in signs]


def rise_in_box(
    value: Function, slope: Function, at_N: Tensor, *, size: float, generator: torch.Generator, num_starts: int = 20,
) -> float:  # fmt: skip
    """100 (max f - f(w)) / (1 + f(w)) over the box |y_i| <= size (|w_i| + 1).

    A lower bound: each start climbs from corner to corner along the signs of the gradient, and ends at the first top.
    Source: Keskar et al. 2017, metric 2.1.
    """
    edge = size * (at_N.abs() + 1)
    start = highest = float(value(at_N))
    for _ in range(num_starts):
        away = edge * torch.randn(at_N.shape, dtype=at_N.dtype, generator=generator).sign()
        reached = float(value(at_N + away))
        for _ in range(NUM_CLIMBS):
            highest = max(highest, reached)
            away = edge * slope(at_N + away).sign()
            before, reached = reached, float(value(at_N + away))
            if reached <= before:
                break
    return 100 * (highest - start) / (1 + start)
