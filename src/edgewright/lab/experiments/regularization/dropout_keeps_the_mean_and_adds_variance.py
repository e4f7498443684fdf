"""What does dropout do to the numbers that pass it?

Claim: inverted dropout keeps the mean of an activation x and gives it the variance x^2 p/(1 - p).
Source: Srivastava et al. 2014, JMLR 15.
Expected: mean x and variance x^2 p/(1 - p), within standard errors, for every p.
See: dropout_before_and_after_relu_are_one
"""

from ....seeding import numpy_generator
from ...figures import Mark, chart, series
from ...finding import Finding, judged
from ...statistics import mean_of, variance_of

SHARES, X = (0.1, 0.2, 0.5, 0.8), 1.5


def run(seed: int, fast: bool) -> Finding:
    means, variances = [], []
    for p in SHARES:
        kept = numpy_generator(seed, "mask", str(p)).random(50_000 if fast else 2_000_000) >= p
        y = kept * X / (1 - p)
        means.append(mean_of(y, f"mean, p={p}", expected=X))
        variances.append(variance_of(y, f"variance, p={p}", expected=X**2 * p / (1 - p)))
    theory = [p / 100 for p in range(5, 86)]
    return judged(
        all(each.agrees for each in (*means, *variances)),
        summary=f"x = {X}: the mean stays ({means[2].value:.3f} at p = 0.5) and the variance grows from "
        f"{variances[0].value:.2f} at p = 0.1 to {variances[3].value:.2f} at p = 0.8.",
        numbers=(*means, *variances),
        figure=chart("Variance behind dropout.",
                     series("simulated", SHARES, [each.value for each in variances], mark=Mark.DOTS),
                     series("x² p/(1 - p)", theory, [X**2 * p / (1 - p) for p in theory], mark=Mark.DASHES, colour=0),
                     x="p", y="variance"),
    )  # fmt: skip
