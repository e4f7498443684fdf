"""How does a gradient method get out of local minima?

Claim: gradient descent stays in the first basin that it meets; momentum, noise that fades, and restarts from other
    points each raise the chance to find the global minimum.
Source: Rastrigin 1974 (the function); Goodfellow et al., Deep Learning (2016), section 8.2.2; Kirkpatrick et al. 1983,
    Science 220 (noise that fades).
Expected: on Rastrigin's function in two dimensions and at an equal number of gradients, success of one descent about
    the share of the square that belongs to the middle basin; restarts k of them 1 - (1 - p)^k.
See: gradient_noise_leaves_saddles, small_batches_leave_sharp_basins
"""

import math

import numpy as np

from ....seeding import numpy_generator
from ...figures import bars
from ...finding import Finding, judged
from ...statistics import share_of

REACH, NUM_STEPS, LR, NUM_RESTARTS = 3.0, 1_000, 0.01, 20


def slope(w: np.ndarray) -> np.ndarray:
    """Of sum of w^2 + 2 (1 - cos 2 pi w): a minimum near each whole number, the lowest at 0."""
    return 2 * w + 4 * math.pi * np.sin(2 * math.pi * w)


def run(seed: int, fast: bool) -> Finding:
    num_walks = 1_000 if fast else 20_000
    start = numpy_generator(seed, "start").uniform(-REACH, REACH, (num_walks, 2))
    noise = numpy_generator(seed, "noise")
    middle = 1 / (2 * REACH) ** 2  # of the square belongs to the basin around 0
    plain = share_of(_found(_descend(start, NUM_STEPS)), "plain descent", expected=middle)
    ways = {
        "momentum 0.9": _found(_descend(start, NUM_STEPS, m=0.9)),
        "noise that fades": _found(_descend(start, NUM_STEPS, noise=noise)),
        f"{NUM_RESTARTS} restarts": np.any([_found(_descend(
            numpy_generator(seed, "restart", at).uniform(-REACH, REACH, start.shape), NUM_STEPS // NUM_RESTARTS))
            for at in range(NUM_RESTARTS)], axis=0),
    }  # fmt: skip
    shares = [share_of(found, name, expected=1 - (1 - middle) ** NUM_RESTARTS if "restarts" in name else None)
              for name, found in ways.items()]  # fmt: skip
    return judged(
        all(share.exceeds(plain) for share in shares), bool(plain.agrees), bool(shares[-1].agrees),
        summary=f"With {NUM_STEPS} gradients each, plain descent finds the global minimum in {plain.value:.0%} of "
        f"trials, "
        + ", ".join(f"{share.name} in {share.value:.0%}" for share in shares) + ".",
        numbers=(plain, *shares),
        figure=bars("Trials that end in the global minimum of Rastrigin's function.",
                    [each.name for each in (plain, *shares)], value="share", only=(plain, *shares)),
    )  # fmt: skip


def _descend(w: np.ndarray, num_steps: int, *, m: float = 0.0, noise: np.random.Generator | None = None) -> np.ndarray:
    """Descent with momentum, or with noise whose size falls to 0 in a straight line."""
    v = np.zeros_like(w)
    for step in range(num_steps):
        v = m * v + slope(w)
        w = w - LR * v
        if noise is not None:
            w = w + 0.2 * (1 - step / num_steps) * noise.standard_normal(w.shape)
    return w


def _found(w: np.ndarray) -> np.ndarray:
    return np.asarray((abs(w) < 0.5).all(1))
