"""Can a simulation tell that an estimator is off, and by how much?

Claim: the mean error of an estimator over many simulated samples is its bias, known to within its standard error.
Source: definition of bias, Goodfellow et al., Deep Learning (2016), equation 5.20; the expectations are classical.
Expected: for m draws from a uniform on (0, 1), the maximum is off by -1/(m + 1) and twice the mean by 0; for
    exponential draws of rate 1, 1/mean is off by 1/(m - 1) as an estimate of the rate.
See: maximum_likelihood_variance_is_too_small
"""

import numpy as np

from ....seeding import numpy_generator
from ...figures import bars
from ...finding import Finding, judged
from ...statistics import mean_of

M = 10
ESTIMATORS = {
    "largest draw": ("uniform", lambda x: x.max(1), 1.0, -1 / (M + 1)),
    "largest draw, times (m+1)/m": ("uniform", lambda x: x.max(1) * (M + 1) / M, 1.0, 0.0),
    "twice the mean": ("uniform", lambda x: 2 * x.mean(1), 1.0, 0.0),
    "1 / mean": ("exponential", lambda x: 1 / x.mean(1), 1.0, 1 / (M - 1)),
    "(m-1)/m / mean": ("exponential", lambda x: (M - 1) / M / x.mean(1), 1.0, 0.0),
}  # what is drawn, the estimate, the truth, the bias


def run(seed: int, fast: bool) -> Finding:
    num_draws = 20_000 if fast else 500_000
    numbers = []
    for name, (kind, estimate, truth, bias) in ESTIMATORS.items():
        generator = numpy_generator(seed, kind)
        draws = generator.random((num_draws, M)) if kind == "uniform" else generator.exponential(1.0, (num_draws, M))
        numbers.append(mean_of(estimate(draws) - truth, name, expected=bias))
    away = max(abs(each.value - (each.expected or 0.0)) / (each.error or 1.0) for each in numbers)
    figure = bars(
        f"Bias from {num_draws:,} samples of {M} draws, beside the closed form.", list(ESTIMATORS), value="bias",
        simulated=numbers, expected=[each.expected for each in numbers],
    )  # fmt: skip
    return judged(
        all(each.agrees for each in numbers), bool(np.isfinite(away)),
        summary=f"All {len(numbers)} simulated biases lie within {away:.1f} standard errors of their closed forms.",
        numbers=numbers, figure=figure,
    )  # fmt: skip
