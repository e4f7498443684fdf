"""What becomes of rare classes when there are many?

Claim: classes of the long tail are learned worse than frequent ones.
Source: Kang et al. 2020, ICLR; Menon et al. 2021, ICLR, for the correction.
Expected: on a test set with as many examples of each class accuracy falls from the frequent to the rare third. Taking
    the logarithm of the frequencies off the logits gives the rare third back much of it, at a price for the frequent
    one: a part of the loss is the prior alone, and not a lack of examples.
See: sampled_softmax_needs_the_log_correction
"""

import numpy as np
import torch
from torch import nn

from ....seeding import numpy_generator
from ...digits import built, train
from ...figures import bars
from ...finding import Finding, judged
from ...statistics import difference_of, mean_of

CLASSES, DIMENSIONS, MOST, TEST = 60, 24, 200, 30
THIRDS = ("frequent", "middle", "rare")


def run(seed: int, fast: bool) -> Finding:
    runs = [_accuracies(numpy_generator(seed, "data", at), seed * 100 + at, fast) for at in range(3 if fast else 10)]
    plain, adjusted = (np.array([each[kind] for each in runs]) for kind in (0, 1))
    numbers = [mean_of(column, f"accuracy, {third}, {kind}")
               for kind, table in (("plain", plain), ("adjusted", adjusted))
               for third, column in zip(THIRDS, table.T, strict=True)]  # fmt: skip
    lost = difference_of(plain[:, 0].tolist(), plain[:, 2].tolist(), "lost from the frequent to the rare third")
    regained = difference_of(adjusted[:, 2].tolist(), plain[:, 2].tolist(), "regained by the rare third")
    return judged(
        lost.exceeds(0.1), regained.exceeds(0.03),
        summary=f"The frequent third is right in {numbers[0].value:.0%}, the rare one in {numbers[2].value:.0%}; "
        "taking "
        f"off log frequencies makes it {numbers[5].value:.0%}, with {numbers[3].value:.0%} for the frequent.",
        numbers=(*numbers, lost, regained),
        figure=bars(f"Accuracy by frequency of the class ({CLASSES} classes, from {MOST} examples to 3).", THIRDS,
                    value="accuracy", plain=numbers[:3], log_frequency_taken_off=numbers[3:]),
    )  # fmt: skip


def _accuracies(generator: np.random.Generator, seed: int, fast: bool) -> tuple[list[float], list[float]]:
    """By thirds of the classes: as trained, and with the log frequencies taken off the logits."""
    counts = np.maximum(3, (MOST / np.arange(1, CLASSES + 1)).astype(int))
    centres = generator.standard_normal((CLASSES, DIMENSIONS))
    labels, test_labels = np.repeat(np.arange(CLASSES), counts), np.repeat(np.arange(CLASSES), TEST)
    x, test_x = (
        torch.tensor(centres[each] + 1.1 * generator.standard_normal((len(each), DIMENSIONS)), dtype=torch.float32)
        for each in (labels, test_labels)
    )
    net = built(lambda: nn.Linear(DIMENSIONS, CLASSES), seed, "net")
    optimizer = torch.optim.Adam(net.parameters(), 0.02, weight_decay=1e-4)
    train(net, x, torch.tensor(labels), optimizer=optimizer, epochs=12 if fast else 40, batch=64, seed=seed)
    with torch.no_grad():
        logits = net(test_x).numpy()
    log_frequency = np.log(counts / counts.sum())
    right = [np.argmax(each, 1) == test_labels for each in (logits, logits - log_frequency)]
    plain, adjusted = ([float(third.mean()) for third in np.split(each.reshape(CLASSES, TEST), 3)] for each in right)
    return plain, adjusted
