"""Do large batches lead to sharp minima?

Claim: training with large batches ends in sharper minima than with small ones.
Source: Keskar et al. 2017, ICLR; against it Goyal et al. 2017, arXiv:1706.02677, and Hoffer et al. 2017, NeurIPS.
Expected: at one rate and equal training loss the largest eigenvalue of the Hessian rises with the batch; a larger
    rate for the larger batch takes most of the rise away. Accuracy on new images differs by a point or so.
See: small_batches_leave_sharp_basins, sharpness_measures_agree_on_quadratics, rates_grow_with_the_batch_only_so_far
"""

from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ....seeding import torch_generator
from ...digits import built, digits
from ...figures import Mark, chart, series
from ...finding import Finding, judged
from ...many import accuracies, cross_entropies, many_perceptrons, one_of, summed_cross_entropy
from ...sharpness import slope_of_net, top_eigenvalue
from ...statistics import difference_of, mean_of

WIDTHS, NUM_TRAIN, LOSS = (64, 32, 32, 10), 300, 0.02
RATES = {"one rate": {16: 0.1, 64: 0.1, NUM_TRAIN: 0.1}, "larger rate": {16: 0.1, 64: 0.25, NUM_TRAIN: 0.4}}


def run(seed: int, fast: bool) -> Finding:
    num_seeds = 3 if fast else 12
    pairs = {(way, batch): (batch, rate) for way, rates in RATES.items() for batch, rate in rates.items()}
    trained = {pair: _trained(*pair, seed, num_seeds) for pair in set(pairs.values())}
    found = {key: trained[pair] for key, pair in pairs.items()}
    sharp = {
        key: mean_of(np.array(each[0]), f"largest eigenvalue, {key[0]}, B={key[1]}") for key, each in found.items()
    }
    right = {key: mean_of(np.array(each[1]), f"accuracy, {key[0]}, B={key[1]}") for key, each in found.items()}
    rises = [difference_of(found["one rate", large][0], found["one rate", small][0], f"rise from B={small} to {large}")
             for small, large in pairwise(RATES["one rate"])]  # fmt: skip
    full, lost = sharp["one rate", NUM_TRAIN], difference_of(found["one rate", 16][1], found["one rate", NUM_TRAIN][1],
                                                             "accuracy lost from B=16 to all, one rate")  # fmt: skip
    scaled = sharp["larger rate", NUM_TRAIN]
    curves = [series(way, rates, *zip(*((sharp[way, each].value, sharp[way, each].error) for each in rates),
        strict=True),
                     mark=Mark.BOTH) for way, rates in RATES.items()]  # fmt: skip
    return judged(
        all(rise.value > 0 for rise in rises), full.value > 1.7 * sharp["one rate", 16].value,
        scaled.value < 0.7 * full.value,
        when="the learning rate stays as it is",
        summary=f"At one rate and a training loss of {LOSS} the largest eigenvalue is "
        f"{sharp['one rate', 16].value:.1f} for a "
        f"batch of 16 and {full.value:.1f} for all {NUM_TRAIN} at once; with a larger rate it is {scaled.value:.1f}. "
        f"Accuracy "
        f"is {right['one rate', 16].value:.1%}, {right['one rate', NUM_TRAIN].value:.1%} and "
        f"{right['larger rate', NUM_TRAIN].value:.1%}.",
        numbers=(*sharp.values(), *rises, *right.values(), lost),
        figure=chart(f"Sharpness where the training loss reaches {LOSS}.", *curves, x="batch", y="largest eigenvalue",
                     log_x=True, log_y=True),
    )  # fmt: skip


def _trained(batch: int, rate: float, seed: int, num_seeds: int) -> tuple[list[float], list[float]]:
    """Largest eigenvalue and accuracy of each network when their mean training loss has come down to LOSS."""
    data = digits(seed)
    x, y = data.x[:NUM_TRAIN], data.y[:NUM_TRAIN]
    net = built(lambda: many_perceptrons(num_seeds, WIDTHS), seed, "nets")
    optimizer, order = torch.optim.SGD(net.parameters(), rate), torch_generator(seed, "order")
    for step in range(200_000 // batch):
        rows = torch.randperm(NUM_TRAIN, generator=order)[:batch] if batch < NUM_TRAIN else slice(None)
        optimizer.zero_grad()
        summed_cross_entropy(net(x[rows]), y[rows]).backward()
        optimizer.step()
        if step % 20 == 0 and float(cross_entropies(net(x).detach(), y).mean()) < LOSS:
            break
    return [_sharpness(net, at, x, y, seed) for at in range(num_seeds)], accuracies(net, data.test_x, data.test_y)


def _sharpness(net: nn.Sequential, at: int, x: torch.Tensor, y: torch.Tensor, seed: int) -> float:
    slope, weights = slope_of_net(one_of(net, at), lambda logits: functional.cross_entropy(logits, y), x)
    return top_eigenvalue(slope, weights, generator=torch_generator(seed, "power", at), num_steps=30)
