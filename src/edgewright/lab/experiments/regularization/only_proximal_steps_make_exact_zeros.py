"""Does an L1 term in the loss make weights of a network exactly zero?

Claim: L1 makes weights sparse and L2 only shrinks them.
Source: Goodfellow et al., Deep Learning (2016), section 7.1.2; Parikh & Boyd 2014, Proximal Algorithms.
Expected: on one network, gradient steps on loss + lambda |w| leave weights near zero but none at it; a proximal step
    after each step of the loss makes exact zeros at the same strength; L2 makes neither.
See: lasso_thresholds_where_ridge_shrinks, l1_minima_lie_on_the_axes
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ....reference.optimizers import elastic_net
from ...digits import accuracy, built, digits, perceptron
from ...figures import chart, series
from ...finding import Finding, Number, judged

STRENGTH, LR, SIZES = 1e-3, 0.4, np.logspace(-7, 0, 29)


def run(seed: int, fast: bool) -> Finding:
    num_steps = 800 if fast else 15_000
    nets = {way: _trained(way, seed, num_steps) for way in ("no penalty", "L2 term", "L1 term", "L1 proximal")}
    data = digits(seed)
    weights = {way: torch.cat([each.weight.detach().flatten() for each in net if isinstance(each, nn.Linear)]).numpy()
               for way, net in nets.items()}  # fmt: skip
    zeros = {
        way: Number(name=f"share of exact zeros, {way}", value=float((w == 0).mean())) for way, w in weights.items()
    }
    small = {
        way: Number(name=f"share below 0.001, {way}", value=float((abs(w) < 1e-3).mean())) for way, w in weights.items()
    }
    right = {
        way: Number(name=f"accuracy, {way}", value=accuracy(net, data.test_x, data.test_y)) for way, net in nets.items()
    }
    curves = [series(way, SIZES, [(abs(w) <= size).mean() for size in SIZES]) for way, w in weights.items()]
    return judged(
        zeros["L1 proximal"].value > 0.3, zeros["L1 term"].value == zeros["L2 term"].value == 0,
        small["L1 term"].value > 2 * small["L2 term"].value, right["L1 proximal"].value > right["no "
        "penalty"].value - 0.05,
        when="the L1 penalty is applied by proximal (or coordinate) steps",
        summary=f"Proximal steps set {zeros['L1 proximal'].value:.0%} of the weights to exactly zero; gradient steps "
        f"on the "
        f"same penalty set none, though {small['L1 term'].value:.0%} lie below 0.001 (L2: "
        f"{small['L2 term'].value:.0%}).",
        numbers=(*zeros.values(), *small.values(), *right.values()),
        figure=chart("Share of weights up to a size: a curve that starts above 0 has exact zeros.", *curves, x="size",
                     y="share of weights", log_x=True),
    )  # fmt: skip


def _trained(way: str, seed: int, num_steps: int) -> nn.Sequential:
    """The same network in the same number of full-batch steps, with a penalty on its weights and none on its biases."""
    data = digits(seed)
    net = built(lambda: perceptron((64, 32, 10)), seed, "net")
    penalized = [each.weight for each in net if isinstance(each, nn.Linear)]
    optimizer = torch.optim.SGD(net.parameters(), LR)
    for _ in range(num_steps):
        optimizer.zero_grad()
        loss = functional.cross_entropy(net(data.x[:400]), data.y[:400])
        if way == "L2 term":
            loss = loss + STRENGTH / 2 * sum((w**2).sum() for w in penalized)
        if way == "L1 term":
            loss = loss + STRENGTH * sum(w.abs().sum() for w in penalized)
        loss.backward()
        optimizer.step()
        if way == "L1 proximal":
            for w in penalized:
                w.data = torch.from_numpy(elastic_net(w.detach().numpy(), step=LR, l1=STRENGTH))
    return net
