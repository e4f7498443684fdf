"""What prior does an L2 penalty stand for?

Claim: ridge regression is the maximum a posteriori estimate under a prior N(0, 1/alpha) on each weight, with
    lambda = alpha sigma^2 on |y - Xw|^2 + lambda |w|^2.
Source: Goodfellow et al., Deep Learning (2016), section 5.6.1; Hoerl & Kennard 1970, Technometrics 12.
Expected: the ridge solution (X'X + lambda I)^-1 X'y equals the maximum of log-likelihood plus log-prior to 1e-6; on
    orthonormal columns with .5 lambda |w|^2 each weight is w / (1 + lambda).
See: lasso_thresholds_where_ridge_shrinks
"""

import numpy as np
from scipy.optimize import minimize

from ....seeding import numpy_generator
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged

SIGMA, ALPHAS = 0.5, (0.1, 1.0, 10.0, 100.0, 1000.0)


def run(seed: int, fast: bool) -> Finding:
    generator = numpy_generator(seed, "ridge")
    x, truth = generator.standard_normal((60, 5)), np.array([2.0, -1.0, 0.5, 0.0, 0.0])
    y = x @ truth + SIGMA * generator.standard_normal(60)
    numbers, paths = [], []
    for alpha in ALPHAS:
        ridge = np.linalg.solve(x.T @ x + alpha * SIGMA**2 * np.eye(5), x.T @ y)
        posterior = minimize(
            lambda w, alpha=alpha: ((y - x @ w) ** 2).sum() / 2 / SIGMA**2 + alpha * (w**2).sum() / 2, np.zeros(5),
            jac=lambda w, alpha=alpha: -x.T @ (y - x @ w) / SIGMA**2 + alpha * w, method="BFGS",
            options={"gtol": 1e-10},
        ).x  # fmt: skip
        paths.append(ridge)
        numbers.append(Number(name=f"|ridge - MAP|, alpha={alpha:g}", value=float(abs(ridge - posterior).max()),
                              expected=0.0, tolerance=1e-6))  # fmt: skip
    q = np.linalg.qr(x)[0]
    shrunk = np.linalg.solve(q.T @ q + 3 * np.eye(5), q.T @ y) / (q.T @ y)
    numbers.append(Number(name="factor on orthonormal columns, lambda=3", value=float(shrunk.mean()), expected=0.25))
    curves = [series(f"w{at}", ALPHAS, [path[at] for path in paths], mark=Mark.BOTH) for at in range(5)]
    zeros = int((np.array(paths) == 0).sum())
    return judged(
        all(each.agrees for each in numbers), zeros == 0,
        summary=f"Penalty and prior give one solution for {len(ALPHAS)} strengths; of {5 * len(ALPHAS)} weights "
        f"{zeros} are exactly zero.",
        numbers=numbers,
        figure=chart("Weights against the precision of the prior.", *curves, x="alpha", y="weight", log_x=True),
    )  # fmt: skip
