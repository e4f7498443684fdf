"""Joules of a network: hand counts, the profile's own energy as oracle, ratios of the 45 nm table."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from edgewright.analyze import profile
from edgewright.analyze.hardware import Memories, compare_energy, energy_of, mac_array
from edgewright.analyze.hardware.energy import PARTS
from edgewright.errors import ConfigError
from edgewright.model import capture
from edgewright.technology import NM45, pj_per_byte


@pytest.fixture(scope="module")
def linear():
    return capture(nn.Linear(4, 2, bias=False), (4,))


def test_a_linear_layer_by_hand_with_everything_in_dram(linear):
    energy = energy_of(profile(linear), memories=Memories(sram_bytes=0))
    (row,) = energy.rows
    assert (row.weights_in, row.activations_in) == ("DRAM", "DRAM")
    assert row.compute_j == pytest.approx(8 * 4.6e-12)
    assert row.weight_movement_j == pytest.approx(8 * 4 * 160e-12)
    assert row.activation_movement_j == pytest.approx(6 * 4 * 160e-12)
    assert row.elementwise_j == 0
    moved = 14 * 4 * 160
    assert energy.share_of_data_movement == pytest.approx(moved / (moved + 8 * 4.6))


def test_weights_stay_on_chip_only_if_all_of_them_and_the_peak_fit(linear):
    weights, peak = 8 * 4, 6 * 4
    fits = energy_of(profile(linear), memories=Memories(sram_bytes=weights + peak))
    assert fits.weights_fit and fits.rows[0].weights_in == "SRAM"
    assert fits.rows[0].weight_movement_j == pytest.approx(weights * 1.25e-12)
    short = energy_of(profile(linear), memories=Memories(sram_bytes=weights + peak - 1))
    assert (short.rows[0].weights_in, short.rows[0].activations_in) == ("DRAM", "SRAM")
    spilled = energy_of(profile(linear), memories=Memories(sram_bytes=peak - 1))
    assert spilled.rows[0].activations_in == "DRAM"


def test_int8_products_are_added_in_int32(linear):
    energy = energy_of(profile(linear, dtype="int8"))
    assert energy.pj_per_mac == pytest.approx(0.2 + 0.1)
    assert energy.of("compute_j") == pytest.approx(8 * 0.3e-12)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_a_device_gives_the_energy_of_the_profile(net, machine, dtype):
    priced = profile(net, device=machine, dtype=dtype)
    energy = energy_of(priced, device=machine)
    for row, theirs in zip(energy.rows, priced.rows, strict=True):
        assert row.energy_j == pytest.approx(theirs.energy_j)
    assert energy.energy_j == pytest.approx(priced.cost.energy_j)
    assert energy.source == energy.rows[0].weights_in == "machine"


def test_a_fused_clamp_costs_operations_and_moves_nothing(measured):
    clamps = [row for row in energy_of(measured).rows if row.op == "aten.relu"]
    assert clamps
    for row in clamps:
        assert row.elementwise_j > 0
        assert row.weight_movement_j == row.activation_movement_j == row.compute_j == 0


@given(sizes=st.lists(st.integers(0, 20_000), min_size=2, max_size=2))
def test_a_larger_sram_never_costs_more_and_rows_add_up(measured, sizes):
    small, large = (energy_of(measured, memories=Memories(sram_bytes=size)) for size in sorted(sizes))
    assert large.energy_j <= small.energy_j * (1 + 1e-12)
    for energy in (small, large):
        rows, total = energy.by_layer(), energy.total()
        for name in (*PARTS, "energy_j"):
            assert sum(row[name] for row in rows) == pytest.approx(total[name])
        assert sum(row["share_of_energy"] for row in rows) == pytest.approx(1)
        assert json.dumps([rows, total], allow_nan=False)


def test_types_side_by_side(net):
    rows = compare_energy([profile(net, dtype=dtype) for dtype in ("float32", "float16", "int8")])
    assert [row["dtype"] for row in rows] == ["float32", "float16", "int8"]
    assert rows[0]["times_less"] == 1 < rows[1]["times_less"] < rows[2]["times_less"]
    assert rows[0]["compute_j"] / rows[2]["compute_j"] == pytest.approx(46 / 3)  # 4.6 pJ against 0.3 pJ
    assert len({row["macs"] for row in rows}) == 1


def test_area_and_energy_of_an_array_of_macs():
    array = mac_array(256, "int8")
    assert (array["accumulator"], array["mac_um2"]) == ("int32", 282 + 137)
    assert array["area_um2"] == 256 * 419
    assert array["energy_per_cycle_j"] == pytest.approx(256 * 0.3e-12)
    assert mac_array(1, "float32")["area_um2"] == 7700 + 4184
    assert mac_array(1, "int8", accumulator="int8")["area_um2"] == 282 + 36


def test_bytes_by_level_of_memory():
    assert pj_per_byte("cache-8kb") == NM45.sram_pj_per_byte == 1.25
    assert (pj_per_byte("cache-32kb"), pj_per_byte("cache-1mb")) == (2.5, 12.5)
    assert NM45.dram_pj_per_byte == pytest.approx(pj_per_byte("dram-least"), rel=0.02)  # 640 against 1,300 / 2 pJ


def test_what_the_table_does_not_know_is_refused(linear, machine):
    with pytest.raises(ConfigError, match="one of int8, int32, float16, float32 in the 45 nm table, got 'int4'"):
        energy_of(profile(linear, dtype="int4"))
    with pytest.raises(ConfigError, match="a device or memories, got both"):
        energy_of(profile(linear), device=machine, memories=Memories())
    with pytest.raises(ConfigError, match="sram_bytes is 0 or more, got -1"):
        Memories(sram_bytes=-1)
    with pytest.raises(ConfigError, match="dram_pj_per_byte is 0 or more, got nan"):
        Memories(dram_pj_per_byte=float("nan"))
    with pytest.raises(ConfigError, match="at least one MAC, got 0"):
        mac_array(0, "int8")
