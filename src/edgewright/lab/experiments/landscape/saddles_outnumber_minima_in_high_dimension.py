"""Is a random critical point a minimum or a saddle?

Claim: in high dimension nearly all critical points are saddles: the share of symmetric random matrices with only
    positive eigenvalues falls faster than exponentially with their size.
Source: Dauphin et al. 2014, NeurIPS; Dean & Majumdar 2006, Phys. Rev. Lett. 97 for the decay.
Expected: 0.5, (2 - sqrt 2)/4 = .146447, (pi - 2 sqrt 2)/(4 pi) = .024921 for n = 1, 2, 3 of the Gaussian orthogonal
    ensemble. It is a model: the Hessian of a trained network is no such matrix.
See: hessian_eigenvalues_tell_minima_from_saddles, deep_linear_networks_have_no_bad_minima
"""

import math

import numpy as np

from ....seeding import numpy_generator
from ...figures import Mark, chart, series
from ...finding import Finding, judged
from ...statistics import share_of

EXPECTED = {1: 0.5, 2: (2 - math.sqrt(2)) / 4, 3: (math.pi - 2 * math.sqrt(2)) / (4 * math.pi), 4: None}


def run(seed: int, fast: bool) -> Finding:
    num_draws = 40_000 if fast else 1_000_000
    numbers = []
    for size, expected in EXPECTED.items():
        square = numpy_generator(seed, "goe", size).standard_normal((num_draws, size, size))
        positive = np.linalg.eigvalsh((square + square.transpose(0, 2, 1)) / 2)[:, 0] > 0
        numbers.append(share_of(positive, f"all eigenvalues positive, n={size}", expected=expected))
    values = [each.value for each in numbers]
    logs = np.log(values)
    faster = bool((np.diff(logs, 2) < 0).all())  # steeper with each n
    sizes = list(EXPECTED)
    return judged(
        all(each.agrees is not False for each in numbers), faster,
        when="Hessians are like random matrices",
        summary=f"Of {num_draws:,} matrices {values[0]:.1%}, {values[1]:.1%}, {values[2]:.2%} and {values[3]:.3%} "
        "are minima for n = 1, 2, 3, 4.",
        numbers=numbers,
        figure=chart("Share of random critical points that are minima.",
                     series("simulated", sizes, values, [each.error or 0 for each in numbers], mark=Mark.BOTH),
                     series("2^-n, if signs were independent", sizes, [0.5**n for n in sizes], mark=Mark.DASHES),
                     x="dimensions", y="share", log_y=True),
    )  # fmt: skip
