"""What does it cost to compute an AUC?

Claim: comparing all pairs costs P N steps, sorting n log n, for the same number.
Source: Fawcett 2006, Pattern Recognition Letters 27, algorithm 2; Hanley & McNeil 1982.
Expected: equal results with ties; comparisons P N against n log2 n: at n = 4,096 half positive 4,194,304 against
    49,152.
See: auc_is_the_chance_of_a_right_order
"""

import math

import numpy as np

from ....reference.ranking import auc_by_pairs, auc_by_ranks
from ....seeding import numpy_generator
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged

SIZES = (64, 256, 1024, 4096)


class Counted:
    """A score that counts how often it is compared."""

    count = 0

    def __init__(self, value: float) -> None:
        self.value = value

    def __lt__(self, other: "Counted") -> bool:
        Counted.count += 1
        return self.value < other.value


def run(seed: int, fast: bool) -> Finding:
    gaps, compared, pairs = [], [], []
    for size in SIZES:
        generator = numpy_generator(seed, "scores", size)
        scores, positive = np.round(generator.random(size), 2), np.arange(size) % 2 == 0
        gaps.append(abs(auc_by_pairs(scores, positive) - auc_by_ranks(scores, positive)))
        Counted.count = 0
        sorted(map(Counted, generator.random(size)))
        compared.append(Counted.count)
        pairs.append(int(positive.sum() * (~positive).sum()))
    numbers = (
        Number(name="largest difference of the two", value=max(gaps), expected=0.0, tolerance=1e-12),
        Number(name="pairs at n=4096", value=pairs[-1], expected=2048**2),
        Number(name="comparisons of a sort at n=4096, over n log2 n", value=compared[-1] / (4096 * 12), expected=1.0,
               tolerance=0.15),
        Number(name="growth of pairs per doubling of n", value=math.sqrt(pairs[-1] / pairs[-2]), expected=4.0),
        Number(name="growth of comparisons per doubling of n", value=math.sqrt(compared[-1] / compared[-2])),
    )  # fmt: skip
    return judged(
        all(each.agrees is not False for each in numbers), numbers[4].value < 2.4,
        summary=f"At n = 4,096 there are {pairs[-1]:,} pairs, and a sort makes {compared[-1]:,} comparisons for "
        "the same AUC.",
        numbers=numbers,
        figure=chart("Work for one AUC.", series("pairs", SIZES, pairs, mark=Mark.BOTH),
                     series("comparisons of a sort", SIZES, compared, mark=Mark.BOTH),
                     series("n log2 n", SIZES, [size * math.log2(size) for size in SIZES], mark=Mark.DASHES),
                     x="samples", y="steps", log_x=True, log_y=True),
    )  # fmt: skip
