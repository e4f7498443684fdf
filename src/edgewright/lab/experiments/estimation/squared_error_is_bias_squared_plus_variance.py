"""Where does the squared error of an estimate come from?

Claim: mean squared error = bias^2 + variance, for every estimator, and exactly so on the simulated draws themselves.
Source: Goodfellow et al., Deep Learning (2016), equation 5.54.
Expected: a difference of rounding alone, below 1e-12; a shrunken mean a x of m draws from N(1, 1) has bias a - 1 and
    variance a^2 / m, so that a = m / (m + 1) has the least error.
See: bernoulli_mean_is_unbiased, maximum_likelihood_variance_is_too_small
"""

import numpy as np

from ....seeding import numpy_generator
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged
from ...statistics import mean_of

M, FACTORS = 4, (0.4, 0.6, 0.8, 1.0, 1.2)


def run(seed: int, fast: bool) -> Finding:
    means = numpy_generator(seed, "means").normal(1.0, 1.0, (50_000 if fast else 1_000_000, M)).mean(1)
    gaps, errors, parts = [], [], []
    for factor in FACTORS:
        estimate = factor * means
        squared, bias, variance = ((estimate - 1) ** 2).mean(), estimate.mean() - 1, estimate.var()
        gaps.append(abs(squared - bias**2 - variance))
        expected = (factor - 1) ** 2 + factor**2 / M
        errors.append(mean_of((estimate - 1) ** 2, f"squared error, factor {factor}", expected=expected))
        parts.append((bias**2, variance))
    gap = Number(name="largest gap to bias^2 + variance", value=float(max(gaps)), expected=0.0, tolerance=1e-12)
    best = FACTORS[int(np.argmin([each.value for each in errors]))]
    curves = [series(name, FACTORS, [part[at] for part in parts], mark=Mark.BOTH)
              for at, name in enumerate(("bias²", "variance"))]  # fmt: skip
    total = series("squared error", FACTORS, [each.value for each in errors], mark=Mark.DASHES)
    return judged(
        bool(gap.agrees), best == 0.8, all(each.agrees for each in errors),
        summary=f"The two sides differ by {gap.value:.1e}; of {M} draws from N(1, 1) the mean times {best} has the "
        "least error, so some bias pays.",
        numbers=(gap, *errors),
        figure=chart("A mean times a factor: less variance, more bias.", *curves, total, x="factor", y="squared"),
    )  # fmt: skip
