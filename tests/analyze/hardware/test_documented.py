"""The tables of docs/hardware.md: two whole networks, figure by figure."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import torch
from torchvision import models

from edgewright.analyze import profile
from edgewright.analyze.hardware import (
    Memories,
    bit_operations,
    bit_serial,
    compare_energy,
    energy_of,
    total_bit_operations,
    two_four,
)  # fmt: skip
from edgewright.devices import device

PAGE = (Path(__file__).parents[3] / "docs" / "hardware.md").read_text()
NETWORKS = {"resnet18": "ResNet-18", "mobilenet_v2": "MobileNet V2"}
pytestmark = pytest.mark.slow


@cache
def network(name):
    with torch.random.fork_rng(devices=[]):
        return models.get_model(name, weights=None).eval()


@cache
def measured(name, dtype="float32", batch=1):
    return profile(network(name), input_shape=(3, 224, 224), dtype=dtype, batch=batch)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_energy_by_type(name, dtype):
    rows = [row for row in PAGE.splitlines() if f"| {dtype} |" in row and "mJ" in row]
    first, last = compare_energy([measured(name), measured(name, dtype)])
    figures = [last[key] * 1e3 for key in ("compute_j", "weight_movement_j", "activation_movement_j")]
    shown = [f"{value:.3f} mJ" for value in figures] + [f"{last['share_of_data_movement']:.1%}".replace("%", " %")]
    assert first["times_less"] == 1
    assert any(all(cell in row for cell in shown) for row in rows), shown


@pytest.mark.parametrize("name", NETWORKS)
def test_energy_by_size_of_the_sram(name):
    lines = [line for line in PAGE.splitlines() if line.startswith(f"| {NETWORKS[name]} |")]
    (cells,) = (line.strip("|").split("|")[1:] for line in lines if line.count("mJ") == 6)
    sizes = (0, 32 * 2**10, 320 * 2**10, 2**20, 8 * 2**20, 64 * 2**20)
    energies = [energy_of(measured(name, "int8"), memories=Memories(sram_bytes=size)).energy_j for size in sizes]
    assert [f"{energy * 1e3:.3f} mJ" for energy in energies] == [cell.strip() for cell in cells]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("bits", [9, 8, 5])
def test_bit_serial_speed_up(name, bits):
    total = bit_serial(network(name), measured(name), bits=bits).total()
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| {bits} |"))
    assert f"| {total['ideal_speed_up']:.3f} | {total['speed_up']:.3f} |" in row


def test_the_array_is_busy_as_documented():
    shares = [bit_serial(network(name), measured(name), bits=8).total()["utilization"] for name in NETWORKS]
    assert [round(share, 4) for share in shares] == [0.3017, 0.0035]
    cycles = [bit_serial(network(name), measured(name), bits=8).total()["parallel_cycles"] for name in NETWORKS]
    assert cycles[1] / cycles[0] == pytest.approx(14, abs=0.5)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_2_4_on_a_server(name, dtype):
    server = device("cloud-gpu")
    totals = [two_four(network(name), measured(name, dtype, batch), device=server).total() for batch in (1, 64)]
    lines = [line for line in PAGE.splitlines() if f"{totals[0]['allowed_layers']} of {totals[0]['layers']}" in line]
    row = next(line for line in lines if f"| {dtype} |" in line)
    assert f"{totals[0]['dense_bytes'] / 1e6:.2f} → {totals[0]['packed_bytes'] / 1e6:.2f} MB" in row
    for total in totals:
        assert f" µs, {total['speed_up']:.2f} |" in row


def test_bit_operations_of_resnet_18():
    totals = [total_bit_operations(bit_operations(network("resnet18"), measured("resnet18", dtype)))
              for dtype in ("float32", "int8")]  # fmt: skip
    assert [f"{total['bit_operations']:.3e}" for total in totals] == ["1.858e+12", "1.161e+11"]
