"""Why do inverted residual blocks leave out the activation where they are narrow?

Claim: a ReLU in few dimensions destroys information that in many dimensions survives.
Source: Sandler et al. 2018, CVPR (MobileNetV2), section 3.2 and figure 1.
Expected: a 2-D spiral that is mapped to n dimensions, through a ReLU and back by least squares, comes back with an
    error that falls with n: large at n = 2 and 3, small at 15 and 30.
See: residual_paths_carry_gradients
"""

from itertools import pairwise

import numpy as np

from ....seeding import numpy_generator
from ...figures import Mark, chart, panels, series
from ...finding import Finding, judged
from ...statistics import mean_of

DIMENSIONS = (2, 3, 5, 10, 15, 30)


def run(seed: int, fast: bool) -> Finding:
    angle = np.linspace(0, 4 * np.pi, 200)
    spiral = np.stack([angle * np.cos(angle), angle * np.sin(angle)], 1) / 12
    errors, shown = [], dict[int, np.ndarray]()
    for size in DIMENSIONS:
        losses = []
        for draw in range(50 if fast else 1_000):
            matrix = numpy_generator(seed, "map", size, draw).standard_normal((2, size))
            kept = np.maximum(spiral @ matrix, 0)
            back = kept @ np.linalg.lstsq(kept, spiral, rcond=None)[0]
            losses.append(float(((back - spiral) ** 2).mean() / spiral.var()))
            shown.setdefault(size, back)
        errors.append(mean_of(losses, f"share of the variance lost, n={size}"))
    values = [each.value for each in errors]
    pictures = {
        f"n = {size}": chart("", series("spiral", *spiral.T, mark=Mark.DASHES, colour=5),
                             series("after ReLU and back", *shown[size].T, colour=1), x="x", y="y", equal=True)
        for size in (2, 30)
    }  # fmt: skip
    return judged(
        all(one.exceeds(other) for one, other in pairwise(errors[:4])), values[0] > 0.2,
        values[-1] < 0.02,
        summary=f"Lost variance: {values[0]:.0%} in 2 dimensions, {values[2]:.0%} in 5, {values[-1]:.1%} in 30.",
        numbers=errors, figure=panels("A spiral through random matrices and a ReLU.", **pictures),
    )  # fmt: skip
