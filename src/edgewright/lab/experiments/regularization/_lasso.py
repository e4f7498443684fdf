"""Lasso and elastic net by cyclic coordinate descent: each weight in turn takes its soft-thresholded least squares.

Source: Friedman et al. 2010, Journal of Statistical Software 33.
"""

import numpy as np


def lasso(x: np.ndarray, y: np.ndarray, l1: float, l2: float = 0.0, *, max_sweeps: int = 2_000) -> np.ndarray:
    """The w that minimizes .5 |y - x w|^2 + l1 |w|_1 + .5 l2 |w|^2, to 1e-12 per sweep."""
    w, residual = np.zeros(x.shape[1]), y.astype(float).copy()
    squares = (x**2).sum(0)
    for _ in range(max_sweeps):
        moved = 0.0
        for at in range(len(w)):
            pull = x[:, at] @ residual + squares[at] * w[at]
            new = np.sign(pull) * max(abs(pull) - l1, 0.0) / (squares[at] + l2)
            if new != w[at]:
                residual -= x[:, at] * (new - w[at])
                moved = max(moved, abs(new - w[at]))
                w[at] = new
        if moved < 1e-12:
            break
    return w
