"""How little does it take to solve XOR?

Claim: one hidden layer of two ReLUs solves XOR exactly; training finds such a solution, if not from every start.
Source: Goodfellow et al., Deep Learning (2016), section 6.1.
Expected: W = ones, c = (0, -1), w = (1, -2), b = 0 gives 0, 1, 1, 0. The hidden layer need not be wider than the input,
    but a wider one fails less often.
See: a_linear_model_cannot_solve_xor
"""

import numpy as np

from ....seeding import numpy_generator
from ...figures import bars
from ...finding import Finding, Number, judged
from ...statistics import share_of
from .a_linear_model_cannot_solve_xor import X, Y

WIDTHS, LR = (2, 4, 8), 0.05


def run(seed: int, fast: bool) -> Finding:
    hidden = np.maximum(X[:, :2] @ np.ones((2, 2)) + [0, -1], 0)
    by_hand = hidden @ [1, -2]
    exact = Number(name="largest error of the network by hand", value=float(abs(by_hand - Y).max()), expected=0.0)
    starts = 100 if fast else 2_000
    shares = [share_of(_train(width, starts, numpy_generator(seed, "start", width)) < 1e-3,
                       f"share of starts that solve it, {width} hidden units") for width in WIDTHS]  # fmt: skip
    return judged(
        bool(exact.agrees), shares[0].value > 0.05, shares[2].exceeds(shares[0]),
        summary=f"The two-unit network by hand is exact; gradient descent finds one from {shares[0].value:.0%} of "
        f"starts, with eight units from {shares[2].value:.0%}.",
        numbers=(exact, *shares),
        figure=bars("Starts from which training solves XOR.", [f"{width} units" for width in WIDTHS], value="share",
                    only=shares),
    )  # fmt: skip


def _train(width: int, starts: int, generator: np.random.Generator) -> np.ndarray:
    """Squared error after 1,500 steps of gradient descent, for each start: all are trained side by side."""
    w, v = generator.standard_normal((starts, 3, width)), generator.standard_normal((starts, width + 1))
    for _ in range(1_500):
        z, h, error = _forward(w, v)
        down = error[:, :, None] * v[:, None, :-1] * (z > 0)
        v = v - LR * (error[:, :, None] * h).sum(1)
        w = w - LR * np.einsum("np,snh->sph", X, down)
    return (_forward(w, v)[2] ** 2).mean(1)


def _forward(w: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """In front of the ReLUs, behind them (and a one for the bias), and the errors."""
    z = X @ w
    h = np.concatenate([np.maximum(z, 0), np.ones((*z.shape[:2], 1))], axis=2)
    return z, h, (h * v[:, None]).sum(2) - Y
