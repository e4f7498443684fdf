"""Does the answer for an image depend on what else is in the batch?

Claim: batch norm normalizes by the batch in training and by running statistics in evaluation: there an output is the
    same whatever else is in the batch, a single sample works, and the whole test set is not one batch.
Source: Ioffe & Szegedy 2015, ICML, section 3.1.
Expected: 1, 2, 3, 4 become -1.341641, -.447214, .447214, 1.341641, and the buffers .25 and 1.0666667 (the unbiased
    variance) at momentum .1; in evaluation the outputs are equal to the bit.
See: test_statistics_in_batch_norm_leak, normalizing_by_the_unbiased_variance_shrinks
"""

import numpy as np
import torch
from torch import nn

from ....reference.normalization import batch_norm
from ....seeding import torch_generator
from ...figures import bars
from ...finding import Finding, Number, judged


def run(seed: int, fast: bool) -> Finding:
    four = torch.tensor([[1.0], [2], [3], [4]])
    norm = nn.BatchNorm1d(1)
    out = norm(four).detach().numpy().ravel()
    numbers = [
        Number(name=f"output of {at + 1}", value=float(value), expected=expected, tolerance=1e-4)
        for at, (value, expected) in enumerate(zip(out, (-1.341641, -0.447214, 0.447214, 1.341641), strict=True))
    ]
    numbers += [
        Number(name="running mean after one step", value=float(norm.get_buffer("running_mean")), expected=0.25),
        Number(name="running variance after one step", value=float(norm.get_buffer("running_var")), expected=16 / 15,
               tolerance=1e-6),
        Number(name="largest difference to the reference", expected=0.0, tolerance=1e-5,
               value=float(abs(batch_norm(four.numpy(), np.ones(1), np.zeros(1))[0].ravel() - out).max())),
    ]  # fmt: skip
    net = nn.BatchNorm1d(8)
    x = torch.randn(64, 8, generator=torch_generator(seed, "batch"))
    for _ in range(50):
        net(x)
    alone_in_training = [net(torch.cat([x[:1], mates])).detach()[0] for mates in (x[1:4], 3 * x[30:60])]
    net.eval()
    in_evaluation = [net(batch).detach()[0] for batch in (x[:1], x[:4], torch.cat([x[:1], 3 * x[30:60]]))]
    training = float((alone_in_training[0] - alone_in_training[1]).abs().max())
    evaluation = max(float((each - in_evaluation[0]).abs().max()) for each in in_evaluation)
    numbers += [
        Number(name="change by batch mates, training", value=training),
        Number(name="change by batch mates, evaluation", value=evaluation, expected=0.0, tolerance=0.0),
    ]
    return judged(
        all(each.agrees is not False for each in numbers), training > 0.1,
        summary=f"In training other mates change the output of one sample by {training:.2f}, in evaluation by "
        f"{evaluation:.0f}.",
        numbers=numbers,
        figure=bars("Change of one sample's output when the rest of its batch changes.", ["training", "evaluation"],
                    value="largest change", only=[training, evaluation]),
    )  # fmt: skip
