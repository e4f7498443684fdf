"""Does gradient descent get stuck at a saddle, and what gets it out?

Claim: gradient descent that starts on the ridge of a saddle stays there for ever; a little noise lets it leave in a
    number of steps that grows only with the logarithm of 1/noise.
Source: Ge et al. 2015, COLT; Jin et al. 2017, ICML.
Expected: without noise the second coordinate stays 0 exactly; with noise of size s the steps to leave are linear in
    log(1/s), with slope 1/log(1 + lr c) for curvature -c.
See: hessian_eigenvalues_tell_minima_from_saddles, saddles_outnumber_minima_in_high_dimension
"""

import math

import numpy as np

from ....seeding import numpy_generator
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged
from ...statistics import mean_of, slope_of

LR, NOISES = 0.1, (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


def run(seed: int, fast: bool) -> Finding:
    num_walks = 200 if fast else 5_000
    stuck = _walk(np.zeros(1), 0.0, 1_000, numpy_generator(seed, "none"))[0]
    leaves = []
    for noise in NOISES:
        steps = _walk(np.zeros(num_walks), noise, 1_000, numpy_generator(seed, "noise", str(noise)))[1]
        leaves.append(mean_of(steps.astype(float), f"steps to leave, noise {noise:g}"))
    means = [each.value for each in leaves]
    slope = slope_of([math.log(1 / noise) for noise in NOISES], means, "steps per factor e of noise",
                     expected=1 / math.log(1 + LR), tolerance=0.5)  # fmt: skip
    still = Number(name="|y| after 1,000 steps without noise", value=float(abs(stuck).max()), expected=0.0)
    return judged(
        bool(still.agrees), bool(slope.agrees),
        summary=f"Without noise it stays; with noise of 0.1 after {means[0]:.0f} steps and with 100,000 times less "
        f"after {means[-1]:.0f}.",
        numbers=(still, *leaves, slope),
        figure=chart("Steps until |y| > 1 on f = (x² - y²)/2, from y = 0.",
                     series("steps", NOISES, means, [each.error or 0 for each in leaves], mark=Mark.BOTH), x="noise",
                     y="steps", log_x=True),
    )  # fmt: skip


def _walk(y: np.ndarray, noise: float, num_steps: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The unstable coordinate of f = (x^2 - y^2)/2 after all steps, and when it first left [-1, 1]."""
    left = np.full(y.shape, num_steps)
    for step in range(1, num_steps + 1):
        y = y + LR * y + LR * noise * generator.standard_normal(y.shape)
        left = np.where((abs(y) > 1) & (left == num_steps), step, left)
        if (left < num_steps).all():
            break
    return y, left
