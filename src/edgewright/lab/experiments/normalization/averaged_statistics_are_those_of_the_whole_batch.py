"""How do several processes share one batch norm?

Claim: batch norm over several devices averages the means and the variances of the devices.
Source: often said; Peng et al. 2018, CVPR (MegDet), section 3.3 for the sums.
Expected: sums and sums of squares are what adds up: the parts (0, 2) and (10, 12) have variance 1 each, whose mean is
    1, and the whole has 26. v = sum n_i (v_i + mu_i^2) / n - mu^2, for parts of unequal sizes too.
See: tiny_batches_break_batch_norm_alone
"""

import numpy as np

from ....reference.normalization import joined_statistics
from ....seeding import numpy_generator
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged
from ...statistics import mean_of

PROCESSES = (1, 2, 4, 8, 16, 32)


def run(seed: int, fast: bool) -> Finding:
    parts = np.array([[[0.0], [2.0]], [[10.0], [12.0]]])
    mean, variance = joined_statistics(np.array([2, 2]), parts.mean(1), parts.var(1))
    averaged = float(parts.var(1).mean())
    generator = numpy_generator(seed, "unequal")
    unequal = [generator.standard_normal((size, 5)) + size for size in (3, 1, 8, 20)]
    whole = np.concatenate(unequal)
    joined = joined_statistics(
        np.array([len(each) for each in unequal]),
        *(np.array([call(each) for each in unequal]) for call in (lambda each: each.mean(0), lambda each: each.var(0)))
    )  # fmt: skip
    gap = max(float(np.abs(joined[0] - whole.mean(0)).max()), float(np.abs(joined[1] - whole.var(0)).max()))
    trials = 50 if fast else 2_000
    shares = [mean_of(_averaged(processes, trials, numpy_generator(seed, "batch", processes)),
                      f"mean of the variances, {processes} processes", expected=1 - (processes - 1) / 63)
              for processes in PROCESSES]  # fmt: skip
    numbers = (
        Number(name="mean of the two variances", value=averaged, expected=1.0),
        Number(name="variance of all four", value=float(variance[0]), expected=26.0),
        Number(name="mean of all four", value=float(mean[0]), expected=6.0),
        Number(name="largest gap of sums to the whole, unequal parts", value=gap, expected=0.0, tolerance=1e-9),
        *shares,
    )
    return judged(
        all(each.agrees for each in numbers), averaged == variance[0],
        summary=f"Averaged variances of (0, 2) and (10, 12) are {averaged:.0f}, the variance of all four is "
        f"{variance[0]:.0f}; even on equal data 64 values in 32 parts lose {1 - shares[-1].value:.0%}. Sums lose "
        "nothing.",
        numbers=numbers,
        figure=chart("64 values of variance 1 (unbiased), shared among processes.",
                     series("mean of the variances", PROCESSES, [each.value for each in shares], mark=Mark.BOTH),
                     series("from sums", PROCESSES, [1.0] * len(PROCESSES), mark=Mark.BOTH), x="processes",
                     y="variance", log_x=True),
    )  # fmt: skip


def _averaged(processes: int, trials: int, generator: np.random.Generator) -> np.ndarray:
    """Mean over processes of the biased variance of their share of 64 values, over the whole's own expectation.

    The biased variance of k values is (k - 1)/k; of all 64, 63/64.
    """
    values = generator.standard_normal((trials, processes, 64 // processes))
    return np.asarray(values.var(2).mean(1) * 64 / 63)
