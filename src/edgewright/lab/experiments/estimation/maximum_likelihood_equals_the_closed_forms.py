"""Does maximizing the likelihood by machine give the estimates of the textbook?

Claim: the maximum of the sum of log p over a parameter is the mean for a Bernoulli, mean and variance (1/m) for a
    Gaussian, the median and the mean distance from it for a Laplace, and the shares for a categorical distribution.
Source: Goodfellow et al., Deep Learning (2016), section 5.5; Bishop (2006), section 2.3.4.
Expected: the two agree to the precision of the optimizer, 1e-4.
See: cross_entropy_is_negative_log_likelihood, least_squares_is_maximum_likelihood_for_fixed_sigma
"""

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from ....seeding import numpy_generator
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged

M = 501


def bernoulli(x: np.ndarray):
    return lambda w: np.logaddexp(0, w[0]) - w[0] * x.mean(), lambda w: 1 / (1 + np.exp(-w)), [x.mean()], 1


def gaussian(x: np.ndarray):
    def loss(w: np.ndarray) -> float:
        return float(w[1] + ((x - w[0]) ** 2).mean() / 2 / np.exp(2 * w[1]))

    return loss, lambda w: np.array([w[0], np.exp(2 * w[1])]), [x.mean(), x.var()], 2


def laplace(x: np.ndarray):
    centre = np.median(x)
    return (lambda w: w[1] + abs(x - w[0]).mean() / np.exp(w[1]), lambda w: np.array([w[0], np.exp(w[1])]),
            [centre, abs(x - centre).mean()], 2)  # fmt: skip


def categorical(x: np.ndarray):
    shares = np.bincount(x, minlength=3) / len(x)
    return lambda w: -(shares * log_softmax(w)).sum(), softmax, list(shares), 3


MODELS = {"Bernoulli": (bernoulli, ("theta",)), "Gaussian": (gaussian, ("mu", "variance")),
          "Laplace": (laplace, ("mu", "b")), "categorical": (categorical, ("p0", "p1", "p2"))}  # fmt: skip


def run(seed: int, fast: bool) -> Finding:
    generator = numpy_generator(seed, "likelihood")
    draws = {
        "Bernoulli": (generator.random(M) < 0.3).astype(float), "Gaussian": generator.normal(2, 1.5, M),
        "Laplace": generator.laplace(-1, 0.7, M), "categorical": generator.choice(3, M, p=[0.2, 0.5, 0.3]),
    }  # fmt: skip
    numbers = []
    for name, (model, parameters) in MODELS.items():
        loss, of, closed, size = model(draws[name])
        options = {"xatol": 1e-9, "fatol": 1e-13, "maxiter": 20_000}
        found = of(minimize(loss, np.zeros(size), method="Nelder-Mead", options=options).x)
        numbers += [Number(name=f"{name} {each}", value=float(value), expected=float(expected), tolerance=1e-4)
                    for each, value, expected in zip(parameters, found, closed, strict=True)]  # fmt: skip
    x = draws["Laplace"]
    grid = np.linspace(-2, 0, 81)
    curve = series("Laplace, its median is dashed", grid, [-abs(x - at).sum() for at in grid])
    middle = [float(np.median(x))] * 2
    median = series("median", middle, [curve.points[0][1], -abs(x - middle[0]).sum()], mark=Mark.DASHES)
    worst = max(abs(each.value - each.expected) for each in numbers if each.expected is not None)
    return judged(
        all(each.agrees for each in numbers),
        summary=f"All {len(numbers)} parameters of four distributions agree with their closed forms to {worst:.0e}.",
        numbers=numbers,
        figure=chart("Log-likelihood of the centre of a Laplace distribution, up to a constant.", curve, median,
                     x="centre", y="log-likelihood"),
    )  # fmt: skip
