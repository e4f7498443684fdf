"""Scaling, search spaces, rewards, activations, normalization: definitions and refusals."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from edgewright import calc
from edgewright.errors import ConfigError


def test_scaling_grows_macs_about_twice_per_unit():
    for phi in (1, 2, 3):
        assert calc.compound_scaling(phi=phi).result["macs_factor"] == pytest.approx(2**phi, rel=0.13)


def test_subnets_of_a_tiny_space_are_counted_one_by_one():
    layers = list(itertools.product((3, 4), (3, 5)))
    units = [unit for depth in (1, 2) for unit in itertools.product(layers, repeat=depth)]
    counted = sum(1 for _ in itertools.product(units, repeat=2))
    result = calc.subnets(units=2, depths=(1, 2), expansions=(3, 4), kernels=(3, 5), resolutions=(32, 48, 8)).result
    assert (result["subnets"], result["resolutions"]) == (counted, 3)
    assert result["subnets_with_resolution"] == 3 * counted


def test_a_hard_target_rewards_no_speed_beyond_it():
    asked = {"accuracy": 0.7, "target_ms": 80.0, "exponent": -1.0, "exponent_if_faster": 0.0}
    assert calc.latency_reward(latency_ms=40.0, **asked).result["reward"] == 0.7
    assert calc.latency_reward(latency_ms=160.0, **asked).result["reward"] == pytest.approx(0.35)


@given(st.lists(st.floats(-20, 20), min_size=1, max_size=5))
def test_hard_swish_equals_torch_and_never_leaves_the_largest_gap(values):
    result = calc.hard_swish(values=values).result
    x = torch.tensor(values, dtype=torch.float64)
    assert [row["hard_swish"] for row in result["values"]] == pytest.approx(F.hardswish(x).tolist())
    assert [row["hard_sigmoid"] for row in result["values"]] == pytest.approx(F.hardsigmoid(x).tolist())
    assert (F.hardswish(x) - F.silu(x)).abs().max() <= result["gap_to_swish"] + 1e-9
    assert (F.hardsigmoid(x) - torch.sigmoid(x)).abs().max() <= result["gap_to_sigmoid"] + 1e-9
    assert F.hardswish(x).min() >= result["minimum"] - 1e-9


@pytest.mark.parametrize(
    ("layer", "worked"),
    [
        (nn.LayerNorm([5, 4, 4]), calc.layer_norm(shape=[5, 4, 4])),
        (nn.GroupNorm(3, 12), calc.group_norm(size=4, channels=12, groups=3)),
        (nn.BatchNorm2d(12), calc.batch_norm(size=4, channels=12)),
        (nn.PReLU(12), calc.activation(kind="prelu", channels=12, per_channel=True)),
        (nn.PReLU(), calc.activation(kind="prelu", channels=12)),
    ],
)
def test_params_and_buffers_equal_torch(layer, worked):
    assert worked.result["params"] == sum(weight.numel() for weight in layer.parameters())
    assert worked.result.get("buffers", 0) == sum(each.numel() for each in layer.buffers())


def test_energy_follows_the_level_of_memory_that_is_named():
    near = calc.energy(macs=0, sram_bytes=8, on_chip="cache-8kb").result
    far = calc.energy(macs=0, dram_bytes=8, off_chip="dram-most").result
    assert (near["sram_j"], far["dram_j"]) == (pytest.approx(10e-12), pytest.approx(2600e-12))


def test_a_layer_of_4_bits_needs_half_of_the_bytes():
    result = calc.layer_memory(size=7, in_channels=3, out_channels=5, size_out=(4, 3), value_bytes=0.5).result
    assert (result["input_bytes"], result["output_bytes"], result["peak_bytes"]) == (74, 30, 104)


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda: calc.compound_scaling(variant="b9"), "variant is one of b0, .*, got 'b9'"),
        (lambda: calc.compound_scaling(phi=1e6), "1.92027 to the power of 1e\\+06 is beyond floating point"),
        (lambda: calc.subnets(units=10_000), "The count has more than 10,000 bits"),
        (lambda: calc.channel_shuffle(channels=10**6, groups=2), "channels is at most 65,536 .*got 1,000,000"),
        (lambda: calc.compound_scaling(phi=-1), "phi is a finite number of at least 0, got -1"),
        (lambda: calc.subnets(kernels=[3, 3]), r"kernels is a list of different whole numbers, got \[3, 3\]"),
        (lambda: calc.subnets(resolutions=[224, 128, 4]), "a last at least as large"),
        (lambda: calc.subnets(resolutions=[128, 224]), r"resolutions is \(first, last, step\)"),
        (lambda: calc.latency_reward(accuracy=0.7, latency_ms=0, target_ms=1), "latency_ms is a finite number greater"),
        (lambda: calc.activation(kind="softplus"), "kind is one of relu, .*, got 'softplus'"),
        (lambda: calc.activation(kind="relu", per_channel=True), "per_channel is for prelu alone, got it with 'relu'"),
        (lambda: calc.group_norm(size=4, channels=12, groups=5), "groups divides channels, got 5 for 12"),
        (lambda: calc.layer_norm(shape=[]), "shape is a list of axis lengths, got none"),
        (lambda: calc.separable_table(at_least=9), "at_least lies between 1 and K\\^2 = 9, got 9"),
        (lambda: calc.separable_table(out_channels=[]), "out_channels is a list of channel counts, got none"),
        (lambda: calc.memory_energy(read_bytes=4, level="disk"), "level is one of cache-8kb, .*, got 'disk'"),
        (lambda: calc.layer_memory(size=4, in_channels=1, out_channels=1, ram_kib=0), "ram_kib is a finite number"),
        (lambda: calc.energy(macs=1, off_chip="disk"), "off_chip is one of .*, got 'disk'"),
    ],
)
def test_bad_values_are_refused_in_one_sentence(ask, sentence):
    with pytest.raises(ConfigError, match=sentence):
        ask()
