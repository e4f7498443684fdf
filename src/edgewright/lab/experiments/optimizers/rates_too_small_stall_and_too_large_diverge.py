"""What does the learning rate do, and how is it found?

Claim: too small a rate hardly learns and too large a one diverges; one training with a rising rate (a range test) shows
    a rate in between that learns well.
Source: Smith 2017, WACV, section 3.3; Goodfellow et al., Deep Learning (2016), section 11.4.1.
Expected: the suggested rate is right within three points as often as the best of a grid from .0001 to 32, and the ends
    of the grid hardly more often than chance. One range test is noisy: some seeds meet the three points, some do not.
See: gradient_descent_converges_below_two_over_curvature, batch_norm_allows_larger_steps
"""

import math
from itertools import count

import numpy as np
import torch
from torch.nn import functional

from ....seeding import torch_generator
from ....train.lr_range import LrRange, Sweep, read_range
from ...digits import accuracy, built, digits, perceptron, train
from ...figures import Mark, chart, panels, series
from ...finding import Finding, Number, judged

RATES = tuple(float(rate) for rate in np.logspace(-4, 1.5, 8))
WIDTHS, NUM_TRAIN, BATCH = (64, 32, 10), 512, 16


def run(seed: int, fast: bool) -> Finding:
    epochs = 16 if fast else 40
    right = [_accuracy(rate, epochs, seed) for rate in RATES]
    found = _range_test(seed)
    assert found.suggested is not None
    reached, best = _accuracy(found.suggested, epochs, seed), max(right)
    numbers = (
        Number(name="accuracy at 0.0001", value=right[0]), Number(name="accuracy at 32", value=right[-1]),
        Number(name="best accuracy of the grid", value=best),
        Number(name="best rate of the grid", value=RATES[right.index(best)]),
        Number(name="suggested rate", value=found.suggested), Number(name="accuracy at the suggested rate",
            value=reached),
    )  # fmt: skip
    return judged(
        right[0] < 0.3, right[-1] < 0.3, best > 0.85, reached > best - 0.03,
        summary=f"After {epochs} passes {right[0]:.0%} are right at a rate of 0.0001, {best:.1%} at "
        f"{RATES[right.index(best)]:.2g} and {right[-1]:.0%} at 32; the range test says {found.suggested:.2g}, which "
        f"reaches {reached:.1%}.",
        numbers=numbers,
        figure=panels("Many trainings, or one with a rising rate.",
            accuracy_after_training=chart("", series("grid", RATES, right, mark=Mark.BOTH),
                series("suggested", [found.suggested], [reached], mark=Mark.DOTS), x="learning rate", y="accuracy",
                    log_x=True),
            range_test=chart("", series("loss of each batch", found.rates, found.losses, mark=Mark.DOTS),
                series("smoothed", found.rates, found.smoothed), x="learning rate", y="loss", log_x=True)),
    )  # fmt: skip


def _accuracy(rate: float, epochs: int, seed: int) -> float:
    data, net = digits(seed), built(lambda: perceptron(WIDTHS), seed, "net")
    optimizer = torch.optim.SGD(net.parameters(), rate)
    train(net, data.x[:NUM_TRAIN], data.y[:NUM_TRAIN], optimizer=optimizer, epochs=epochs, batch=BATCH, seed=seed)
    return accuracy(net, data.test_x, data.test_y)


def _range_test(seed: int) -> LrRange:
    """One training from 0.0001 up to where the loss has run away."""
    data, net, sweep = (
        digits(seed),
        built(lambda: perceptron(WIDTHS), seed, "net"),
        Sweep(low=1e-4, high=100.0, num_steps=150),
    )
    optimizer, order = torch.optim.SGD(net.parameters(), sweep.low), torch_generator(seed, "range test")
    losses: list[float] = []
    for step in count():
        rows = torch.randperm(NUM_TRAIN, generator=order)[:BATCH]
        loss = functional.cross_entropy(net(data.x[rows]), data.y[rows])
        losses.append(float(loss.detach()))
        if step == sweep.num_steps - 1 or losses[-1] > 4 * math.log(10) or not math.isfinite(losses[-1]):
            break
        optimizer.param_groups[0]["lr"] = sweep.rate(step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return read_range([sweep.rate(step) for step in range(len(losses))], losses)
