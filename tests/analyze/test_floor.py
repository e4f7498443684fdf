"""Captured models: peak RAM and shares of the work, as published or computed elsewhere. Totals: test_published.py."""

from __future__ import annotations

from functools import cache

import pytest

from edgewright import zoo
from edgewright.analyze import peak, profile, schedule, trace
from edgewright.model import capture


def captured(spec, num_classes=1000):
    built = zoo.resolve(spec, num_classes=num_classes)
    return capture(built.model, built.input_shape, name=spec)


small = cache(captured)  # large models would stay in memory for the whole run


def test_the_small_cnn_layer_by_layer():
    measured = profile(small("simple_cnn", 10))
    assert (measured.params, measured.macs, measured.unknown) == (52_138, 333_056, ())
    rows = [row for row in measured.rows if row.macs]
    assert [row.params for row in rows] == [80, 1_168, 50_240, 650]
    assert [row.macs for row in rows] == [56_448, 225_792, 50_176, 640]


@pytest.mark.slow
def test_where_the_macs_of_mobilenet_v1_are():
    measured = profile(captured("mobilenet_v1"))
    convs = [row for row in measured.rows if row.op == "Conv2d"]
    depthwise = sum(row.macs for row in convs if row.macs == 9 * row.shape_out[1] * row.shape_out[2] * row.shape_out[3])
    last = next(row.macs for row in measured.rows if row.op == "Linear")
    shares = [convs[0].macs, depthwise, sum(row.macs for row in convs) - convs[0].macs - depthwise, last]
    assert [round(part / measured.macs, 4) for part in shares] == [0.0191, 0.0306, 0.9486, 0.0018]


@pytest.mark.slow
def test_mobilenet_v2_peak_ram_at_int8_by_every_convention():
    net = small("mobilenet_v2")
    measured = profile(net, dtype="int8")
    expand = next(row for row in measured.rows if row.layer == "features.2.conv.0.0")
    assert expand.activation_bytes == 112 * 112 * (16 + 96) == 1_404_928  # input + output of the widest expansion
    assert measured.peak_ram_bytes == 112 * 112 * 96 + 56 * 56 * 96 == 1_505_280  # the depthwise layer after it
    assert measured.peak_at == "features_2_conv_1_0"
    plan = schedule(trace(net))
    assert peak(plan, "int8", depthwise_in_place=True).num_bytes == 1_404_928
    assert peak(schedule(trace(net), fused=False), "int8").num_bytes == 2 * 112 * 112 * 96


@pytest.mark.slow
def test_resnet50_peak_ram_with_and_without_the_sum_in_place():
    plan = schedule(trace(captured("torchvision:resnet50")))
    assert peak(plan, "float32").num_bytes == 9_633_792
    assert peak(plan, "float32", add_in_place=True).num_bytes == 7_225_344  # the published 7.2 MB


@pytest.mark.parametrize(
    ("spec", "num_classes", "num_bytes"),
    [("resnet8", 10, 49_152), ("ds_cnn", 12, 16_000), ("mobilenet_v1:0.25@96", 2, 55_296)],
)
def test_liveness_bounds_of_the_mlperf_tiny_nets_at_int8(spec, num_classes, num_bytes):
    assert profile(small(spec, num_classes), dtype="int8").peak_ram_bytes == num_bytes


def test_the_sum_in_place_gains_nothing_at_the_peak_of_resnet8():
    plan = schedule(trace(small("resnet8", 10)))
    assert peak(plan, "int8", add_in_place=True).num_bytes == 49_152
