"""2:4: published bytes, limits of the gain, the profile's latency as oracle, and no claim without a kernel."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from edgewright.analyze import profile
from edgewright.analyze.hardware import SPARSE_RATE, is_two_four, packed_bytes, two_four
from edgewright.devices import device, device_names
from edgewright.errors import ConfigError
from edgewright.model import capture
from edgewright.technology import VALUE_BITS
from edgewright.types import LatencyTable


@pytest.mark.parametrize(
    ("dtype", "dense", "packed"),
    [
        ("float16", 2_097_152, 1_179_648), ("bfloat16", 2_097_152, 1_179_648), ("int8", 1_048_576, 655_360),
        ("float8", 1_048_576, 655_360), ("int4", 524_288, 393_216), ("float32", 4_194_304, 2_228_224),
    ],
)  # fmt: skip
def test_bytes_of_a_matrix_of_1024_x_1024(dtype, dense, packed):
    assert packed_bytes(1024 * 1024, dtype, sparse=False) == dense
    assert packed_bytes(1024 * 1024, dtype) == packed


def test_a_layer_needs_four_input_channels_per_group(net, measured):
    rows = {row.layer: row for row in two_four(net, measured).rows if row.weights}
    assert {layer: row.allowed for layer, row in rows.items()} == {
        "stem": False, "depth": False, "grouped": True, "head": True,
    }  # fmt: skip
    assert rows["stem"].reason == "3 input channels per group are no multiple of 4"
    assert rows["stem"].packed_bytes == rows["stem"].dense_bytes == 4 * 8 * 27
    assert rows["head"].packed_bytes == packed_bytes(40, "float32") < rows["head"].dense_bytes


def test_a_weight_bound_layer_gains_1_778_at_float16_and_a_compute_bound_one_2():
    server = replace(device("cloud-gpu"), overhead_s=1e-15)
    narrow = capture(nn.Linear(1024, 1024, bias=False), (1024,))
    (row,) = [row for row in two_four(narrow, profile(narrow, dtype="float16"), device=server).rows if row.weights]
    assert row.bound == "memory"
    assert 1.775 < row.speed_up < 64 / 36
    wide = capture(nn.Conv2d(128, 128, 3, padding=1, bias=False), (128, 64, 64))
    (row,) = [row for row in two_four(wide, profile(wide, dtype="float16"), device=server).rows if row.weights]
    assert row.bound == "compute"
    assert row.speed_up == pytest.approx(2)


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_dense_times_are_those_of_the_profile(net, machine, dtype):
    priced = profile(net, device=machine, dtype=dtype)
    result = two_four(net, priced, device=machine)
    want = [row.latency_s for row in priced.rows if row.fused_into is None]
    assert [row.latency_s for row in result.rows] == pytest.approx(want)
    assert result.total()["latency_s"] == pytest.approx(priced.cost.latency_s)


def test_on_a_calibrated_device_dense_times_are_measured_and_gains_those_of_the_roofline(net, machine):
    points = tuple((float(i * o), float(i), float(o), 1e-3) for i in (4, 8) for o in (4, 8))  # a millisecond each
    table = LatencyTable(
        runtime="a runtime", machine="a machine", threads=1, call_overhead_s=0.5,
        points={"float32": {"linear_vector": points}},
    )  # fmt: skip
    calibrated = replace(machine, latency_table=table)
    priced = profile(net, device=calibrated)
    found, sheet = (two_four(net, priced, device=each, rates={"float32": 2.0}) for each in (calibrated, machine))
    assert [row.latency_s for row in found.rows] == [row.latency_s for row in priced.rows if row.fused_into is None]
    assert found.total()["latency_s"] == pytest.approx(priced.cost.latency_s)
    assert [row.speed_up for row in found.rows] == pytest.approx([row.speed_up for row in sheet.rows])
    head, on_sheet = found.rows[-1], sheet.rows[-1]
    assert head.allowed and head.latency_s > 4 * on_sheet.latency_s
    saved_s = sum(row.latency_s - row.sparse_latency_s for row in found.rows)
    assert found.total()["sparse_latency_s"] == pytest.approx(priced.cost.latency_s - saved_s)


@pytest.fixture(scope="module")
def at_int8(net):
    return profile(net, dtype="int8")


@given(rate=st.floats(1, 4))
def test_the_network_gains_no_more_than_amdahl_allows(net, machine, at_int8, rate):
    total = two_four(net, at_int8, device=machine, rates={"int8": rate}).total()
    share = total["share_of_latency"]
    assert 1 <= total["speed_up"] <= 1 / (1 - share + share / max(rate, 32 / 20)) * (1 + 1e-9)


def test_a_device_without_kernels_gains_nothing(net, machine):
    result = two_four(net, profile(net, dtype="int8"), device=machine)
    assert result.kernel == result.total()["kernel"] == "no kernel"
    assert all(row.sparse_latency_s is None and row.speed_up is None for row in result.rows)
    assert result.total()["speed_up"] is None
    assert result.total()["packed_bytes"] < result.total()["dense_bytes"]  # bytes are saved all the same


@pytest.mark.parametrize("dtype", ["float32", "int4"])
def test_types_whose_kernels_take_another_pattern_have_none(net, dtype):
    assert two_four(net, profile(net, dtype=dtype), device=device("cloud-gpu")).kernel == "no kernel"


def test_every_device_with_kernels_is_a_device():
    assert set(SPARSE_RATE) <= set(device_names())
    for rates in SPARSE_RATE.values():
        assert set(rates) <= set(VALUE_BITS) - {"float32", "tf32", "int4", "float4"}


def test_the_pattern_is_looked_for_along_the_input_channels():
    layer = nn.Conv2d(4, 2, 3)
    assert not is_two_four(layer)
    with torch.no_grad():
        layer.weight[:, :2] = 0
    assert is_two_four(layer)
    linear = nn.Linear(8, 3)
    with torch.no_grad():
        linear.weight[:, 4:] = 0  # four of eight, but not two of each four
    assert not is_two_four(linear)
    transposed = nn.ConvTranspose2d(4, 2, 2)
    with torch.no_grad():
        transposed.weight[2:] = 0
    assert is_two_four(transposed)
    assert not is_two_four(nn.Conv2d(3, 2, 1))


def test_rows_are_plain_data(net, machine):
    result = two_four(net, profile(net, dtype="int8"), device=machine, rates={"int8": 2.0})
    assert json.dumps([result.by_layer(), result.total()], allow_nan=False)
    assert [row["layer"] for row in result.by_layer()] == ["stem", "depth", "grouped", "head"]
    assert result.kernel == "2x dense rate"


def test_impossible_rates_are_refused(net, measured, machine):
    with pytest.raises(ConfigError, match="at least as fast as the dense one"):
        two_four(net, measured, device=machine, rates={"float32": 0.5})
    with pytest.raises(ConfigError, match="those of a device, got none"):
        two_four(net, measured, rates={"float32": 2.0})
