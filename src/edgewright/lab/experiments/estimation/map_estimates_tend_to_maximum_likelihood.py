"""How long does a prior matter?

Claim: the maximum a posteriori estimate lies between prior and data, and tends to the maximum likelihood estimate as
    the number of observations grows.
Source: Goodfellow et al., Deep Learning (2016), section 5.6.1.
Expected: for a Beta(a, b) prior the difference of the two is (a - 1 - (a + b - 2) k/n) / (n + a + b - 2): it
    falls as 1/n.
See: conjugate_posteriors_equal_bayes_rule_on_a_grid
"""

import numpy as np

from ....seeding import numpy_generator
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged
from ...statistics import mean_of, slope_of

A, B, THETA, SIZES = 20, 20, 0.8, (5, 20, 80, 320, 1280, 5120)


def run(seed: int, fast: bool) -> Finding:
    num_draws = 2_000 if fast else 50_000
    gaps, between, ml_error, map_error = [], True, [], []
    for n in SIZES:
        k = numpy_generator(seed, "coin", n).binomial(n, THETA, num_draws)
        ml, best = k / n, (A - 1 + k) / (n + A + B - 2)
        between &= bool(((best - ml) * (best - 0.5) <= 1e-12).all())
        expected = (A - 1 - (A + B - 2) * THETA) / (n + A + B - 2)
        gaps.append(mean_of(best - ml, f"MAP minus ML, n={n}", expected=expected))
        ml_error.append(float(((ml - THETA) ** 2).mean()))
        map_error.append(float(((best - THETA) ** 2).mean()))
    slope = slope_of(np.log(SIZES[2:]), np.log([abs(each.value) for each in gaps[2:]]), "slope of log gap over log n",
                     expected=-1.0, tolerance=0.1)  # fmt: skip
    last = Number(name="gap at the largest n", value=abs(gaps[-1].value))
    curves = (series("|MAP - ML|", SIZES, [abs(each.value) for each in gaps], mark=Mark.BOTH),
              series("squared error of ML", SIZES, ml_error),
              series("squared error of MAP", SIZES, map_error))  # fmt: skip
    return judged(
        between, bool(slope.agrees), all(each.agrees for each in gaps), last.value < 0.003,
        summary=f"A strong prior at 1/2 moves the estimate of {THETA} by {gaps[0].value:+.3f} after {SIZES[0]} "
        f"throws and by {gaps[-1].value:+.4f} after {SIZES[-1]}.",
        numbers=(*gaps, slope, last),
        figure=chart("A prior that is wrong costs less and less.", *curves, x="throws", y="", log_x=True, log_y=True),
    )  # fmt: skip
