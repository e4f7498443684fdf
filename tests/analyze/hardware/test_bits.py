"""Effective MACs and bit operations: hand counts, a brute-force count of products, bits of quantized models."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn
from torch.nn import functional

from edgewright.analyze import profile
from edgewright.analyze.hardware import activation_bits, bit_operations, bit_serial, total_bit_operations, weight_bits
from edgewright.compress.quantize import Precision, observe, plan_quantizers, ranges_of, simulate
from edgewright.errors import ConfigError
from edgewright.model import capture, rewrite
from edgewright.model.quantized import QUANTIZED, QuantizeActivation


@pytest.fixture(scope="module")
def half_zero():
    """A convolution without padding and a linear layer, each with half its weights zero."""
    net = capture(nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2)), (2, 6, 6))
    with torch.no_grad():
        for path in ("0", "3"):
            net.get_submodule(path).weight.flatten()[::2] = 0
    return net


def quantized(net, *, bits, input_bits):
    """A quantizer before every layer, and layers with integer weights."""

    def edit(changed):
        for index, node in enumerate(list(changed.graph.nodes)):
            layer = changed.get_submodule(node.target) if node.op == "call_module" else None
            if type(layer) not in QUANTIZED:
                continue
            changed.add_submodule(f"quantizer{index}", QuantizeActivation(bits=input_bits))
            with changed.graph.inserting_before(node):
                node.args = (changed.graph.call_module(f"quantizer{index}", node.args),)
            arguments = {"bits": bits, "bias": layer.bias is not None}
            twin = (
                QUANTIZED[nn.Linear](layer.in_features, layer.out_features, **arguments)
                if isinstance(layer, nn.Linear)
                else QUANTIZED[nn.Conv2d](layer.in_channels, layer.out_channels, layer.kernel_size, **arguments)
            )
            twin.weight = layer.weight
            changed.set_submodule(node.target, twin)

    return rewrite(net, edit)


def test_bit_operations_by_hand(half_zero):
    rows = bit_operations(half_zero, profile(half_zero, dtype="int8"), weights={"0": 4}, activations=6)
    macs = 4 * 4 * 4 * 18
    assert [row["macs"] for row in rows] == [macs, 128]
    assert [row["effective_macs"] for row in rows] == [macs // 2, 64]
    assert [(row["weight_bits"], row["activation_bits"]) for row in rows] == [(4, 6), (8, 6)]
    assert [row["bit_operations"] for row in rows] == [macs * 24, 128 * 48]
    assert [row["effective_bit_operations"] for row in rows] == [macs * 12, 64 * 48]
    total = total_bit_operations(rows)
    assert total["bit_operations"] == macs * 24 + 128 * 48
    assert total["times_less_than_float32"] == pytest.approx(1024 * (macs + 128) / (macs * 24 + 128 * 48))
    assert json.dumps([rows, total], allow_nan=False)


def test_effective_macs_are_the_products_with_a_non_zero_weight(half_zero):
    layer = half_zero.get_submodule("0")
    used = functional.conv2d(torch.ones(1, 2, 6, 6), (layer.weight != 0).float()).sum()
    assert bit_operations(half_zero, profile(half_zero))[0]["effective_macs"] == int(used)


def test_a_float_model_has_the_bits_of_the_profiles_type(net):
    for dtype, bits in (("float32", 32), ("float16", 16), ("int8", 8), ("int4", 4)):
        measured = profile(net, dtype=dtype)
        rows = bit_operations(net, measured)
        assert {(row["weight_bits"], row["activation_bits"]) for row in rows} == {(bits, bits)}
        assert sum(row["macs"] for row in rows) == measured.macs
        assert total_bit_operations(rows)["times_less_than_float32"] == pytest.approx((32 / bits) ** 2)


def test_a_product_of_activations_counts_in_full(net, measured):
    (product,) = [row for row in bit_operations(net, measured) if row["layer"] == ""]
    assert product["effective_macs"] == product["macs"] == 8 * 8 * 36


def test_a_quantized_model_brings_its_own_bits(half_zero):
    twin = quantized(half_zero, bits=4, input_bits=6)
    assert weight_bits(twin) == {"0": 4, "3": 4}
    assert activation_bits(twin) == {"0": 6, "3": 6}
    rows = bit_operations(twin, profile(twin, dtype="int8"))
    assert {(row["weight_bits"], row["activation_bits"]) for row in rows} == {(4, 6)}
    assert [row.bits for row in bit_serial(twin, profile(twin)).rows] == [6, 16]  # linear layers are not sped up
    floats = bit_operations(twin, profile(twin, dtype="float32"))
    assert {row["weight_bits"] for row in floats} == {32}


def test_bits_are_found_where_the_quantizer_left_them(images_BCHW):
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Dropout(0.1), nn.Flatten(),
        nn.Linear(72, 5),
    )  # fmt: skip
    float_net = capture(model, (3, 12, 12))
    plan = plan_quantizers(float_net)
    ranges = ranges_of(observe(float_net, plan, images_BCHW), method="minmax", percentile=100.0)
    twin = simulate(float_net, plan, ranges, precision=Precision(weights=5))
    assert weight_bits(twin) == {"0": 5, "3": 5, "7": 5}
    assert activation_bits(twin) == {"0": 8, "3": 8, "7": 8}
    assert bit_serial(twin, profile(twin)).rows[0].bits == 8


def test_a_weight_that_rounds_to_zero_is_zero(half_zero):
    twin = quantized(half_zero, bits=4, input_bits=8)
    layer = twin.get_submodule("3")
    layer.set_grid(weight_scale=torch.full((2,), 100.0), input_scale=torch.ones(()))
    assert bit_operations(twin, profile(twin, dtype="int8"))[1]["effective_macs"] == 0


def test_a_layer_that_is_not_there_is_refused(half_zero, net, measured):
    with pytest.raises(ConfigError, match=r"no layer 'stam' to give bits to: did you mean stem\?"):
        bit_operations(net, measured, weights={"stam": 4})
    with pytest.raises(ConfigError, match=r"whole number of at least 1, got 2.5 for 'stem'"):
        bit_operations(net, measured, activations={"stem": 2.5})
