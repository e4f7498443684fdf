"""The range at which clipped and rounded values have the distribution that is nearest to the original one.

Source: Migacz 2017, "8-bit inference with TensorRT". In the histogram of |x| with 2048 bins, for each number of bins i:

    P   the first i bins, all later counts added to the last of them
    Q   the first i bins without the later counts, merged to `num_levels` levels (bin j to floor(num_levels * j / i)),
        each level's count spread evenly over those of its bins that are not empty
    KL(P || Q) after both are normalized; infinite where P has counts and Q has none

The threshold lies in the middle of the bin behind the best i.
"""

from __future__ import annotations

import math

import torch

from .histogram import Histogram
from .observation import Observation

NUM_BINS = 2048


def kl_divergences(counts_J: torch.Tensor, *, num_levels: int = 128) -> torch.Tensor:
    """KL(P || Q) in nats for i = `num_levels` ... J, all at once, from prefix sums.

    Args:
        counts_J: the histogram of |x|, float64.
    """
    i_I = torch.arange(num_levels, len(counts_J) + 1)
    starts_IL = -(-i_I[:, None] * torch.arange(num_levels + 1) // num_levels)  # first bin of each level, rounded up
    below = _prefix(counts_J)
    mass_IL = below[starts_IL].diff(dim=1)
    filled_IL = _prefix((counts_J > 0).double())[starts_IL].diff(dim=1)
    inside_I = below[i_I]
    clipped_I, last_I = below[-1] - inside_I, counts_J[i_I - 1]
    log_q_IL = torch.where(mass_IL > 0, mass_IL / (filled_IL * inside_I[:, None]).clamp(min=1e-300), 1.0).log()
    piled_I = last_I + clipped_I
    sum_p_log_p = _prefix(torch.xlogy(counts_J, counts_J))[i_I - 1] + torch.xlogy(piled_I, piled_I)
    sum_p_log_q = (mass_IL * log_q_IL).sum(1) + clipped_I * log_q_IL[:, -1]
    divergence_I = (sum_p_log_p - sum_p_log_q) / below[-1] - below[-1].log()
    return torch.where((last_I == 0) & (clipped_I > 0), math.inf, divergence_I)


def _prefix(values_J: torch.Tensor) -> torch.Tensor:
    """Sums of the first 0, 1, ... J values."""
    return torch.cat([values_J.new_zeros(1), values_J.cumsum(0)])


def kl_bins(counts_J: torch.Tensor, *, num_levels: int = 128) -> int:
    """How many bins to keep: the i of least divergence; all when there are fewer bins than levels."""
    if num_levels >= len(counts_J):
        return len(counts_J)
    return num_levels + int(kl_divergences(counts_J, num_levels=num_levels).argmin())


def absolute_counts(histogram: Histogram, *, num_bins: int = NUM_BINS) -> torch.Tensor:
    """The histogram of |x| in `num_bins` equal bins from 0 to the largest |x|; a bin across a border is shared out."""
    largest = max(abs(histogram.minimum), abs(histogram.maximum))
    borders = torch.arange(1, num_bins, dtype=torch.float64) * (largest / num_bins)
    below = _prefix(histogram.counts)
    position = torch.cat([borders, -borders]) / histogram.width - histogram.first
    index = position.floor().clamp(0, len(histogram.counts) - 1)
    share = (position - index).clamp(0, 1)
    at_least = below[index.long()] + share * histogram.counts[index.long()]
    above, mirrored = at_least.chunk(2)
    within = torch.cat([below[:1], above - mirrored, below[-1:]])
    return within.diff().clamp(min=0)


def kl_range(seen: Observation, *, bits: int) -> tuple[float, float]:
    """The range at the threshold on both sides, no wider than the values.

    |x| has 2**(bits - 1) levels (128 at 8 bits) when values of both signs share the codes, 2**bits when all have one.
    Exact zeros are left out: every grid holds them without error, and behind a ReLU they would outweigh all the rest.
    """
    largest = max(abs(seen.minimum), abs(seen.maximum))
    if largest == 0:
        return 0.0, 0.0
    num_levels = 2**bits if seen.is_one_sided else 2 ** (bits - 1)
    counts_J = absolute_counts(seen.histogram)
    counts_J[0] = max(counts_J[0].item() - seen.num_zero, 0.0)
    bins = kl_bins(counts_J, num_levels=num_levels)
    threshold = (bins + 0.5) * largest / NUM_BINS
    return max(seen.minimum, -threshold), min(seen.maximum, threshold)
