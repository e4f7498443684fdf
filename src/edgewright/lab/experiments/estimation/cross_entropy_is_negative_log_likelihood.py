"""Is the cross-entropy a loss of its own, or the likelihood in another coat?

Claim: the cross-entropy between the data and the model is the mean negative log-likelihood, so both have one minimum.
Source: Goodfellow et al., Deep Learning (2016), section 5.5, equation 5.59.
Expected: equal values, and for a softmax regression equal minimizers to 1e-6, up to a constant
    per feature that a softmax does not see.
See: maximum_likelihood_equals_the_closed_forms
"""

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

from ....seeding import numpy_generator
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged


def run(seed: int, fast: bool) -> Finding:
    generator = numpy_generator(seed, "classes")
    y = generator.integers(0, 3, 300)
    x = generator.standard_normal((300, 2)) + np.array([[0, 0], [2, 0], [0, 2]])[y]
    x = np.column_stack([x, np.ones(300)])
    one_hot = np.eye(3)[y]

    def cross_entropy(w: np.ndarray) -> float:
        return float(-(one_hot * log_softmax(x @ w.reshape(3, 3), axis=1)).sum(1).mean())

    def likelihood(w: np.ndarray) -> float:
        p = np.exp(log_softmax(x @ w.reshape(3, 3), axis=1))
        return float(-np.log(p[np.arange(300), y]).mean())

    ways = [minimize(loss, np.zeros(9), method="BFGS", options={"gtol": 1e-10}).x
            for loss in (cross_entropy, likelihood)]  # fmt: skip
    centred = [way.reshape(3, 3) - way.reshape(3, 3).mean(1, keepdims=True) for way in ways]
    probes = generator.standard_normal((50, 9))
    values = [(cross_entropy(each), likelihood(each)) for each in probes]
    gap = Number(name="largest difference of the two losses", value=max(abs(a - b) for a, b in values), expected=0.0,
                 tolerance=1e-9)  # fmt: skip
    apart = Number(name="distance of the minimizers", value=float(abs(centred[0] - centred[1]).max()), expected=0.0,
                   tolerance=1e-6)  # fmt: skip
    least = Number(
        name="loss at the minimum", value=cross_entropy(ways[0]), expected=likelihood(ways[1]), tolerance=1e-9
    )
    return judged(
        bool(gap.agrees), bool(apart.agrees), bool(least.agrees),
        summary=f"At 50 random weights the losses differ by {gap.value:.0e} at most, and their minimizers by "
        f"{apart.value:.0e}.",
        numbers=(gap, apart, least),
        figure=chart("The two losses at 50 random weights: one line.",
                     series("weights", *zip(*values, strict=True), mark=Mark.DOTS), x="cross-entropy",
                     y="mean negative log-likelihood"),
    )  # fmt: skip
