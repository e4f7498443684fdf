"""How large may a step of gradient descent be?

Claim: on a quadratic with largest curvature L, steps below 2/L converge and steps above diverge; a small step lowers
    the loss by lr |gradient|^2.
Source: Goodfellow et al., Deep Learning (2016), section 4.3; Polyak 1964.
Expected: the border lies at 2/L exactly; the best step 2/(mu + L) contracts by (k - 1)/(k + 1) a step, .980198 at a
    condition number k of 100.
See: gradient_noise_leaves_saddles
"""

import numpy as np

from ....reference.optimizers import How, sgd, walk
from ...figures import chart, series
from ...finding import Finding, Number, judged

CURVATURES = np.array([1.0, 10.0, 100.0])
START = np.ones(3)


def run(seed: int, fast: bool) -> Finding:
    num_steps = 1_000 if fast else 5_000
    factors = (0.5, 0.9, 0.99, 0.999, 1.001, 1.01, 1.1)
    ends = {factor: _norm(factor * 2 / CURVATURES.max(), num_steps) for factor in factors}
    best = 2 / (CURVATURES.min() + CURVATURES.max())
    rate = (_norm(best, 200) / _norm(best, 100)) ** 0.01
    lr = 1e-5
    gradient = CURVATURES * START
    drop = _loss(START) - _loss(START - lr * gradient)
    numbers = (
        *(Number(name=f"distance after {num_steps} steps of {each} x 2/L", value=end) for each, end in ends.items()),
        Number(name="contraction of the best step", value=rate, expected=99 / 101, tolerance=1e-6),
        Number(name="drop of the loss over lr |g|^2", value=float(drop / (lr * gradient @ gradient)), expected=1.0,
               tolerance=1e-3),
    )  # fmt: skip
    right = all((end < np.sqrt(3)) == (factor < 1) for factor, end in ends.items())
    curves = [series(f"{factor} x 2/L", range(60), [_norm(factor * 2 / 100, step) for step in range(60)])
              for factor in (0.5, 0.99, 1.01)]  # fmt: skip
    return judged(
        right, all(each.agrees is not False for each in numbers),
        summary=f"0.999 x 2/L ends at {ends[0.999]:.2g}, 1.001 x 2/L at {ends[1.001]:.2g}; the best step contracts by "
        f"{rate:.6f}.",
        numbers=numbers,
        figure=chart("Distance from the minimum.", *curves, x="step", y="|w|", log_y=True),
    )  # fmt: skip


def _norm(lr: float, num_steps: int) -> float:
    path = walk(sgd, How(lr=lr), slope=lambda w: CURVATURES * w, start=START, num_steps=num_steps)
    return float(np.linalg.norm(path[-1] if path else START))


def _loss(w: np.ndarray) -> float:
    return float(CURVATURES @ w**2 / 2)
