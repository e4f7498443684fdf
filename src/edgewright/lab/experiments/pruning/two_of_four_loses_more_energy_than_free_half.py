"""What does it cost to prune in a pattern rather than anywhere?

Claim: keeping two of every four weights keeps less of the energy (sum of squares) than keeping the largest half.
Source: Mishra et al. 2021, arXiv 2104.08378 for the pattern; the integrals are order statistics.
Expected: of Gaussian weights free pruning of half keeps .928674, 2:4 keeps .867553, a random half .5; of Laplace
    weights .966687 and .920139.
See: pruned_channels_multiply
"""

import numpy as np

from ....seeding import numpy_generator
from ...figures import bars
from ...finding import Finding, judged
from ...statistics import mean_of

EXPECTED = {"Gaussian": (0.928674, 0.867553, 0.5), "Laplace": (0.966687, 0.920139, 0.5)}
WAYS = ("largest half, anywhere", "2 of 4", "random half")


def run(seed: int, fast: bool) -> Finding:
    num_trials, size = (40 if fast else 400), 4_096
    numbers = []
    for law, expected in EXPECTED.items():
        generator = numpy_generator(seed, law)
        draw = generator.standard_normal if law == "Gaussian" else lambda shape, g=generator: g.laplace(size=shape)
        squares = draw((num_trials, size)) ** 2
        total = squares.sum(1)
        kept = (
            np.sort(squares, 1)[:, size // 2 :].sum(1),
            np.sort(squares.reshape(num_trials, -1, 4), 2)[:, :, 2:].sum((1, 2)),
            squares[:, : size // 2].sum(1),
        )
        numbers += [mean_of(energy / total, f"energy kept, {law}, {way}", expected=value, tolerance=0.005)
                    for way, energy, value in zip(WAYS, kept, expected, strict=True)]  # fmt: skip
    return judged(
        all(each.agrees for each in numbers), numbers[0].exceeds(numbers[1]), numbers[3].exceeds(numbers[4]),
        summary=f"Of Gaussian weights half of the places hold {numbers[0].value:.1%} of the energy when chosen freely "
        f"and {numbers[1].value:.1%} in the 2:4 pattern.",
        numbers=numbers,
        figure=bars("Energy kept by half of the weights.", WAYS, value="share of the sum of squares",
                    Gaussian=numbers[:3], Laplace=numbers[3:]),
    )  # fmt: skip
