"""Histograms: a function of the values seen, whatever the batches, the order and the merging."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewright.compress.quantize import Histogram
from edgewright.errors import ModelError

VALUES = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=30)


def of(*batches, num_bins=64):
    histogram = Histogram(num_bins)
    for batch in batches:
        histogram.observe(torch.as_tensor(batch, dtype=torch.float32))
    return histogram


def same(one, other):
    facts = [(each.minimum, each.maximum, each.first, each.exponent) for each in (one, other)]
    return facts[0] == facts[1] and torch.equal(one.counts, other.counts)


def test_bins_are_powers_of_two_wide_and_begin_at_a_multiple_of_their_width():
    histogram = of([0.3, 1.0, 4.9], num_bins=8)
    assert histogram.width == 1.0 and histogram.first == 0
    assert histogram.counts.tolist() == [1, 1, 0, 0, 1, 0, 0, 0]
    assert histogram.edges.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8]


def test_a_value_below_zero_moves_the_first_bin():
    histogram = of([0.3, 1.0, 4.9], [-1.5], num_bins=8)
    assert (histogram.first, histogram.width) == (-2, 1.0)
    assert histogram.counts.tolist() == [1, 0, 1, 1, 0, 0, 1, 0]


@settings(max_examples=50)
@given(VALUES, VALUES, st.lists(st.floats(-(2**-10), 2**-10, width=32), max_size=10))
def test_batches_in_any_order_and_merged_histograms_equal_one_batch_of_all(first, second, third):
    whole = of(first + second + third)
    assert whole.counts.sum() == len(first + second + third)
    assert same(of(first, second, third), whole) and same(of(third, second, first), whole)
    assert same(Histogram.merged([of(third), of(second), of(first)]), whole)


@given(VALUES)
def test_every_value_lies_in_its_bin(values):
    histogram, x = of(values), torch.tensor(values, dtype=torch.float64)
    left, right = histogram.edges[:-1], histogram.edges[1:]
    inside = (x[:, None] >= left) & (x[:, None] < right)
    assert torch.equal(inside.double().sum(0), histogram.counts)


@settings(max_examples=40)
@given(VALUES)
def test_fewer_bins_hold_what_they_would_have_counted(values):
    assert same(Histogram.merged([of(values, num_bins=256)], num_bins=16), of(values, num_bins=16))


def test_at_least_half_of_the_bins_reach_from_minimum_to_maximum():
    for span in (1.0, 1.9, 2.1, 1000.0, 3e-5):
        histogram = of([0.0, span], num_bins=1024)
        assert 511 <= int(histogram.counts.nonzero().max()) <= 1023


def test_quantiles_of_many_batches_are_those_of_the_values():
    values = torch.randn(4000, generator=torch.Generator().manual_seed(1)) * torch.linspace(0.01, 5, 4000)
    histogram = of(*values.split(100), num_bins=16384)
    assert (histogram.minimum, histogram.maximum) == (values.min(), values.max())
    for share in (0.01, 0.3, 0.5, 0.99):
        value, slack = histogram.quantile(share), histogram.width
        below = [(values < value + side * slack).double().mean().item() for side in (-1, 1)]
        assert below[0] <= share <= below[1] + 1 / 4000


@pytest.mark.parametrize("value", [0.0, 3.0, -7.25, 1e-30, 3e38])
def test_a_constant_fills_a_single_bin(value):
    histogram = of(torch.full((10,), value))
    assert histogram.counts.max() == 10
    assert histogram.quantile(0.5) == histogram.minimum == histogram.maximum


def test_values_smaller_than_any_normal_float_share_a_bin_with_zero():
    assert of([0.0, 1e-40]).counts[0] == 2


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_values_that_are_not_finite_are_refused(bad):
    with pytest.raises(ModelError, match="A tensor holds NaN or infinity on the calibration images and cannot be"):
        of([1.0, bad])
