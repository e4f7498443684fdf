"""Does Bayes' rule, carried out by brute force, give the posteriors of the formulas?

Claim: a Beta(a, b) prior and k successes of n give Beta(a + k, b + n - k); a Gaussian prior on a mean and Gaussian
    draws of known sigma give a Gaussian whose precision is the sum of precisions.
Source: Bishop, Pattern Recognition and Machine Learning (2006), sections 2.1.1 and 2.3.6.
Expected: mean and variance agree with integration on a grid to 1e-6.
See: map_estimates_tend_to_maximum_likelihood
"""

import numpy as np
from scipy.stats import beta, norm

from ....seeding import numpy_generator
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged


def moments(grid: np.ndarray, log_density: np.ndarray) -> tuple[float, float, np.ndarray]:
    """Mean and variance of a density that is known up to a factor, and the density."""
    density = np.exp(log_density - log_density.max())
    density /= np.trapezoid(density, grid)
    mean = np.trapezoid(grid * density, grid)
    return float(mean), float(np.trapezoid((grid - mean) ** 2 * density, grid)), density


def run(seed: int, fast: bool) -> Finding:
    generator = numpy_generator(seed, "posterior")
    n, a, b = 12, 2, 3
    k = int(generator.binomial(n, 0.7))
    theta = np.linspace(1e-6, 1 - 1e-6, 20_001)
    found = moments(theta, beta.logpdf(theta, a, b) + k * np.log(theta) + (n - k) * np.log1p(-theta))
    exact = beta(a + k, b + n - k)
    sigma, mu0, tau = 2.0, 0.0, 1.0
    x = generator.normal(1.5, sigma, 8)
    grid = np.linspace(-8, 8, 20_001)
    by_grid = moments(grid, norm.logpdf(grid, mu0, tau) + norm.logpdf(x[:, None], grid, sigma).sum(0))
    precision = 1 / tau**2 + len(x) / sigma**2
    mean = (mu0 / tau**2 + x.sum() / sigma**2) / precision
    pairs = {"Beta mean": (found[0], exact.mean()), "Beta variance": (found[1], exact.var()),
             "Gaussian mean": (by_grid[0], mean), "Gaussian variance": (by_grid[1], 1 / precision)}  # fmt: skip
    numbers = [Number(name=name, value=value, expected=float(expected), tolerance=1e-6)
               for name, (value, expected) in pairs.items()]  # fmt: skip
    thin = slice(None, None, 200)
    curves = (series("prior", theta[thin], beta.pdf(theta[thin], a, b)),
              series("posterior by grid", theta[thin], found[2][thin]),
              series("posterior by formula", theta[thin], exact.pdf(theta[thin]), mark=Mark.DASHES))  # fmt: skip
    return judged(
        all(each.agrees for each in numbers),
        summary=f"{k} successes of {n} move Beta({a}, {b}) to Beta({a + k}, {b + n - k}), mean {found[0]:.4f}: formula "
        "and grid agree.",
        numbers=numbers, figure=chart("A coin: prior and posterior.", *curves, x="theta", y="density"),
    )  # fmt: skip
