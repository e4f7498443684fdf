"""Are the gradients of four small batches, added up, those of one large batch?

Claim: accumulating the gradients of k parts before a step is the same as one batch of all their samples.
Source: Goyal et al. 2017, arXiv:1706.02677, section 3; Ioffe & Szegedy 2015, ICML (statistics of the batch at hand).
Expected: equal to rounding without batch norm where each part counts by its size; for unequal parts the mean of their
    means is another gradient (values 1, 2, 3 and 10: mean 4, mean of means 6); with batch norm it differs in any case.
See: batch_norm_in_training_depends_on_batch_mates, gradient_variance_falls_with_the_batch
"""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from ....train.accumulate import accumulate_gradients
from ...digits import built, digits, perceptron
from ...figures import bars
from ...finding import Finding, Number, judged

SIZES = (40, 30, 20, 10)
KINDS = {"no norm": None, "layer norm": nn.LayerNorm, "batch norm": nn.BatchNorm1d}


def run(seed: int, fast: bool) -> Finding:
    gaps = {}
    for name, norm in KINDS.items():
        net = built(partial(perceptron, (64, 32, 32, 10), norm=norm), seed, "net").double()
        whole = _gradient(net, (sum(SIZES),), seed)
        gaps[name] = _gap(_gradient(net, SIZES, seed), whole)
        gaps[f"{name}, mean of means"] = _gap(_mean_of_means(net, seed), whole)
    parts = [(torch.tensor(each), torch.zeros(len(each))) for each in ([1.0, 2.0, 3.0], [10.0])]
    numbers = [
        Number(name="1, 2, 3 and 10, weighted by size", expected=4.0,
               value=float(accumulate_gradients(lambda x, _: x.mean(), parts, backward=lambda share: None))),
        Number(name="1, 2, 3 and 10, mean of means", value=float(sum(x.mean() for x, _ in parts)) / 2, expected=6.0),
        *(Number(name=f"relative gap, {name}", value=gap, tolerance=1e-12,
                 expected=0.0 if name in ("no norm", "layer norm") else None) for name, gap in gaps.items()),
    ]  # fmt: skip
    return judged(
        all(each.agrees is not False for each in numbers), gaps["no norm, mean of means"] > 0.01, gaps["batch "
        "norm"] > 0.01,
        when="no layer looks at its whole batch and each part counts by its size",
        summary=f"In parts of {', '.join(map(str, SIZES))} the gradient is off by {gaps['no norm']:.0e} of its length, "
        f"but by "
        f"{gaps['no norm, mean of means']:.0%} as a mean of means, and by {gaps['batch norm']:.0%} with batch norm.",
        numbers=numbers,
        figure=bars("Distance from the gradient of the whole batch, over its length.", list(KINDS), value="relative "
        "gap",
                    weighted_by_size=[gaps[name] for name in KINDS],
                    mean_of_means=[gaps[f"{name}, mean of means"] for name in KINDS]),
    )  # fmt: skip


def _gradient(net: nn.Module, sizes: tuple[int, ...], seed: int) -> Tensor:
    """As a training adds it up."""
    net.zero_grad()
    accumulate_gradients(lambda x, y: functional.cross_entropy(net(x), y), _parts(sizes, seed))
    return torch.cat([each.grad.flatten() for each in net.parameters() if each.grad is not None])


def _mean_of_means(net: nn.Module, seed: int) -> Tensor:
    return torch.stack([_gradient_of(net, part) for part in _parts(SIZES, seed)]).mean(0)


def _gradient_of(net: nn.Module, part: tuple[Tensor, Tensor]) -> Tensor:
    loss = functional.cross_entropy(net(part[0]), part[1])
    return torch.cat([each.flatten() for each in torch.autograd.grad(loss, list(net.parameters()))])


def _parts(sizes: tuple[int, ...], seed: int) -> list[tuple[Tensor, Tensor]]:
    data = digits(seed)
    ends = sum(sizes)
    return list(zip(data.x[:ends].double().split(sizes), data.y[:ends].split(sizes), strict=True))


def _gap(found: Tensor, whole: Tensor) -> float:
    return float((found - whole).norm() / whole.norm())
