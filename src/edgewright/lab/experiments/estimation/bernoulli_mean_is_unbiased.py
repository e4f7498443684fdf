"""Is the share of successes in m trials a fair estimate of the probability?

Claim: the mean of m Bernoulli draws has no bias, and its variance is theta (1 - theta) / m.
Source: Goodfellow et al., Deep Learning (2016), section 5.4.2.
Expected: bias 0 and variance theta (1 - theta) / m for every theta and m.
See: squared_error_is_bias_squared_plus_variance
"""

from ....seeding import numpy_generator
from ...figures import Mark, chart, series
from ...finding import Finding, judged
from ...statistics import mean_of, variance_of

THETAS, SIZES = (0.1, 0.5, 0.8), (5, 20, 80, 320)


def run(seed: int, fast: bool) -> Finding:
    num_draws = 20_000 if fast else 500_000
    biases, variances = [], []
    for theta in THETAS:
        for m in SIZES:
            means = numpy_generator(seed, "bernoulli", m, str(theta)).binomial(m, theta, num_draws) / m
            biases.append(mean_of(means - theta, f"bias, theta={theta}, m={m}", expected=0.0))
            expected = theta * (1 - theta) / m
            variances.append(variance_of(means, f"variance, theta={theta}, m={m}", expected=expected))
    curves = [
        series(f"theta = {theta}", SIZES, [each.value for each in variances[at * 4 : at * 4 + 4]], mark=Mark.BOTH)
        for at, theta in enumerate(THETAS)
    ]
    theory = series("1/(4m), the largest", SIZES, [0.25 / m for m in SIZES], mark=Mark.DASHES)
    worst = max(biases, key=lambda each: abs(each.value))
    return judged(
        all(each.agrees for each in (*biases, *variances)),
        summary=f"The largest of {len(biases)} biases is {worst.value:+.5f} ± {worst.error:.5f}; all variances are "
        "those of the formula.",
        numbers=(*biases, *variances),
        figure=chart(
            "Variance of the share of successes: it falls as 1/m.", *curves, theory, x="m", y="variance", log_x=True,
            log_y=True,
        ),
    )  # fmt: skip
