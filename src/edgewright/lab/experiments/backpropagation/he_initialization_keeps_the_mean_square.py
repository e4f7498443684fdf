"""How large should the first weights of a ReLU network be?

Claim: weights of variance 2/n keep the mean square of the activations of a deep ReLU stack; twice that makes it grow by
    2 with each layer, half of it shrink by 2.
Source: He et al. 2015, ICCV, section 2.2.
Expected: the second moment is multiplied by n Var(W)/2 per layer: after 50 layers 1 at 2/n, 2^-50 = 8.9e-16 at 1/n,
    2^50 = 1.1e15 at 4/n; standard deviations .4714, .1667, .0505, .1768 for a fan-in of 9, 72, 784, 64.
See: relu_keeps_gradients_that_sigmoids_lose, too_large_weights_explode
"""

import math

import numpy as np

from ....reference.initialization import he_normal
from ....seeding import numpy_generator
from ...figures import chart, series
from ...finding import Finding, Number, judged
from ...statistics import mean_of
from ._stack import walk

GAINS = {"1/n": (1.0, -1.0), "2/n (He)": (2.0, 0.0), "4/n": (4.0, 1.0)}  # gain, log2 of the factor per layer
DEPTH = 50


def run(seed: int, fast: bool) -> Finding:
    numbers, curves = [], []
    for name, (gain, expected) in GAINS.items():
        walks = [walk(numpy_generator(seed, name, net), depth=DEPTH, activation="relu", gain=gain, width=256)
                 for net in range(4 if fast else 40)]  # fmt: skip
        growth = [math.log2(each.squares[-1] / each.squares[0]) / (DEPTH - 1) for each in walks]
        numbers.append(
            mean_of(growth, f"log2 of the growth per layer, variance {name}", expected=expected, tolerance=0.06)
        )
        curves.append(series(f"variance {name}", range(1, DEPTH + 1), walks[0].squares))
    for fan_in, std in ((9, 0.471405), (72, 0.166667), (784, 0.0505076), (64, 0.176777)):
        drawn = he_normal((40_000 // fan_in + 1, fan_in), numpy_generator(seed, "he", fan_in))
        numbers.append(Number(name=f"std of He's weights, fan-in {fan_in}", value=float(np.std(drawn)), expected=std,
                              error=std / math.sqrt(2 * drawn.size)))  # fmt: skip
    return judged(
        all(each.agrees for each in numbers),
        summary=f"Per layer the mean square is multiplied by {2 ** numbers[0].value:.2f}, {2 ** numbers[1].value:.2f} "
        f"and {2 ** numbers[2].value:.2f} (theory 1/2, 1, 2).",
        numbers=numbers,
        figure=chart("Mean square of the activations of 50 ReLU layers.", *curves,
                     x="layer", y="mean square", log_y=True),
    )  # fmt: skip
