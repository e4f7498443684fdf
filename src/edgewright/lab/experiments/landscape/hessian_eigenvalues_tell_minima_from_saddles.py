"""How does one know what kind of point the gradient vanishes at?

Claim: the signs of the Hessian's eigenvalues tell: all positive a minimum, all negative a maximum, mixed a saddle.
Source: Goodfellow et al., Deep Learning (2016), section 4.3.1.
Expected: x^2 + y^2, -x^2 - y^2, x^2 - y^2 and the double well (x^2 - 1)^2 + y^2: minima at x = -1 and 1, a
    saddle at 0; where an eigenvalue is 0 (x^4 + y^2) the Hessian does not decide.
See: saddles_outnumber_minima_in_high_dimension, gradient_noise_leaves_saddles
"""

from collections.abc import Callable

import numpy as np

from ....seeding import numpy_generator
from ...figures import Mark, field, panels, series
from ...finding import Finding, Number, judged

POINTS: tuple[tuple[str, Callable[[np.ndarray], np.ndarray], tuple[float, float], str], ...] = (
    ("bowl", lambda p: p[0] ** 2 + p[1] ** 2, (0, 0), "minimum"),
    ("dome", lambda p: -(p[0] ** 2) - p[1] ** 2, (0, 0), "maximum"),
    ("saddle", lambda p: p[0] ** 2 - p[1] ** 2, (0, 0), "saddle"),
    ("double well, left", lambda p: (p[0] ** 2 - 1) ** 2 + p[1] ** 2, (-1, 0), "minimum"),
    ("double well, middle", lambda p: (p[0] ** 2 - 1) ** 2 + p[1] ** 2, (0, 0), "saddle"),
    ("flat bowl", lambda p: p[0] ** 4 + p[1] ** 2, (0, 0), "undecided"),
)


def kind(eigenvalues: np.ndarray, tolerance: float = 1e-4) -> str:
    if (abs(eigenvalues) < tolerance).any():
        return "undecided"
    return {2: "minimum", 0: "maximum"}.get(int((eigenvalues > 0).sum()), "saddle")


def run(seed: int, fast: bool) -> Finding:
    generator, numbers, right = numpy_generator(seed, "neighbours"), [], True
    around = generator.standard_normal((2, 2_000 if fast else 100_000))
    around *= 0.05 / np.linalg.norm(around, axis=0)
    for name, surface, point, expected in POINTS:
        eigenvalues = np.linalg.eigvalsh(_hessian(surface, np.array(point, float)))
        near = surface(np.array(point, float)[:, None] + around) - surface(np.array(point, float)[:, None])
        lower = float((near < 0).mean())
        right &= kind(eigenvalues) == expected
        right &= {"minimum": lower == 0, "maximum": lower == 1, "saddle": 0 < lower < 1}.get(expected, True)
        numbers += [Number(name=f"least eigenvalue, {name}", value=float(eigenvalues[0])),
                    Number(name=f"share of neighbours that are lower, {name}", value=lower)]  # fmt: skip
    x, y = np.meshgrid(np.linspace(-1.6, 1.6, 33), np.linspace(1, -1, 21))
    well = np.log1p(4 * POINTS[3][1](np.array([x, y])))
    marks = [series("minima", [-1, 1], [0, 0], mark=Mark.DOTS, colour=0),
             series("saddle", [0], [0], mark=Mark.DOTS, colour=1)]  # fmt: skip
    return judged(
        right, when="no eigenvalue is 0",
        summary="The eigenvalues name all five points rightly, as a look at their neighbours confirms; of the flat "
        "bowl, whose Hessian has a 0, they say nothing.",
        numbers=numbers,
        figure=panels("Height of the double well (dark is high).",
                      double_well=field("x", "y", well, extent=(-1.6, 1.6, -1, 1), curves=marks)),
    )  # fmt: skip


def _hessian(surface: Callable[[np.ndarray], np.ndarray], p: np.ndarray, h: float = 1e-4) -> np.ndarray:
    """Central differences."""
    e = np.eye(2) * h
    return np.array([[(surface(p + a + b) - surface(p + a - b) - surface(p - a + b) + surface(p - a - b)) / (4 * h * h)
                      for b in e] for a in e])  # fmt: skip
