"""Does Adam generalize worse than SGD, and if so, why?

Claim: networks that Adam trained are worse on new samples than those of SGD with momentum: its minima are sharper, its
    weight decay is none, it overfits early, and it needs no schedule.
Source: Wilson et al. 2017, NeurIPS; against it Choi et al. 2019, arXiv:1910.05446; Loshchilov & Hutter 2019, ICLR.
Expected: at customary rates (.1 and .001) Adam behind; each at the best of three rates most of that gap is gone.
    The four causes are measured one by one; none is a law.
See: adam_cancels_l2_where_adamw_decays, sharpness_changes_while_the_function_stays,
    adam_hands_over_to_sgd_without_a_jump
"""

from functools import partial

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ....seeding import torch_generator
from ...digits import built, digits, train
from ...figures import bars
from ...finding import Finding, judged
from ...many import accuracies, many_perceptrons, one_of, summed_cross_entropy
from ...sharpness import slope_of_net, top_eigenvalue
from ...statistics import difference_of, mean_of

SGD, ADAM, ADAMW = partial(torch.optim.SGD, momentum=0.9), torch.optim.Adam, torch.optim.AdamW
RATES = {"SGD": (SGD, (0.03, 0.1, 0.2)), "Adam": (ADAM, (0.003, 0.01, 0.03))}
NUM_TRAIN, BATCH = 300, 20


def run(seed: int, fast: bool) -> Finding:
    trained = partial(_trained, seed=seed, num_seeds=5 if fast else 20, epochs=15 if fast else 60)
    grid = {name: {rate: trained(make, rate) for rate in rates} for name, (make, rates) in RATES.items()}
    best = {name: max((float(np.mean(found[rate][0])), rate) for rate in found)[1] for name, found in grid.items()}
    tuned = {name: grid[name][rate] for name, rate in best.items()}
    rate = best["Adam"]
    others = {
        "Adam at 0.001": trained(ADAM, 0.001)[0],
        "Adam with L2": trained(partial(ADAM, weight_decay=1e-3), rate)[0],
        "AdamW": trained(partial(ADAMW, weight_decay=0.1), rate)[0],
        **{f"{name}, cosine": trained(RATES[name][0], best[name], cosine=True)[0] for name in RATES},
    }
    right = {**{f"{name}, tuned": scores for name, (scores, _, _) in tuned.items()}, **others}
    means = {name: mean_of(scores, f"accuracy, {name}") for name, scores in right.items()}
    gap = difference_of(right["SGD, tuned"], right["Adam, tuned"], "SGD - Adam, each at its best rate")
    customary = difference_of(grid["SGD"][0.1][0], others["Adam at 0.001"], "SGD - Adam, at 0.1 and 0.001")
    sharp = [mean_of(_sharpness(net, seed), f"largest eigenvalue, {name}") for name, (_, net, _) in tuned.items()]
    faded = [mean_of([lost], f"accuracy lost since the best epoch, {name}") for name, (_, _, lost) in tuned.items()]
    return judged(
        gap.exceeds(customary.value / 2),
        summary=f"At customary rates SGD is ahead by {100 * customary.value:.1f} points; each at its best rate by "
        f"{100 * gap.value:.1f} ± {100 * (gap.error or 0):.1f}. Sharpness is {sharp[0].value:.2g} and "
        f"{sharp[1].value:.2g}; AdamW "
        f"gains {100 * (means['AdamW'].value - means['Adam with L2'].value):+.1f} points over Adam with L2, a cosine "
        f"{100 * (means['Adam, cosine'].value - means['Adam, tuned'].value):+.1f}.",
        numbers=(gap, customary, *means.values(), *sharp, *faded),
        figure=bars("Right answers on new digits.", list(right), value="accuracy", only=list(means.values())),
    )  # fmt: skip


def _trained(make, rate: float, *, seed: int, num_seeds: int, epochs: int, cosine: bool = False):
    """Accuracy of each network, the networks, and how far their mean accuracy is below its best epoch."""
    data = digits(seed)
    net = built(lambda: many_perceptrons(num_seeds, (64, 32, 10)), seed, "nets")
    optimizer, seen = make(net.parameters(), lr=rate), []
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs) if cosine else None

    def after_epoch(epoch: int) -> None:
        seen.append(float(np.mean(accuracies(net, data.test_x, data.test_y))))
        if schedule:
            schedule.step()

    train(net, data.x[:NUM_TRAIN], data.y[:NUM_TRAIN], optimizer=optimizer, epochs=epochs, batch=BATCH, seed=seed,
          loss=summed_cross_entropy, after_epoch=after_epoch)  # fmt: skip
    return accuracies(net, data.test_x, data.test_y), net, max(seen) - seen[-1]


def _sharpness(net: nn.Sequential, seed: int) -> list[float]:
    """Largest eigenvalue of the training loss of each network."""
    data, found = digits(seed), []
    for at in range(len(next(net.parameters()))):
        slope, weights = slope_of_net(
            one_of(net, at), lambda logits: functional.cross_entropy(logits, data.y[:NUM_TRAIN]), data.x[:NUM_TRAIN]
        )
        generator = torch_generator(seed, "power", at)
        found.append(top_eigenvalue(slope, weights, generator=generator, num_steps=20))
    return found
