"""Does batch norm belong before the activation or behind it?

Claim: batch norm belongs before the activation.
Source: Ioffe & Szegedy 2015, ICML, section 3.2, place it there; later reports find the other order as good or better.
Expected: no winner is assumed: both orders are trained from the same seeds, with ReLU and with tanh, and the paired
    difference of accuracy is held against its standard error.
See: batch_norm_allows_larger_steps
"""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
from torch import nn

from ...digits import accuracy, built, digits, train
from ...figures import bars
from ...finding import Finding, judged
from ...statistics import difference_of, mean_of, over_seeds

WIDTHS, ACTIVATIONS = (64, 32, 32, 32), {"ReLU": nn.ReLU, "tanh": nn.Tanh}


def run(seed: int, fast: bool) -> Finding:
    count = 5 if fast else 20
    scores = {(name, before): over_seeds(seed, count, partial(_score, activation=make, before=before))
              for name, make in ACTIVATIONS.items() for before in (True, False)}  # fmt: skip
    gaps = [difference_of(scores[name, True], scores[name, False], f"before - behind, {name}") for name in ACTIVATIONS]
    means = {before: [mean_of(scores[name, before], f"accuracy, norm {'before' if before else 'behind'} {name}")
                      for name in ACTIVATIONS] for before in (True, False)}  # fmt: skip
    return judged(
        *(gap.exceeds(0.0) for gap in gaps),
        summary="Before the activation, batch norm brings "
        + " and ".join(f"{100 * gap.value:+.1f} ± {100 * (gap.error or 0):.1f} points with {name}"
                       for name, gap in zip(ACTIVATIONS, gaps, strict=True)) + ".",
        numbers=(*means[True], *means[False], *gaps),
        figure=bars("Accuracy on digits, same seeds.", list(ACTIVATIONS), value="accuracy", before=means[True],
                    behind=means[False]),
    )  # fmt: skip


def _score(seed: int, *, activation: Callable[[], nn.Module], before: bool) -> float:
    data = digits(seed)
    net = built(lambda: nn.Sequential(*_layers(activation, before), nn.Linear(WIDTHS[-1], 10)), seed, "net")
    train(net, data.x[:400], data.y[:400], optimizer=torch.optim.SGD(net.parameters(), 0.1), epochs=8, seed=seed)
    return accuracy(net, data.test_x, data.test_y)


def _layers(activation: Callable[[], nn.Module], before: bool) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(WIDTHS):
        pair = [nn.BatchNorm1d(outputs), activation()]
        layers += [nn.Linear(inputs, outputs), *(pair if before else pair[::-1])]
    return layers
