"""May all weights of a network start at zero?

Claim: units that start with equal weights stay equal for ever; with zero weights the hidden layer gets no gradient at
    all. Zero biases are fine.
Source: Goodfellow et al., Deep Learning (2016), section 8.4.
Expected: the hidden gradient is 0 exactly at zero weights; after training from a constant, all hidden units are the
    same and the network is one unit wide.
See: he_initialization_keeps_the_mean_square
"""

import numpy as np

from ....reference.stable import sigmoid
from ....seeding import numpy_generator
from ...figures import chart, series
from ...finding import Finding, Number, judged

HIDDEN, NUM_STEPS, LR = 8, 800, 0.5


def run(seed: int, fast: bool) -> Finding:
    generator = numpy_generator(seed, "data")
    x = generator.uniform(-1, 1, (200, 2))
    y = (x[:, 0] * x[:, 1] > 0).astype(float)
    random = generator.standard_normal((2, HIDDEN)), generator.standard_normal(HIDDEN)
    starts = {"zero": (np.zeros((2, HIDDEN)), np.zeros(HIDDEN)), "constant": (np.full((2, HIDDEN), 0.5),
              np.full(HIDDEN, 0.5)), "random, biases 0": random}  # fmt: skip
    ends = {name: _train(x, y, *weights) for name, weights in starts.items()}
    first_gradient = _gradients(x, y, *starts["zero"], np.zeros(HIDDEN), 0.0)[1]
    spread = {name: float(np.ptp(w, axis=1).max()) for name, (_, w, _) in ends.items()}
    numbers = (
        Number(name="largest hidden gradient at zero weights", value=float(abs(first_gradient).max()), expected=0.0),
        Number(name="spread of hidden units after training from a constant", value=spread["constant"], expected=0.0,
               tolerance=1e-9),
        Number(name="spread of hidden units after training from random weights", value=spread["random, biases 0"]),
        Number(name="largest |bias| after training from 0", value=float(abs(ends["random, biases 0"][2]).max())),
        *(Number(name=f"loss at the end, {name}", value=losses[-1]) for name, (losses, _, _) in ends.items()),
    )  # fmt: skip
    worst = ends["random, biases 0"][0][-1]
    return judged(
        all(each.agrees is not False for each in numbers), numbers[2].value > 0.1, numbers[3].value > 0.01,
        worst < 0.7 * min(ends["zero"][0][-1], ends["constant"][0][-1]),
        summary=f"From zero the loss stays at {ends['zero'][0][-1]:.3f} (ln 2 = 0.693), from a constant at "
        f"{ends['constant'][0][-1]:.3f} with eight equal units, from random weights it falls to {worst:.3f}.",
        numbers=numbers,
        figure=chart("Loss on a task like XOR.", *(series(name, range(NUM_STEPS), losses)
                                                  for name, (losses, _, _) in ends.items()), x="step", y="loss"),
    )  # fmt: skip


def _gradients(x, y, w, v, c, b):
    """Loss, and gradients of hidden weights, output weights, hidden biases, output bias."""
    h = np.tanh(x @ w + c)
    p = sigmoid(h @ v + b)
    loss = float(-(y * np.log(p + 1e-12) + (1 - y) * np.log(1 - p + 1e-12)).mean())
    d = (p - y) / len(y)
    down = d[:, None] * v * (1 - h**2)
    return loss, x.T @ down, h.T @ d, down.sum(0), d.sum()


def _train(x, y, w, v):
    c, b, losses = np.zeros(HIDDEN), 0.0, []
    for _ in range(NUM_STEPS):
        loss, dw, dv, dc, db = _gradients(x, y, w, v, c, b)
        losses.append(loss)
        w, v, c, b = w - LR * dw, v - LR * dv, c - LR * dc, b - LR * db
    return losses, w, c
