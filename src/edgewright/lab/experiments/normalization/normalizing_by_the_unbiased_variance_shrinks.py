"""Which variance does batch norm divide by?

Claim: batch norm normalizes by the batch's variance, so that the output has unit variance.
Source: Ioffe & Szegedy 2015, ICML, algorithm 1 (biased, 1/m) and section 3.1 (unbiased in the running buffer).
Expected: dividing by the unbiased variance instead makes outputs shrink by sqrt((n-1)/n): .707 at n = 2, and n = 1
    gives no number. The output has zero mean and unit variance, but is Gaussian only if the input was.
See: batch_norm_in_training_depends_on_batch_mates
"""

import numpy as np

from ....seeding import numpy_generator
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged

SIZES = (2, 3, 4, 8, 16, 64)


def run(seed: int, fast: bool) -> Finding:
    shrunk, biased = [], []
    for size in SIZES:
        x = numpy_generator(seed, "batch", size).exponential(size=(size, 200))
        centred = x - x.mean(0)
        shrunk.append(float((centred / x.std(0, ddof=1)).std(0).mean()))
        biased.append(float((centred / x.std(0)).std(0).mean()))
    numbers = [
        Number(name=f"std by the unbiased variance, n={size}", value=value, expected=((size - 1) / size) ** 0.5)
        for size, value in zip(SIZES, shrunk, strict=True)
    ]
    numbers += [Number(name=f"std by the biased variance, n={size}", value=value, expected=1.0, tolerance=1e-9)
                for size, value in zip(SIZES, biased, strict=True)]  # fmt: skip
    with np.errstate(all="ignore"):
        alone = bool(np.isnan(np.float64(0.0) / np.float64(0.0)))
    large = numpy_generator(seed, "shape").exponential(size=20_000)
    third = float((((large - large.mean()) / large.std()) ** 3).mean())
    numbers.append(Number(name="skewness of normalized exponential data (Gaussian: 0)", value=third, expected=2.0,
                          tolerance=0.3))  # fmt: skip
    return judged(
        all(each.agrees for each in numbers), alone, when="the variance is the biased one",
        summary=f"By the unbiased variance a batch of 2 shrinks to {shrunk[0]:.3f}, of 64 to {shrunk[-1]:.3f}; a "
        f"skewed input stays skewed ({third:.1f}).",
        numbers=numbers,
        figure=chart("Spread of the normalized output.", series("unbiased variance", SIZES, shrunk, mark=Mark.BOTH),
                     series("biased variance", SIZES, biased, mark=Mark.BOTH), x="batch", y="std", log_x=True),
    )  # fmt: skip
