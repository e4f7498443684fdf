"""Needed bits: found by trying, checked by trying again one bit lower."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from edgewright.analyze.hardware import bit_serial, needed_bits
from edgewright.analyze.hardware.precision import rounded, sqnr_db
from edgewright.analyze.hardware.products import watch_layers
from edgewright.errors import BudgetError, ConfigError
from edgewright.model import capture
from edgewright.model.quantized import fake_quantize


def test_each_layer_keeps_the_ratio_and_would_not_with_one_bit_less(net, images_BCHW):
    bits = needed_bits(net, images_BCHW, min_sqnr_db=30)
    assert list(bits) == ["stem", "depth", "grouped", "head"]

    def check(path, layer, x):
        assert sqnr_db(layer(x), layer(rounded(x, bits[path]))) >= 30
        assert sqnr_db(layer(x), layer(rounded(x, bits[path] - 1))) < 30

    watch_layers(net, images_BCHW, check)


def test_a_higher_ratio_needs_no_fewer_bits_and_feeds_the_cycle_model(net, measured, images_BCHW):
    low, high = (needed_bits(net, images_BCHW, min_sqnr_db=ratio) for ratio in (20, 45))
    assert all(low[layer] <= high[layer] for layer in low) and low != high
    assert bit_serial(net, measured, bits=low).ideal_speed_up > bit_serial(net, measured, bits=high).ideal_speed_up > 1


def test_an_input_of_two_values_needs_one_bit():
    model = nn.Sequential(nn.Conv2d(1, 2, 1))
    images = (torch.arange(16).reshape(1, 1, 4, 4) % 2).float()
    assert needed_bits(model, images, min_sqnr_db=100) == {"0": 1}


def test_a_shared_layer_has_the_largest_of_its_needs():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.shared = nn.Linear(4, 4)

        def forward(self, x):
            return self.shared(self.shared(x))

    net = capture(Twice(), (4,))
    two_values = torch.tensor([[0.0, 1, 0, 1], [1, 1, 0, 0]])
    assert needed_bits(net, two_values, min_sqnr_db=40)["shared"] > 1  # the first call alone needs one


def test_rounding_is_that_of_the_quantized_model():
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    low, high = x.min().item(), x.max().item()
    scale = torch.tensor((high - low) / 255)
    zero_point = torch.tensor(round(-low / scale.item()))
    torch.testing.assert_close(rounded(x, 8), fake_quantize(x, scale, zero_point, 0, 255))


def test_the_ratio_is_in_decibels():
    assert sqnr_db(torch.tensor([10.0]), torch.tensor([9.0])) == pytest.approx(20)
    assert sqnr_db(torch.zeros(1), torch.zeros(1)) == math.inf
    assert sqnr_db(torch.zeros(1), torch.ones(1)) == -math.inf


def test_what_cannot_be_reached_or_asked_is_refused(net, images_BCHW):
    with pytest.raises(BudgetError, match="Layer 'stem' keeps less than 60 dB at 4 bits"):
        needed_bits(net, images_BCHW, min_sqnr_db=60, most=4)
    with pytest.raises(ConfigError, match="finite number of decibels, got inf"):
        needed_bits(net, images_BCHW, min_sqnr_db=math.inf)
    with pytest.raises(ConfigError, match="from 1 to 24 bits, got 0"):
        needed_bits(net, images_BCHW, most=0)
