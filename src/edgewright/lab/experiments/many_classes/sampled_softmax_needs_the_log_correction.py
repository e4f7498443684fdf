"""May a softmax be trained on drawn classes alone?

Claim: a sampled softmax learns the probabilities of all classes if log Q of the drawing is taken off the logits, and
    wrong ones if it is not.
Source: Bengio & Senecal 2008, IEEE Trans. Neural Networks; Jean et al. 2015, ACL, section 3.
Expected: classes with probabilities p by Zipf, drawn by the same p: the learned logits over log p have slope 1 with the
    correction; without it frequent classes are pushed down for being drawn, and the logits become log(p / Q), slope 0.
    Drawn alike (Q constant), both are right.
See: softmax_layers_grow_with_the_classes
"""

import math

import torch

from ....losses.many_classes import Drawn, Noise, sampled_softmax_loss, uniform
from ....seeding import torch_generator
from ...figures import Mark, chart, series
from ...finding import Finding, judged
from ...statistics import slope_of

CLASSES, DRAWN, BATCH = 40, 30, 400


def run(seed: int, fast: bool) -> Finding:
    shares = 1 / torch.arange(1, CLASSES + 1).double()
    by_frequency = Noise(shares)
    steps = 1_000 if fast else 6_000
    learned = {
        "drawn by frequency, corrected": _learned(by_frequency, by_frequency, True, seed, steps),
        "drawn by frequency, not corrected": _learned(by_frequency, by_frequency, False, seed, steps),
        "drawn alike, not corrected": _learned(by_frequency, uniform(CLASSES), False, seed, steps),
    }
    log_p = by_frequency.log_probability_K.numpy()
    slopes = [slope_of(log_p, logits, f"slope of logits over log p, {name}", expected=expected, tolerance=0.1)
              for (name, logits), expected in zip(learned.items(), (1.0, 0.0, 1.0), strict=True)]  # fmt: skip
    return judged(
        all(each.agrees for each in slopes), when="classes are not drawn alike",
        summary=f"Logits follow log p with a slope of {slopes[0].value:.2f} when log Q is taken off and of "
        f"{slopes[1].value:.2f} when it is not; drawn alike, the slope is {slopes[2].value:.2f} without it.",
        numbers=slopes,
        figure=chart("Learned logits of 40 classes over the logarithm of their frequency.",
                     *(series(name, log_p, logits, mark=Mark.DOTS) for name, logits in learned.items()),
                     series("log p", log_p, log_p - log_p.mean(), mark=Mark.DASHES), x="log p", y="logit - mean"),
    )  # fmt: skip


def _learned(data: Noise, noise: Noise, corrected: bool, seed: int, steps: int):  # type: ignore[no-untyped-def]
    """Logits, less their mean, of a model without features behind its training; the last half of steps averaged."""
    logits = torch.zeros(CLASSES, requires_grad=True)
    optimizer = torch.optim.Adam([logits], 0.03)
    generator = torch_generator(seed, "draws", int(corrected))
    average = torch.zeros(CLASSES)
    for step in range(steps):
        targets, drawn = data.draw(BATCH, generator=generator), noise.draw(DRAWN, generator=generator)
        expected = noise.log_probability_K + math.log(DRAWN) if corrected else torch.zeros(CLASSES)
        loss = sampled_softmax_loss(
            Drawn(true_B=logits[targets], drawn_BS=logits[drawn].expand(BATCH, DRAWN),
                  log_expected_true_B=expected[targets], log_expected_S=expected[drawn],
                  hits_BS=targets[:, None] == drawn)
        )  # fmt: skip
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step >= steps // 2:
            average += logits.detach() / (steps - steps // 2)
    return (average - average.mean()).numpy()
