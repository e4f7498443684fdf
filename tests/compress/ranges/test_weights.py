"""Scales of weights, per output channel."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgewright.compress.quantize.ranges import WEIGHT_METHODS, weight_scales
from edgewright.compress.quantize.ranges.aciq import grid_optimum
from edgewright.compress.quantize.ranges.weights import rounded, squared_error, weighed_error
from edgewright.errors import ConfigError
from edgewright.model.quantized import minmax_scales

LAYERS = [nn.Conv2d(3, 5, 3), nn.Conv2d(4, 4, 3, groups=4), nn.ConvTranspose2d(4, 6, 3, groups=2), nn.Linear(7, 5)]


def error_of(weight_CN, *, bits, method, cost=squared_error):
    scales_C = weight_scales(linear(weight_CN), bits=bits, method=method)
    return cost(weight_CN, rounded(weight_CN, scales_C, bits=bits))


def linear(weight_CN):
    layer = nn.Linear(weight_CN.shape[1], weight_CN.shape[0])
    layer.weight.data = weight_CN
    return layer


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: f"{type(layer).__name__}-{getattr(layer, 'groups', 1)}")
def test_minmax_scales_are_those_of_the_integer_layers(layer):
    for bits in (2, 4, 8):
        assert torch.equal(weight_scales(layer, bits=bits), minmax_scales(layer, bits=bits))
        for method in WEIGHT_METHODS:
            scales = weight_scales(layer, bits=bits, method=method)
            assert scales.shape == minmax_scales(layer).shape and scales.dtype == torch.float32


@settings(max_examples=25)
@given(st.lists(st.floats(-10, 10, width=32), min_size=2, max_size=24), st.sampled_from([2, 3, 4, 8]))
def test_the_least_error_is_no_more_than_that_of_the_other_methods(values, bits):
    weight_CN = torch.tensor([values, values[::-1]])
    errors = {method: error_of(weight_CN, bits=bits, method=method) for method in WEIGHT_METHODS}
    weighed = {method: error_of(weight_CN, bits=bits, method=method, cost=weighed_error) for method in WEIGHT_METHODS}
    assert (errors["mse"] <= errors["minmax"]).all()
    assert (errors["mse"] <= 1.1 * errors["aciq"] + 1e-12).all()  # the clips that are tried are a grid
    assert (weighed["gain"] <= weighed["minmax"]).all()


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_a_search_per_channel_finds_what_a_loop_over_clips_finds(bits):
    weight_CN = torch.randn(3, 200, generator=torch.Generator().manual_seed(0)) * torch.tensor([[1.0], [0.1], [20.0]])
    got = error_of(weight_CN, bits=bits, method="mse")
    top = 2 ** (bits - 1) - 1
    for channel, row in enumerate(weight_CN):
        clips = [row.abs().max().item() * step / 1000 for step in range(1, 1001)]
        errors = [((row / (c / top)).round().clamp(-top, top) * (c / top) - row).pow(2).mean().item() for c in clips]
        assert got[channel] <= 1.01 * min(errors)


@pytest.mark.parametrize("bits", [2, 4])
def test_gaussian_weights_are_clipped_where_the_exact_grid_is_best(bits):
    weight_CN = 0.3 * torch.randn(2, 100_000, generator=torch.Generator().manual_seed(0))
    top, clip = 2 ** (bits - 1) - 1, 0.3 * grid_optimum("gauss", bits=bits)
    for method, slack in (("aciq", 0.01), ("mse", 0.05)):
        assert (weight_scales(linear(weight_CN), bits=bits, method=method) * top).tolist() == pytest.approx(
            [clip, clip], rel=slack
        )


def test_the_weighed_error_counts_what_is_along_the_weights_and_the_sum_more():
    """w = (3, 4), rounded to (3, 3): error (0, -1), along w -4/5, sum -1: (1 + 32 * 16/25 + .5 * 1) / 2."""
    got = weighed_error(torch.tensor([[3.0, 4.0]]), torch.tensor([[3.0, 3.0]]))
    assert got.item() == pytest.approx((1 + 32 * 16 / 25 + 0.5) / 2)


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_least_squared_error_shrinks_filters_and_the_weighed_one_keeps_their_gain(bits):
    weight_CN = torch.randn(32, 144, generator=torch.Generator().manual_seed(0))
    gains = {}
    for method in ("mse", "gain"):
        rounded_CN = rounded(weight_CN, weight_scales(linear(weight_CN), bits=bits, method=method), bits=bits)
        gains[method] = ((rounded_CN * weight_CN).sum() / weight_CN.pow(2).sum()).item()
    lost = {2: 0.19, 3: 0.047, 4: 0.0129}[bits]  # of a Gaussian on the best symmetric grid, as its error is
    assert 1 - gains["mse"] == pytest.approx(lost, rel=0.4)
    assert abs(1 - gains["gain"]) < 0.2 * lost


@pytest.mark.parametrize(("largest", "clip"), [(1.0, 1.0), (0.2, 0.109)])
def test_a_large_weight_is_clipped_when_that_costs_less_than_the_others_lose(largest, clip):
    """Ten of .1, one larger; codes -1, 0, 1. A clip c from .2 on rounds the ten to 0 and costs .1 beside the large
    one; below, it costs 10 (.1 - c)**2 + (largest - c)**2, least at c = (1 + largest) / 11: .74 and .0083."""
    weight_CN = torch.tensor([[0.1] * 10 + [largest]])
    assert weight_scales(linear(weight_CN), bits=2, method="mse").item() == pytest.approx(clip, abs=0.002)


@pytest.mark.parametrize("method", WEIGHT_METHODS)
@pytest.mark.parametrize("bits", [2, 8])
def test_a_channel_of_zeros_has_scale_1(method, bits):
    scales = weight_scales(linear(torch.tensor([[0.0, 0.0], [0.5, -1.0]])), bits=bits, method=method)
    assert scales[0] == 1.0 and 0 < scales[1] <= 1.0


def test_an_unknown_method_is_answered_with_the_known_ones():
    with pytest.raises(ConfigError, match="by minmax, mse, gain, aciq, got 'kl'"):
        weight_scales(nn.Linear(2, 2), method="kl")
