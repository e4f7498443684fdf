"""The models of whole networks agree with the closed forms of single layers, and both read one table."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from torch import nn

from edgewright import calc
from edgewright.analyze import profile
from edgewright.analyze.hardware import (
    ColumnEngine,
    Memories,
    SerialArray,
    bit_serial,
    compress_columns,
    energy_of,
    mac_array,
    packed_bytes,
)  # fmt: skip
from edgewright.model import capture


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_energy_of_a_linear_layer(dtype):
    net = capture(nn.Linear(8, 4, bias=False), (8,))
    measured = profile(net, dtype=dtype)
    (row,) = measured.rows
    energy = energy_of(measured, memories=Memories(sram_bytes=int(row.activation_bytes)))
    closed = calc.energy(
        macs=32, dtype=dtype, sram_bytes=row.activation_bytes, dram_bytes=row.weight_bytes,
    ).result  # fmt: skip
    assert energy.pj_per_mac == closed["pj_per_mac"]
    assert energy.energy_j == pytest.approx(closed["energy_j"])
    assert energy.share_of_data_movement == pytest.approx(closed["share_of_data_movement"])


def test_arrays_of_macs_stand_in_the_ratio_of_the_closed_forms():
    ratios = calc.energy_ratios().result
    wide, narrow, byte = mac_array(1, "float32"), mac_array(1, "int8"), mac_array(1, "int8", accumulator="int8")
    assert wide["energy_per_cycle_j"] / narrow["energy_per_cycle_j"] == pytest.approx(ratios["mac_energy"])
    assert wide["energy_per_cycle_j"] / byte["energy_per_cycle_j"] == pytest.approx(ratios["mac_energy_own_type_add"])


def test_bit_serial_speed_up():
    net = capture(nn.Sequential(nn.Conv2d(4, 8, 3), nn.Conv2d(8, 6, 3), nn.Conv2d(6, 2, 1)), (4, 12, 12))
    measured = profile(net)
    macs, bits = [row.macs for row in measured.rows], [9, 7, 3]
    ours = bit_serial(net, measured, bits=dict(zip("012", bits, strict=True))).ideal_speed_up
    assert ours == pytest.approx(calc.stripes(macs=macs, bits=bits).result["speed_up"])


@pytest.mark.parametrize("elements", [1, 4])
@pytest.mark.parametrize(("rows", "columns"), [(32, 16), (512, 160)])
def test_bytes_of_compressed_columns(rows, columns, elements):
    """Without zeros the expectation is exact; one element with 81,920 entries takes wider pointers in both."""
    closed = calc.eie(rows=rows, columns=columns, density=1, processing_elements=elements).result
    engine = ColumnEngine(num_elements=elements)
    packed = compress_columns(np.ones((rows, columns), np.float32), engine)
    assert (packed.matrix_bits + engine.table_bits) / 8 == closed["total_bytes"]


def default(function, name):
    return inspect.signature(function).parameters[name].default


def test_closed_forms_and_engines_start_from_the_same_widths():
    engine = ColumnEngine()
    for name in ("index_bits", "weight_bits", "pointer_bits"):
        assert default(calc.eie, name) == getattr(engine, name)
    assert default(calc.stripes, "parallel_bits") == SerialArray().parallel_bits


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int8", "float8", "int4"])
def test_bytes_of_2_4(dtype):
    closed = calc.sparsity(rows=12, columns=20, dtype=dtype).result
    assert packed_bytes(240, dtype) == closed["packed_bytes"]
    assert packed_bytes(240, dtype, sparse=False) == closed["dense_bytes"]
