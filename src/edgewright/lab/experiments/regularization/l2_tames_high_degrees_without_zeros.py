"""What does an L2 penalty do to a polynomial of far too high a degree?

Claim: L2 shrinks all coefficients evenly, so that the fit becomes smooth.
Source: Bishop, Pattern Recognition and Machine Learning (2006), section 1.1; Goodfellow et al. (2016), section 7.1.1.
Expected: validation error falls far and no coefficient becomes exactly 0; but the shrinkage is not even: along an
    eigenvector of X'X with value s the factor is s / (s + lambda), so that weak directions shrink most.
See: ridge_is_a_gaussian_prior, lasso_thresholds_where_ridge_shrinks
"""

import numpy as np

from ....seeding import numpy_generator
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged

DEGREE, STRENGTHS = 14, (0.0, 1e-6, 1e-4, 1e-2, 1.0, 100.0)


def run(seed: int, fast: bool) -> Finding:
    num_sets = 100 if fast else 2_000
    errors = np.zeros((num_sets, len(STRENGTHS)))
    for index in range(num_sets):
        generator = numpy_generator(seed, "polynomial", index)
        design, y = _draw(generator, 20)
        fresh, truth = _draw(generator, 200)
        fits = [_ridge(design, y, strength) for strength in STRENGTHS]
        errors[index] = [((fresh @ fit - truth) ** 2).mean() for fit in fits]
    median = np.median(errors, 0)
    values, vectors = np.linalg.eigh(design.T @ design)
    factor = (vectors.T @ fits[3]) / (vectors.T @ fits[0])
    strong, weak = factor[-1], factor[1]
    numbers = (
        Number(name="median validation error without penalty", value=float(median[0])),
        Number(name="least median validation error", value=float(median.min())),
        Number(name="exact zeros", value=float(sum((fit == 0).sum() for fit in fits[1:])), expected=0.0),
        Number(name="factor on the strongest direction", value=float(strong), tolerance=1e-3,
               expected=float(values[-1] / (values[-1] + STRENGTHS[3]))),
        Number(name="factor on a weak direction", value=float(weak), tolerance=1e-2,
               expected=float(values[1] / (values[1] + STRENGTHS[3]))),
    )  # fmt: skip
    even = abs(strong - weak) < 0.05
    curves = (series("validation error", STRENGTHS[1:], median[1:], mark=Mark.BOTH),
              series("largest coefficient", STRENGTHS[1:], [abs(fit).max() for fit in fits[1:]], mark=Mark.BOTH),
              series("validation error without penalty", STRENGTHS[1:], [median[0]] * 5, mark=Mark.DASHES))  # fmt: skip
    return judged(
        median.min() < median[0] / 2, all(each.agrees is not False for each in numbers), even,
        summary=f"The fit becomes smooth (validation error {median[0]:.2f} -> {median.min():.2f}) and nothing becomes "
        f"exactly 0, but not evenly: the strongest direction keeps {strong:.1%}, a weak one {weak:.1%}.",
        numbers=numbers,
        figure=chart("Degree 14 through 20 noisy points.", *curves, x="lambda", y="", log_x=True, log_y=True),
    )  # fmt: skip


def _draw(generator: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    x = generator.uniform(-1, 1, count)
    return np.polynomial.legendre.legvander(x, DEGREE), np.sin(np.pi * x) + 0.3 * generator.standard_normal(count)


def _ridge(design: np.ndarray, y: np.ndarray, strength: float) -> np.ndarray:
    return np.linalg.solve(design.T @ design + strength * np.eye(DEGREE + 1), design.T @ y)
