"""Why does an L1 penalty make weights exactly zero, when an L2 penalty does not?

Claim: on orthonormal columns the L1 solution is sign(w) max(|w| - lambda, 0), the L2 solution w / (1 + lambda): one
    subtracts and stops at zero, the other divides and never gets there. A weight is 0 exactly when the gradient of the
    squared error there is at most lambda.
Source: Tibshirani 1996, J. R. Statist. Soc. B 58; Goodfellow et al., Deep Learning (2016), section 7.1.2.
Expected: coordinate descent finds the soft threshold to 1e-9; every zero has |gradient| <= lambda, every other weight
    has |gradient| = lambda.
See: ridge_is_a_gaussian_prior, elastic_net_keeps_correlated_features
"""

import numpy as np

from ....seeding import numpy_generator
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged
from ._lasso import lasso

LAMBDA = 1.0


def run(seed: int, fast: bool) -> Finding:
    generator = numpy_generator(seed, "lasso")
    truth = np.array([3.0, -2.0, 1.5, 0.7, -0.4, 0.2, 0.0, 0.0])
    x = np.linalg.qr(generator.standard_normal((200, 8)))[0]
    y = x @ truth + 0.1 * generator.standard_normal(200)
    least = x.T @ y
    found, soft = lasso(x, y, LAMBDA), np.sign(least) * np.maximum(abs(least) - LAMBDA, 0)
    ridge = least / (1 + LAMBDA)
    correlated = x @ np.linalg.cholesky(0.5 * np.eye(8) + 0.5).T
    w = lasso(correlated, y, LAMBDA / 2)
    gradient = abs(correlated.T @ (correlated @ w - y))
    numbers = (
        Number(name="|coordinate descent - soft threshold|", value=float(abs(found - soft).max()), expected=0.0),
        Number(name="exact zeros of L1", value=float((found == 0).sum()), expected=float((abs(least) <= LAMBDA).sum())),
        Number(name="exact zeros of L2", value=float((ridge == 0).sum()), expected=0.0),
        Number(name="largest |gradient| at a zero, over lambda",
               value=float(gradient[w == 0].max() * 2 / LAMBDA)),
        Number(name="|gradient| at other weights, over lambda", value=float(gradient[w != 0].mean() / LAMBDA * 2),
               expected=1.0, tolerance=1e-6),
    )  # fmt: skip
    grid = np.linspace(-3, 3, 121)
    curves = (series("L1: soft threshold", grid, np.sign(grid) * np.maximum(abs(grid) - LAMBDA, 0)),
              series("L2: shrinkage", grid, grid / (1 + LAMBDA)), series("no penalty", grid, grid, mark=Mark.DASHES),
              series("found by coordinate descent", least, found, mark=Mark.DOTS, colour=0))  # fmt: skip
    return judged(
        all(each.agrees is not False for each in numbers), numbers[1].value > 0, numbers[3].value <= 1 + 1e-9,
        summary=f"L1 sets {numbers[1].value:.0f} of 8 weights to exactly zero, L2 none; each zero has a gradient of at "
        f"most {numbers[3].value:.2f} lambda.",
        numbers=numbers,
        figure=chart("What each penalty makes of a weight.", *curves, x="without penalty", y="with penalty"),
    )  # fmt: skip
