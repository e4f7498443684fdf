"""What is left of batch norm when the batch is tiny?

Claim: the statistics of a tiny batch are too noisy for batch norm; layer norm and group norm do not depend on the
    batch.
Source: Wu & He 2018, ECCV (group norm), figure 1.
Expected: training with batches of 2 costs batch norm accuracy against batches of 32 and costs layer norm little; the
    error of a batch's mean falls as 1/sqrt(B).
See: batch_norm_in_training_depends_on_batch_mates
"""

import numpy as np
import torch
from torch import nn

from ....seeding import numpy_generator
from ...digits import accuracy, built, digits, perceptron, train
from ...figures import bars
from ...finding import Finding, judged
from ...statistics import difference_of, mean_of, slope_of

NORMS = {"batch norm": nn.BatchNorm1d, "layer norm": nn.LayerNorm, "group norm": lambda width: nn.GroupNorm(8, width)}
BATCHES = (2, 32)


def run(seed: int, fast: bool) -> Finding:
    scores = {(name, batch): [_score(norm, batch, seed * 100 + at) for at in range(2 if fast else 8)]
              for name, norm in NORMS.items() for batch in BATCHES}  # fmt: skip
    losses = {name: difference_of(scores[name, 32], scores[name, 2], f"accuracy lost by batches of 2, {name}")
              for name in NORMS}  # fmt: skip
    means = [mean_of(values, f"accuracy, {name}, batch {batch}") for (name, batch), values in scores.items()]
    sizes = np.array([2, 8, 32, 128])
    errors = [numpy_generator(seed, "mean", int(size)).standard_normal((4_000, size)).mean(1).std() for size in sizes]
    slope = slope_of(np.log(sizes), np.log(errors), "log error of the mean over log B", expected=-0.5, tolerance=0.05)
    others = max(losses["layer norm"].value, losses["group norm"].value)
    return judged(
        bool(slope.agrees), losses["batch norm"].value > 0.02, losses["batch norm"].value > others + 0.01,
        summary=f"Batches of 2 instead of 32 cost batch norm {100 * losses['batch norm'].value:.1f} points, layer norm "
        f"{100 * losses['layer norm'].value:.1f} and group norm {100 * losses['group norm'].value:.1f}.",
        numbers=(*losses.values(), *means, slope),
        figure=bars("Right answers on digits.", list(NORMS), value="accuracy",
                    batches_of_2=means[::2], batches_of_32=means[1::2]),
    )  # fmt: skip


def _score(norm, batch: int, seed: int) -> float:
    """After as many samples for each batch size; rows of half of the images."""
    data = digits(seed)
    net = built(lambda: perceptron((64, 32, 32, 10), norm=norm), seed, "net")
    optimizer = torch.optim.SGD(net.parameters(), 0.05 * (batch / 32) ** 0.5, momentum=0.9)
    train(net, data.x[:480], data.y[:480], optimizer=optimizer, epochs=4, batch=batch, seed=seed)
    return accuracy(net, data.test_x, data.test_y)
