"""What happens to gradients when the first weights are a little too large, and what stops it?

Claim: gradients explode when weights are larger than 1.
Source: often said; Pascanu et al. 2013, ICML, for singular values and clipping.
Expected: it is the Jacobian's singular values that count: ReLU layers of variance 4/n, whose single weights are around
    0.18, grow by sqrt 2 a layer, and an orthogonal rotation with one weight of 1 per row keeps every norm. Clipping
    (3, 4, 12) to norm 1 divides it by 13.
See: he_initialization_keeps_the_mean_square
"""

import math

import numpy as np

from ....seeding import numpy_generator
from ...figures import chart, series
from ...finding import Finding, Number, judged
from ._stack import walk

DEPTH, WIDTH = 60, 128


def run(seed: int, fast: bool) -> Finding:
    grown = walk(numpy_generator(seed, "large"), depth=DEPTH, activation="relu", gain=4.0, width=WIDTH)
    kept = walk(numpy_generator(seed, "he"), depth=DEPTH, activation="relu", gain=2.0, width=WIDTH)
    factor = (grown.gradients[0] / grown.gradients[-1]) ** (1 / (DEPTH - 1))
    largest = float(abs(numpy_generator(seed, "large").standard_normal((WIDTH, WIDTH)) * math.sqrt(4 / WIDTH)).mean())
    gradient = np.array([3.0, 4.0, 12.0])
    clipped = gradient * min(1.0, 1.0 / np.linalg.norm(gradient))
    generator = numpy_generator(seed, "rotations")
    vector = generator.standard_normal(WIDTH)
    size = np.linalg.norm(vector)
    for _ in range(DEPTH):  # permutations: every layer has weights of exactly 1
        vector = np.eye(WIDTH)[generator.permutation(WIDTH)] @ vector
    numbers = (
        Number(name="growth per layer, variance 4/n", value=factor, expected=math.sqrt(2), tolerance=0.1),
        Number(name="mean |weight|, variance 4/n", value=largest),
        Number(name="gradient at the first layer, variance 4/n", value=grown.gradients[0]),
        Number(name="gradient at the first layer, variance 2/n", value=kept.gradients[0]),
        Number(name="norm through 60 layers with weights of 1, over the first", expected=1.0,
               value=float(np.linalg.norm(vector) / size)),
        Number(name="first entry of (3, 4, 12) clipped to norm 1", value=float(clipped[0]), expected=3 / 13),
    )  # fmt: skip
    only_above_one = largest > 1
    return judged(
        all(each.agrees is not False for each in numbers), only_above_one,
        summary=f"Weights of {largest:.2f} on average make a gradient of 1 into {grown.gradients[0]:.0e} over {DEPTH} "
        "layers; layers with weights of exactly 1 keep it. Singular values decide, not single weights.",
        numbers=numbers,
        figure=chart("Gradient in front of each layer.", series("variance 4/n", range(1, DEPTH + 1), grown.gradients),
                     series("variance 2/n", range(1, DEPTH + 1), kept.gradients), x="layer", y="|gradient|",
                     log_y=True),
    )  # fmt: skip
