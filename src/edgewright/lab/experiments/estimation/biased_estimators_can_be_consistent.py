"""Does a biased estimator find the truth in the end, and does an unbiased one always?

Claim: the variance with 1/m is biased and consistent: bias and the share of estimates that are off by more than epsilon
    both go to 0. The first draw alone is an unbiased estimate of the mean and is not consistent.
Source: Goodfellow et al., Deep Learning (2016), section 5.4.5.
Expected: bias -1/m; for the first draw P(|x - mu| > 0.5) = 2 Phi(-0.5) = 0.6171 at every m.
See: maximum_likelihood_variance_is_too_small
"""

from itertools import pairwise

from ....seeding import numpy_generator
from ...figures import Mark, chart, series
from ...finding import Finding, judged
from ...statistics import mean_of, share_of

SIZES, EPSILON, STAYS = (5, 20, 80, 320), 0.5, 0.617075


def run(seed: int, fast: bool) -> Finding:
    num_draws = 4_000 if fast else 100_000
    biases, far, far_first = [], [], []
    for m in SIZES:
        x = numpy_generator(seed, "consistency", m).standard_normal((num_draws, m))
        error = x.var(1) - 1
        biases.append(mean_of(error, f"bias of the variance, m={m}", expected=-1 / m))
        far.append(share_of(abs(error) > EPSILON, f"variance off by over {EPSILON}, m={m}"))
        far_first.append(share_of(abs(x[:, 0]) > EPSILON, f"first draw off by over {EPSILON}, m={m}", expected=STAYS))
    falls = all(one.exceeds(other) for one, other in pairwise(far) if other.value > 0.001)
    curves = [
        series(name, SIZES, [each.value for each in many], [each.error or 0 for each in many], mark=Mark.BOTH)
        for name, many in (("variance with 1/m, of 1", far), ("first draw, of 0", far_first))
    ]  # fmt: skip
    return judged(
        falls, far[-1].value < 0.001, all(each.agrees for each in (*biases, *far_first)),
        summary=f"The biased variance is off by more than {EPSILON} in {far[0].value:.1%} of samples of {SIZES[0]} and "
        f"in {far[-1].value:.2%} of {SIZES[-1]}; the unbiased first draw stays at {far_first[-1].value:.1%}.",
        numbers=(*biases, *far, *far_first),
        figure=chart(f"Share of estimates off by more than {EPSILON}.", *curves, x="m", y="share", log_x=True),
    )  # fmt: skip
