"""Are least squares and maximum likelihood under Gaussian noise the same fit?

Claim: for Gaussian outputs, maximum likelihood is least squares.
Source: Goodfellow et al., Deep Learning (2016), section 5.5.1; Nix & Weigend 1994 for a learned sigma.
Expected: identical coefficients when sigma is one constant, fixed or learned; different ones when sigma depends on x.
See: maximum_likelihood_equals_the_closed_forms
"""

import numpy as np
from scipy.optimize import minimize

from ....seeding import numpy_generator
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged


def run(seed: int, fast: bool) -> Finding:
    generator = numpy_generator(seed, "noise")
    x = generator.uniform(0, 3, 400)
    y = 1 + 2 * x + (0.1 + 0.8 * x) * generator.standard_normal(400)
    design = np.column_stack([np.ones(400), x])
    squares = np.linalg.lstsq(design, y, rcond=None)[0]

    def loss(w: np.ndarray, log_sigma: np.ndarray) -> float:
        return float((log_sigma + (y - design @ w) ** 2 / 2 / np.exp(2 * log_sigma)).mean())

    forms = {
        "sigma = 2, fixed": (2, lambda w: loss(w[:2], np.full(400, np.log(2.0)))),
        "one sigma, learned": (3, lambda w: loss(w[:2], np.full(400, w[2]))),
        "sigma of x, learned": (4, lambda w: loss(w[:2], w[2] + w[3] * x)),
    }
    fits = {name: minimize(form, np.zeros(size), method="BFGS").x for name, (size, form) in forms.items()}
    numbers = [
        Number(name=f"slope, {name}", value=float(fit[1]), tolerance=1e-4,
               expected=None if name == "sigma of x, learned" else float(squares[1]))
        for name, fit in fits.items()
    ]  # fmt: skip
    apart = abs(numbers[2].value - squares[1])
    grid = np.array([0.0, 3.0])
    lines = [series(name, grid, fit[0] + fit[1] * grid) for name, fit in fits.items() if name != "sigma = 2, fixed"]
    return judged(
        bool(numbers[0].agrees), bool(numbers[1].agrees), apart > 1e-3,
        when="sigma does not depend on the input",
        summary=f"With one sigma the slope is that of least squares, {squares[1]:.4f}; when sigma is learned as a "
        f"function of x it is {numbers[2].value:.4f} (truth 2).",
        numbers=numbers,
        figure=chart("Noise that grows with x: least squares (one sigma) and likelihood with a sigma of x.",
                     series("data", x, y, mark=Mark.DOTS, colour=5), *lines, x="x", y="y"),
    )  # fmt: skip
