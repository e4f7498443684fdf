"""Ranges by divergence: the worked thresholds, and a loop written from the definition."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erf

from edgewright.compress.quantize.ranges import Observation
from edgewright.compress.quantize.ranges.kl import absolute_counts, kl_bins, kl_divergences, kl_range


def half_normal(t):
    return erf(t / np.sqrt(2))


def histogram_of(cdf, *, reach, num):
    return torch.from_numpy(np.round(num * np.diff(cdf(np.linspace(0, reach, 2049)))))


def outliers():
    counts = histogram_of(half_normal, reach=40, num=1e6)
    counts[-1] += 10
    return counts


WORKED = {
    "|N(0,1)| to 6": (lambda: histogram_of(half_normal, reach=6, num=1e7), 6, 1583, 4.638),
    "|N(0,1)| to 4": (lambda: histogram_of(half_normal, reach=4, num=1e7), 4, 2048, 4.0),
    "Exp(1) to 16": (lambda: histogram_of(lambda t: 1 - np.exp(-t), reach=16, num=1e7), 16, 1390, 10.86),
    "|N(0,1)| and 10 at 40": (outliers, 40, 233, 4.55),
}


@pytest.mark.parametrize("name", WORKED)
def test_the_best_number_of_bins_equals_the_worked_examples(name):
    counts, reach, bins, threshold = WORKED[name]
    assert kl_bins(counts()) == bins
    assert (bins + 0.5) * reach / 2048 == pytest.approx(threshold, abs=0.6 * reach / 2048)  # they give m or m + .5


def by_the_definition(counts, num_levels):
    """KL(P || Q) for each i, one loop per sentence of the definition."""
    found = []
    for i in range(num_levels, len(counts) + 1):
        p = np.array(counts[:i], dtype=float)
        p[-1] += sum(counts[i:])
        q = np.zeros(i)
        for level in range(num_levels):
            bins = [j for j in range(i) if num_levels * j // i == level]
            filled = [j for j in bins if counts[j] > 0]
            for j in filled:
                q[j] = sum(counts[k] for k in bins) / len(filled)
        if (q[p > 0] == 0).any():
            found.append(math.inf)
            continue
        p, q = p / p.sum(), q / q.sum()
        found.append(sum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a > 0))
    return found


@settings(max_examples=50)
@given(st.lists(st.integers(0, 20), min_size=12, max_size=30).filter(any), st.sampled_from([2, 4, 7]))
def test_divergences_equal_a_loop_over_the_definition(counts, num_levels):
    got = kl_divergences(torch.tensor(counts, dtype=torch.float64), num_levels=num_levels)
    assert got.tolist() == pytest.approx(by_the_definition(counts, num_levels), abs=1e-12)


def seen(values):
    observation = Observation("values")
    observation.see(values)
    return observation


def test_the_bins_of_magnitudes_count_every_value_and_share_bins_out_at_borders():
    values = torch.randn(20_000, generator=torch.Generator().manual_seed(0))
    got = absolute_counts(seen(values).histogram)
    want = torch.histc(values.abs().double(), bins=2048, min=0, max=values.abs().max().item())
    assert got.sum() == pytest.approx(20_000, rel=1e-12)
    assert (got.cumsum(0) - want.cumsum(0)).abs().max() < 20  # less than a bin's count


@pytest.mark.parametrize(("bits", "sides"), [(8, 1), (8, 2), (4, 2)])
def test_the_range_of_an_observation_is_nearly_as_good_on_the_exact_histogram(bits, sides):
    """Within 10 % of the least divergence: it is flat around its minimum, and the bins are rebuilt from others."""
    values = torch.randn(200_000, generator=torch.Generator().manual_seed(1))
    values = values.abs() if sides == 1 else values
    largest, levels = values.abs().max().item(), 2**bits // sides
    exact = kl_divergences(torch.histc(values.abs().double(), bins=2048, min=0, max=largest), num_levels=levels)
    low, high = kl_range(seen(values), bits=bits)
    bins = round(high / largest * 2048 - 0.5) - levels
    assert exact[max(bins - 5, 0) : bins + 6].min() <= 1.1 * exact.min()  # an empty bin beside it makes it infinite
    assert low == (max(-high, values.min().item()) if sides == 2 else values.min().item())


def test_exact_zeros_do_not_move_the_threshold():
    values = torch.randn(50_000, generator=torch.Generator().manual_seed(2)).abs()
    padded = torch.cat([values, torch.zeros(500_000)])
    assert kl_range(seen(padded), bits=8)[1] == kl_range(seen(values), bits=8)[1]


def test_with_as_many_levels_as_bins_nothing_is_clipped():
    assert kl_range(seen(torch.tensor([-3.0, 0.1, 0.2, 2.0])), bits=16) == (-3.0, 2.0)
