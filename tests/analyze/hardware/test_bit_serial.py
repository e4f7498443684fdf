"""Bit-serial cycles: the published closed form, a loop over the array as oracle, and what can never be."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from edgewright.analyze import profile
from edgewright.analyze.hardware import SerialArray, bit_serial
from edgewright.errors import ConfigError
from edgewright.model import capture


@pytest.fixture(scope="module")
def three():
    """Three convolutions whose MACs are as 1 to 2 to 1.5."""
    return capture(nn.Sequential(nn.Conv2d(4, 4, 1), nn.Conv2d(4, 8, 1), nn.Conv2d(8, 3, 1)), (4, 16, 16))


def test_three_layers_at_9_8_and_5_bits(three):
    result = bit_serial(three, profile(three), bits={"0": 9, "1": 8, "2": 5})
    assert [row.macs / 4096 for row in result.rows] == [1, 2, 1.5]
    assert result.ideal_speed_up == pytest.approx(2.21538, abs=5e-6)
    assert result.speed_up == pytest.approx(3 * 16 / (9 + 8 + 5))  # each layer fills one step of the array


@pytest.mark.parametrize(("bits", "speed_up"), [(16, 1), (9, 1.778), (8, 2), (4, 4), (1, 16)])
def test_one_precision_gives_16_over_p(three, bits, speed_up):
    result = bit_serial(three, profile(three), bits=bits)
    assert result.ideal_speed_up == pytest.approx(speed_up, abs=5e-4)
    assert result.speed_up == pytest.approx(speed_up, abs=5e-4)  # 256 windows fill the 16 of the array


def counted(product_shape, engine, bits):
    """Steps of both engines, one by one: groups, windows, filters, places, channels."""
    groups, filters, channels, places, windows = product_shape
    steps = sum(
        1
        for _ in range(groups)
        for _ in range(0, filters, engine.filters)
        for _ in range(places)
        for _ in range(0, channels, engine.lanes)
    )
    serial = sum(bits * steps for _ in range(0, windows, engine.windows))
    return windows * steps, min(serial, windows * steps)


@given(
    engine=st.builds(
        SerialArray, tiles=st.integers(1, 3), filters_per_tile=st.integers(1, 5), lanes=st.integers(1, 5),
        windows=st.integers(1, 16),
    ),
    bits=st.integers(1, 16),
)  # fmt: skip
def test_cycles_are_those_of_a_walk_over_the_array(net, measured, engine, bits):
    result = bit_serial(net, measured, bits=bits, array=engine)
    rows = {row.layer: row for row in result.rows}
    shapes = {"stem": (1, 8, 3, 9, 36), "depth": (8, 1, 1, 9, 36), "grouped": (2, 4, 4, 1, 36)}
    for layer, shape in shapes.items():
        assert (rows[layer].parallel_cycles, rows[layer].serial_cycles) == counted(shape, engine, bits)
    for row in result.rows:
        assert row.serial_cycles <= row.parallel_cycles
        assert row.utilization <= 1


@given(first=st.integers(1, 16), second=st.integers(1, 16))
def test_fewer_bits_never_take_more_cycles(net, measured, first, second):
    low, high = (bit_serial(net, measured, bits=bits).total() for bits in sorted((first, second)))
    assert low["serial_cycles"] <= high["serial_cycles"]
    assert low["ideal_serial_cycles"] <= high["ideal_serial_cycles"]
    assert low["parallel_cycles"] == high["parallel_cycles"]


def test_linear_layers_and_products_of_activations_are_not_sped_up(net, measured):
    rows = {row.name: row for row in bit_serial(net, measured, bits=4).rows}
    head = next(row for row in rows.values() if row.layer == "head")
    product = next(row for row in rows.values() if row.layer == "")
    for row in (head, product):
        assert row.bits == 16
        assert row.serial_cycles == row.parallel_cycles
        assert row.ideal_serial_cycles == row.ideal_parallel_cycles
    with_linear = next(row for row in bit_serial(net, measured, bits=4, linear=True).rows if row.layer == "head")
    assert with_linear.ideal_parallel_cycles / with_linear.ideal_serial_cycles == 4


def test_a_convolution_with_one_window_runs_at_the_bit_parallel_rate():
    net = capture(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 4, 1)), (4, 8, 8))
    (row,) = bit_serial(net, profile(net), bits=8).rows
    assert row.serial_cycles == row.parallel_cycles == 1


def test_a_depthwise_convolution_leaves_the_array_idle(net, measured):
    depth = next(row for row in bit_serial(net, measured, bits=8).rows if row.layer == "depth")
    assert depth.utilization == 1 / (256 * 16)


def test_layers_that_are_not_named_take_the_full_width(three):
    rows = bit_serial(three, profile(three), bits={"1": 4}).rows
    assert [row.bits for row in rows] == [16, 4, 16]
    assert bit_serial(three, profile(three)).speed_up == 1  # a float model has no precisions of its own


def test_rows_are_plain_data_that_add_up(net, measured):
    result = bit_serial(net, measured, bits=8)
    rows, total = result.by_layer(), result.total()
    assert json.dumps([rows, total], allow_nan=False)
    for name in ("macs", "parallel_cycles", "serial_cycles", "ideal_serial_cycles"):
        assert sum(row[name] for row in rows) == pytest.approx(total[name])
    assert total["speed_up"] == total["parallel_cycles"] / total["serial_cycles"]
    assert total["macs"] == measured.macs


def test_wrong_bits_and_a_wrong_array_are_refused(three):
    measured = profile(three)
    with pytest.raises(ConfigError, match="The engine is 16 bits wide, got 17 bits for '0'"):
        bit_serial(three, measured, bits=17)
    with pytest.raises(ConfigError, match="no layer 'conv' to give bits to: layers are 0, 1, 2"):
        bit_serial(three, measured, bits={"conv": 8})
    with pytest.raises(ConfigError, match="whole number of at least 1, got 0 for '0'"):
        bit_serial(three, measured, bits=0)
    with pytest.raises(ConfigError, match=r"SerialArray.lanes is a whole number of at least 1, got 0"):
        SerialArray(lanes=0)
