"""What happens to the error on new data when a model can bend more and more?

Claim: with growing capacity the training error falls, the validation error falls and then rises; bias^2 falls and
    variance rises, and their sum with the noise is the expected error.
Source: Goodfellow et al., Deep Learning (2016), figures 5.3 and 5.6; Geman et al. 1992, Neural Computation 4.
Expected: a minimum between degree 1 and the largest degree; bias^2 + variance + noise = error, within sampling error.
See: the_validation_minimum_chooses_capacity, squared_error_is_bias_squared_plus_variance
"""

import numpy as np

from ....seeding import numpy_generator
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged
from ...statistics import mean_of

DEGREES, POINTS, NOISE = tuple(range(13)), 20, 0.3
GRID = np.linspace(-1, 1, 101)


def truth(x: np.ndarray) -> np.ndarray:
    return np.sin(np.pi * x) + 0.5 * x


def run(seed: int, fast: bool) -> Finding:
    generator = numpy_generator(seed, "capacity")
    num_sets = 300 if fast else 5_000
    train, fits = np.zeros((num_sets, 13)), np.zeros((num_sets, 13, len(GRID)))
    for index in range(num_sets):
        x = generator.uniform(-1, 1, POINTS)
        y = truth(x) + NOISE * generator.standard_normal(POINTS)
        for degree in DEGREES:
            fit = np.polynomial.Chebyshev.fit(x, y, degree, domain=[-1, 1])
            train[index, degree], fits[index, degree] = ((fit(x) - y) ** 2).mean(), fit(GRID)
    fresh = truth(GRID) + NOISE * generator.standard_normal((num_sets, 1, len(GRID)))
    error = ((fits - fresh) ** 2).mean(2)
    bias, variance = ((fits.mean(0) - truth(GRID)) ** 2).mean(1), fits.var(0).mean(1)
    middle = np.median(error, 0)  # at high degrees few sets have errors in the thousands
    best = int(np.argmin(middle))
    small = mean_of(error[:, 3] - NOISE**2, "error above noise, degree 3", expected=float(bias[3] + variance[3]))
    numbers = (
        Number(name="degree of the least validation error", value=best), small,
        Number(name="train error, degree 0", value=float(train[:, 0].mean())),
        Number(name="train error, degree 12", value=float(train[:, 12].mean())),
        Number(name="median validation error, best degree", value=float(middle[best])),
        Number(name="median validation error, degree 12", value=float(middle[12])),
    )  # fmt: skip
    shown = {"train": train.mean(0), "validation (median)": middle, "bias²": bias, "variance": np.median(
        ((fits - fits.mean(0)) ** 2).mean(2), 0)}  # fmt: skip
    return judged(
        bool((np.diff(train.mean(0)) < 0).all()), 0 < best < 12, middle[12] > 2 * middle[best], bool(small.agrees),
        bias[best] < bias[0], variance[12] > variance[best],
        summary=f"Training error falls at every step; validation is least at degree {best} ({middle[best]:.3f}, of "
        f"which {NOISE**2:.2f} is noise) and is {middle[12]:.2f} at degree 12.",
        numbers=numbers,
        figure=chart("Polynomials fitted to 20 noisy points, many times.",
                     *(series(name, DEGREES, values, mark=Mark.BOTH) for name, values in shown.items()),
                     x="degree", y="squared error", log_y=True),
    )  # fmt: skip
