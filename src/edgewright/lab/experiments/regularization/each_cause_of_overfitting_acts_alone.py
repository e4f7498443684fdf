"""What makes a network overfit?

Claim: too complex a model, too little data, or training for too long: each alone opens a gap between the accuracy on
    training and on new samples.
Source: Goodfellow et al., Deep Learning (2016), sections 5.2 and 7.8; Zhang et al. 2017, ICLR (networks learn wrong
    labels).
Expected: a base of 10 units, 800 images and 20 passes has a small gap though a fifth of the labels are wrong; 512
    units, 80 images (at as many steps) or 250 passes open it, each by several points.
See: early_stopping_ends_near_the_validation_minimum, regularized_networks_are_smaller_smoother_and_steadier
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from ...digits import built, digits, mislabelled, train
from ...figures import bars
from ...finding import Finding, judged
from ...many import accuracies, many_perceptrons, summed_cross_entropy
from ...statistics import difference_of, mean_of


@dataclass(frozen=True, kw_only=True)
class Training:
    num_units: int = 10
    num_images: int = 800
    num_passes: int = 20


BASE = Training()
CASES = {
    "base": BASE,
    "more complex": replace(BASE, num_units=512),
    "less data": replace(BASE, num_images=80, num_passes=200),  # as many steps
    "longer": replace(BASE, num_passes=250),
}


def run(seed: int, fast: bool) -> Finding:
    found = {name: _accuracies(case, seed, 3 if fast else 20) for name, case in CASES.items()}
    learnt, new = ({name: mean_of(pair[at], f"accuracy on {kind} images, {name}") for name, pair in found.items()}
                   for at, kind in ((0, "training"), (1, "new")))  # fmt: skip
    gaps = {name: difference_of(*pair, name=f"gap, {name}") for name, pair in found.items()}
    base, *opened = gaps.values()
    return judged(
        base.value < 0.08, all(each.exceeds(base, by=0.03) for each in opened),
        summary="Gaps in points: " + ", ".join(f"{name} {100 * gap.value:.0f}" for name, gap in gaps.items()) + ".",
        numbers=(*gaps.values(), *learnt.values(), *new.values()),
        figure=bars("Share of labels that are met; a fifth of them are wrong.", list(CASES), value="accuracy",
                    training=list(learnt.values()), new=list(new.values())),
    )  # fmt: skip


def _accuracies(case: Training, seed: int, num_seeds: int) -> tuple[list[float], list[float]]:
    """On training and on new images, both with labels that are wrong as often."""
    data = digits(seed)
    x, y = data.x[: case.num_images], mislabelled(data.y, 0.2, seed)[: case.num_images]
    net = built(lambda: many_perceptrons(num_seeds, (64, case.num_units, 10)), seed, "nets")
    train(net, x, y, optimizer=torch.optim.Adam(net.parameters(), 0.01), epochs=case.num_passes, batch=80,
          loss=summed_cross_entropy, seed=seed)  # fmt: skip
    new = np.array(accuracies(net, data.test_x, mislabelled(data.test_y, 0.2, seed, "new"))).tolist()
    return accuracies(net, x, y), new
