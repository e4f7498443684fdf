"""What does the best linear model make of XOR?

Claim: the best linear model of XOR has no weights, says 1/2 everywhere and has a squared error of 1/4.
Source: Goodfellow et al., Deep Learning (2016), section 6.1; Minsky & Papert 1969.
Expected: w = (0, 0), b = 1/2, mean squared error 1/4, by the normal equations and by gradient descent.
See: one_hidden_relu_layer_solves_xor
"""

import numpy as np

from ....seeding import numpy_generator
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged

X = np.array([[0.0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
Y = np.array([0.0, 1, 1, 0])


def run(seed: int, fast: bool) -> Finding:
    exact = np.linalg.solve(X.T @ X, X.T @ Y)
    w, losses = numpy_generator(seed, "start").standard_normal(3), []
    for _ in range(600):
        losses.append(float(((X @ w - Y) ** 2).mean()))
        w = w - 0.3 * 2 / 4 * X.T @ (X @ w - Y)
    numbers = [
        Number(name=f"{name}, {way}", value=float(value), expected=expected, tolerance=1e-6)
        for way, found in (("normal equations", exact), ("gradient descent", w))
        for name, value, expected in zip(("w1", "w2", "b"), found, (0.0, 0.0, 0.5), strict=True)
    ]
    numbers.append(Number(name="mean squared error", value=losses[-1], expected=0.25, tolerance=1e-9))
    return judged(
        all(each.agrees for each in numbers),
        summary=f"Both ways end at w = 0 and b = 1/2, with an error of {losses[-1]:.4f} that no step lowers.",
        numbers=numbers,
        figure=chart("Squared error of a linear model on XOR.", series("gradient descent", range(600), losses),
                     series("1/4", [0, 599], [0.25, 0.25], mark=Mark.DASHES), x="step", y="error"),
    )  # fmt: skip
