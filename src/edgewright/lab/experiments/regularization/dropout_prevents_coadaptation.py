"""Does dropout keep units from relying on each other?

Claim: without dropout, units fit together so closely that the loss of one hurts; with dropout each is useful by itself.
Source: Hinton et al. 2012, arXiv:1207.0580; Srivastava et al. 2014, JMLR 15, section 7.
Expected: two networks that are right equally often; taking away a hidden unit, or eight of 32, costs the one that was
    trained with dropout several times less.
See: dropout_averages_subnetworks_only_when_linear, dropout_keeps_the_mean_and_adds_variance
"""

from functools import partial

import numpy as np
import torch
from torch import nn

from ....seeding import torch_generator
from ...digits import Digits, built, digits, train
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged
from ...many import ManyLinear, accuracies, many_perceptrons, summed_cross_entropy
from ...statistics import mean_of

WIDTH, REMOVED, SHARES = 32, (1, 2, 4, 8, 16), {"no dropout": 0.0, "dropout 0.5": 0.5}


def run(seed: int, fast: bool) -> Finding:
    data, num_seeds = digits(seed), 5 if fast else 25
    losses: dict[str, list[Number]] = {}
    right: dict[str, Number] = {}
    for name, share in SHARES.items():
        net = built(partial(many_perceptrons, num_seeds, (64, WIDTH, 10), dropout=share), seed, "nets")
        train(net, data.x[:400], data.y[:400], optimizer=torch.optim.SGD(net.parameters(), 0.2), epochs=30, batch=20,
              loss=summed_cross_entropy, seed=seed)  # fmt: skip
        right[name] = mean_of(accuracies(net, data.test_x, data.test_y), f"accuracy, {name}")
        losses[name] = [mean_of(_lost(net, count, data, seed), f"accuracy lost without {count} units, {name}")
                        for count in REMOVED]  # fmt: skip
    plain, dropped = losses["no dropout"], losses["dropout 0.5"]
    return judged(
        abs(right["no dropout"].value - right["dropout 0.5"].value) < 0.03, plain[0].exceeds(dropped[0]),
        plain[3].exceeds(dropped[3], by=0.03), plain[3].value > 2 * dropped[3].value,
        summary=f"Both are right on {right['no dropout'].value:.0%} and {right['dropout 0.5'].value:.0%}; without 8 of "
        f"{WIDTH} units they lose {100 * plain[3].value:.1f} points without and {100 * dropped[3].value:.1f} with "
        f"dropout.",
        numbers=(*right.values(), *plain, *dropped),
        figure=chart("Accuracy lost when hidden units are taken away at random.",
                     *(series(name, REMOVED, [each.value for each in found], [each.error or 0 for each in found],
                              mark=Mark.BOTH) for name, found in losses.items()), x="units taken away", y="accuracy "
                              "lost",
                     log_x=True),
    )  # fmt: skip


def _lost(net: nn.Sequential, count: int, data: Digits, seed: int) -> list[float]:
    """For each network, over 20 draws of the units that are taken away."""
    whole, last = np.array(accuracies(net, data.test_x, data.test_y)), net[-1]
    assert isinstance(last, ManyLinear)
    kept, generator, found = last.weight.data.clone(), torch_generator(seed, "units", count), []
    for _ in range(20):
        last.weight.data = kept.clone()
        last.weight.data[:, torch.randperm(WIDTH, generator=generator)[:count]] = 0
        found.append(whole - np.array(accuracies(net, data.test_x, data.test_y)))
    last.weight.data = kept
    lost: list[float] = np.mean(found, 0).tolist()
    return lost
