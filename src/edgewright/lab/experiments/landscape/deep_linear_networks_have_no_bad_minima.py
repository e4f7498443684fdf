"""Can training of a deep linear network end in a bad local minimum?

Claim: the loss of a deep linear network is not convex, but every minimum is global: all starts reach the loss of least
    squares.
Source: Kawaguchi 2016, NeurIPS; Baldi & Hornik 1989 for two layers.
Expected: the same loss from every start to 1e-3, though it is no linear model in its weights; the theorem says nothing
    about networks with activations.
See: saddles_outnumber_minima_in_high_dimension
"""

from itertools import pairwise

import numpy as np

from ....seeding import numpy_generator
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged

WIDTHS, NUM_STEPS, LR = (4, 5, 5, 5, 3), 4_000, 0.02


def run(seed: int, fast: bool) -> Finding:
    generator = numpy_generator(seed, "data")
    x = generator.standard_normal((4, 100))
    y = generator.standard_normal((3, 4)) @ x + 0.5 * generator.standard_normal((3, 100))
    least = float(((np.linalg.lstsq(x.T, y.T, rcond=None)[0].T @ x - y) ** 2).mean())
    paths = [_train(x, y, numpy_generator(seed, "start", index)) for index in range(6 if fast else 40)]
    ends = [path[-1] for path in paths]
    spread = Number(name="largest loss over least squares", value=max(ends) / least, expected=1.0, tolerance=1e-3)
    # f(W1, W2) = W2 W1 is not convex: the middle of two solutions (W, -W) is the zero network
    middle = Number(name="loss of the zero network, between two solutions", value=float((y**2).mean()))
    steps = range(0, NUM_STEPS + 1, 100)
    curves = [series(f"start {at + 1}", steps, path, colour=at) for at, path in enumerate(paths[:5])]
    floor = series("least squares", steps, [least] * len(steps), mark=Mark.DASHES, colour=5)
    return judged(
        bool(spread.agrees), middle.value > 2 * least,
        summary=f"{len(paths)} starts of four linear layers end between {min(ends):.5f} and {max(ends):.5f}; least "
        f"squares gives {least:.5f}.",
        numbers=(spread, Number(name="loss of least squares", value=least), middle),
        figure=chart("Plateaus at saddles, then the global minimum.", *curves, floor, x="step", y="loss", log_y=True),
    )  # fmt: skip


def _train(x: np.ndarray, y: np.ndarray, generator: np.random.Generator) -> list[float]:
    """Loss every 100 steps of gradient descent."""
    layers = [generator.standard_normal((rows, columns)) / np.sqrt(columns)
              for columns, rows in pairwise(WIDTHS)]  # fmt: skip
    losses = []
    for step in range(NUM_STEPS + 1):
        values = [x]
        for weight in layers:
            values.append(weight @ values[-1])
        if step % 100 == 0:
            losses.append(float(((values[-1] - y) ** 2).mean()))
        delta = 2 * (values[-1] - y) / y.size
        for at in reversed(range(len(layers))):
            gradient, delta = delta @ values[at].T, layers[at].T @ delta
            layers[at] = layers[at] - LR * y.shape[0] * gradient
    return losses
