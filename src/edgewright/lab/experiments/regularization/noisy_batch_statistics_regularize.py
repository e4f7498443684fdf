"""Does the noise of batch statistics regularize?

Claim: batch norm regularizes, because each sample is normalized by the statistics of whichever samples share its batch.
Source: Ioffe & Szegedy 2015, ICML, section 3.4; Luo et al. 2019, ICLR.
Expected: normalized by the statistics of five samples instead of those of the whole set, with all else the same, a
    network learns fewer wrong labels and does better on new images. Where all labels are right the noise only harms.
See: batch_norm_in_training_depends_on_batch_mates, tiny_batches_break_batch_norm_alone,
    dropout_keeps_the_mean_and_adds_variance
"""

import torch
from torch import Tensor, nn

from ....seeding import torch_generator
from ...digits import built, digits, mislabelled
from ...figures import bars
from ...finding import Finding, judged
from ...many import ManyLinear, accuracies, summed_cross_entropy
from ...statistics import difference_of, mean_of

NUM_TRAIN, BATCH, WIDTH, WRONG = 200, 5, 32, {"a fifth wrong": 0.2, "all right": 0.0}


class Standardize(nn.Module):
    """Zero mean and unit variance over the samples at hand (axis -2); in eval mode over those of the last pass."""

    def forward(self, h: Tensor) -> Tensor:
        if self.training:
            self.mean, self.var = h.mean(-2, keepdim=True), h.var(-2, unbiased=False, keepdim=True)
        return (h - self.mean) / (self.var + 1e-5).sqrt()


def run(seed: int, fast: bool) -> Finding:
    num_seeds, epochs = (4, 10) if fast else (20, 15)
    found = {(labels, whole): _accuracies(share, whole, seed, num_seeds=num_seeds, epochs=epochs)
             for labels, share in WRONG.items() for whole in (False, True)}  # fmt: skip
    says = {False: f"statistics of {BATCH}", True: "statistics of all"}
    learnt = [
        mean_of(each[0], f"training labels met, {labels}, {says[whole]}") for (labels, whole), each in found.items()
    ]
    right = [
        mean_of(each[1], f"right on new images, {labels}, {says[whole]}") for (labels, whole), each in found.items()
    ]
    gains = [difference_of(found[labels, False][1], found[labels, True][1], f"gained by the noise, labels {labels}")
             for labels in WRONG]  # fmt: skip
    return judged(
        learnt[1].exceeds(learnt[0], by=0.03), gains[0].exceeds(0.0), gains[1].value < 0,
        when="there is something wrong to be learnt",
        summary=f"With a fifth of the labels wrong the noise of batches of {BATCH} gains "
        f"{100 * gains[0].value:+.1f} points on new images (training labels met: {learnt[0].value:.0%} against "
        f"{learnt[1].value:.0%}); with right labels {100 * gains[1].value:+.1f}.",
        numbers=(*gains, *learnt, *right),
        figure=bars("Right answers on new images.", [f"labels {labels}" for labels in WRONG], value="accuracy",
                    statistics_of_five=right[::2], statistics_of_all=right[1::2]),
    )  # fmt: skip


def _accuracies(
    wrong: float, whole: bool, seed: int, *, num_seeds: int, epochs: int
) -> tuple[list[float], list[float]]:
    """On training labels and on new images; steps on the same batches, whichever samples the statistics are of."""
    data, order = digits(seed), torch_generator(seed, "order")
    x, y = data.x[:NUM_TRAIN], mislabelled(data.y[:NUM_TRAIN], wrong, seed)
    net = built(lambda: nn.Sequential(
        ManyLinear(num_seeds, 64, WIDTH), Standardize(), nn.ReLU(), ManyLinear(num_seeds, WIDTH, WIDTH), Standardize(),
        nn.ReLU(), ManyLinear(num_seeds, WIDTH, 10)), seed, "nets")  # fmt: skip
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    for _ in range(epochs):
        for rows in torch.randperm(NUM_TRAIN, generator=order).split(BATCH):
            optimizer.zero_grad()
            summed_cross_entropy(net(x)[:, rows] if whole else net(x[rows]), y[rows]).backward()
            optimizer.step()
    net(x)  # the statistics to judge with are those of all training images
    return accuracies(net, x, y), accuracies(net, data.test_x, data.test_y)
