"""Does looking ahead make momentum faster?

Claim: Nesterov's accelerated gradient converges faster than classical momentum.
Source: Nesterov 1983; Sutskever et al. 2013, ICML; Lessard et al. 2016, SIAM J. Optim. 26 for the counter-example.
Expected: on quadratics tuned heavy ball is the faster one; on Lessard's convex function with those settings it never
    settles, while Nesterov's method does. His gain is proved for convex functions and full gradients.
See: momentum_needs_the_square_root_of_the_condition
"""

import math

import numpy as np

from ....reference.optimizers import How, momentum, nesterov, walk
from ...figures import chart, series
from ...finding import Finding, Number, judged

K = 25.0
CONVEX = "Lessard's"
ROOT = math.sqrt(K)
HEAVY = How(lr=4 / (1 + ROOT) ** 2, m=((ROOT - 1) / (ROOT + 1)) ** 2)
AHEAD = How(lr=1 / K, m=(ROOT - 1) / (ROOT + 1))


def quadratic(w: np.ndarray) -> np.ndarray:
    return np.array([1.0, K]) * w


def piecewise(w: np.ndarray) -> np.ndarray:
    """A gradient of slope 25, 1 and 25: strongly convex, with a corner at 1 and 2."""
    return np.where(w < 1, 25 * w, np.where(w < 2, w + 24, 25 * w - 24))


def run(seed: int, fast: bool) -> Finding:
    ends, curves = {}, []
    for loss, slope, start in (("quadratic", quadratic, np.ones(2)), (CONVEX, piecewise, np.array([3.3]))):
        for name, rule, how in (("heavy ball", momentum, HEAVY), ("Nesterov", nesterov, AHEAD)):
            path = [float(np.linalg.norm(w)) for w in walk(rule, how, slope=slope, start=start, num_steps=120)]
            ends[loss, name] = path
            curves.append(series(f"{name}, {loss}", range(1, 121), [max(value, 1e-16) for value in path]))
    quickly = {key: next((at for at, value in enumerate(path) if value < 1e-6), 1_000) for key, path in ends.items()}
    numbers = [Number(name=f"steps to 1e-6, {name}, {loss} (1000: never)", value=float(count))
               for (loss, name), count in quickly.items()]  # fmt: skip
    ahead_everywhere = all(
        quickly[loss, "Nesterov"] < quickly[loss, "heavy ball"] for loss in ("quadratic", "Lessard's")
    )
    return judged(
        ahead_everywhere,
        summary=f"On the quadratic heavy ball needs {quickly['quadratic', 'heavy ball']} steps and Nesterov "
        f"{quickly['quadratic', 'Nesterov']}; on Lessard's convex function heavy ball never settles, Nesterov needs "
        f"{quickly[CONVEX, 'Nesterov']}.",
        numbers=numbers,
        figure=chart("Distance from the minimum.", *curves, x="step", y="|w|", log_y=True),
    )  # fmt: skip
