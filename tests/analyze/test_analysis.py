"""Everything at once: what fits and who is to blame, what binds and what would help, and the whole as plain data."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from edgewright import zoo
from edgewright.analyze import Analysis, profile, remedies, roofline
from edgewright.devices import device
from edgewright.types import Device

MACHINE = Device(
    name="machine", title="A machine with round numbers", kind="mcu", clock_hz=1e6, ram_bytes=1_000, flash_bytes=1_000,
    macs_per_cycle={"float32": 1, "int8": 1}, bandwidth_bytes_s=1e6, overhead_s=1e-6, pj_per_mac={"float32": 100.0},
    pj_per_byte=3.0, round_to=1, runtimes=(),
)  # fmt: skip


class Net(nn.Module):
    """8 x 8 x 2 in; a convolution to 4 maps, a wide linear layer."""

    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.Linear(4 * 64, 10, bias=False)

    def forward(self, x):
        return self.head(torch.sigmoid(self.conv(x)).flatten(1))


def analysis(**changes):
    return Analysis(**{"model": Net(), "name": "net", "input_shape": (2, 8, 8), "device": MACHINE, **changes})


def test_what_does_not_fit_names_the_operator_the_tensors_and_the_way_out():
    ram, flash = analysis().fits()
    assert (ram.name, ram.passed, ram.value, ram.limit) == ("RAM", False, 4 * 64 * (2 + 4), 1_000)
    assert ram.blame == "the peak is at conv, where conv (1,024 bytes), x (512 bytes) are alive; at int8 it fits"
    assert (flash.passed, flash.value) == (False, 4 * (72 + 2_560))
    assert flash.blame == ("head holds 97 % of the weights (10,240 bytes); cut its channels (edgewright prune)")


def test_what_fits_blames_nobody():
    roomy = replace(MACHINE, ram_bytes=10**6, flash_bytes=None)
    (ram,) = analysis(device=roomy).fits()
    assert (ram.passed, ram.blame) == (True, "")
    assert analysis(device=None).fits() == ()


def test_where_weights_are_loaded_they_share_the_ram():
    (ram, _) = analysis(device=replace(MACHINE, kind="cpu")).fits()
    assert ram.value == 4 * (64 * 6 + 72 + 2_560)
    assert "beside 10,528 bytes of weights" in ram.blame


def test_remedies_split_the_time_by_what_binds_it():
    found = profile(Net(), input_shape=(2, 8, 8), device=MACHINE)
    rows = {row["bound"]: row for row in remedies(found, MACHINE)}
    conv, sigmoid, head = 4 * 18 * 64, 4 * 64 * 8, 4 * (2_560 + 256 + 10)
    assert set(rows) == {"compute", "memory: activations", "memory: weights"}
    assert rows["compute"]["latency_s"] == pytest.approx(1e-6 * (conv + 1))
    assert rows["memory: activations"]["latency_s"] == pytest.approx(1e-6 * (sigmoid + 1))
    assert rows["memory: weights"]["latency_s"] == pytest.approx(1e-6 * (head + 1))
    assert sum(row["share_of_latency"] for row in rows.values()) == pytest.approx(1)
    assert [row["latency_s"] for row in remedies(found, MACHINE)] == sorted(
        (row["latency_s"] for row in rows.values()), reverse=True
    )


def test_what_a_remedy_can_bring_is_the_time_without_its_resource():
    found = profile(Net(), input_shape=(2, 8, 8), device=MACHINE)
    rows = {row["bound"]: row["without_s"] for row in remedies(found, MACHINE)}
    conv_bytes, sigmoid, head_moved, head_macs = 4 * (72 + 64 * 6), 4 * 64 * 8, 4 * 266, 2_560
    head = 4 * (2_560 + 266)
    assert rows["compute"] == pytest.approx(1e-6 * (conv_bytes + sigmoid + head + 3))
    assert rows["memory: weights"] == pytest.approx(1e-6 * (4 * 18 * 64 + sigmoid + max(head_moved, head_macs) + 3))
    assert all(seconds < found.cost.latency_s for seconds in rows.values())


def test_a_machine_whose_calls_cost_most_is_bound_by_overhead():
    slow = replace(MACHINE, overhead_s=1.0)
    (row,) = remedies(profile(Net(), input_shape=(2, 8, 8), device=slow), slow)
    assert (row["bound"], row["operators"], row["share_of_latency"]) == ("overhead", 3, 1.0)
    assert row["without_s"] < 0.02


def test_the_ridge_is_peak_over_bandwidth():
    roof = roofline(profile(Net(), input_shape=(2, 8, 8), device=MACHINE), MACHINE)
    assert roof["ridge_macs_per_byte"] == 1.0
    assert {point["name"]: point["share_of_peak"] for point in roof["points"]}["conv"] == 1.0


@pytest.mark.parametrize("name", ["simple_cnn", "resnet8", "ds_cnn"])
@pytest.mark.parametrize("target", [None, "stm32f746", "generic-x86"])
def test_the_content_is_json_and_agrees_with_itself(name, target):
    built = zoo.resolve(name, num_classes=None)
    found = Analysis(
        model=built.model, name=name, input_shape=built.input_shape, dtype="int8",
        device=device(target) if target else None,
    )  # fmt: skip
    content = json.loads(json.dumps(found.content(), allow_nan=False))
    totals = content["totals"]
    assert totals["macs"] == sum(row["macs"] for row in content["operators"])
    assert totals["macs"] == content["modules"][0]["macs"] == sum(row["macs"] for row in content["types"])
    assert totals["peak_ram_bytes"] == max(sum(each["live"].values()) for each in content["memory"]["timeline"])
    assert totals["peak_ram_bytes"] == content["memory"]["variants"][0]["peak_bytes"]
    assert [row["dtype"] for row in totals["by_dtype"]] == ["float32", "float16", "int8", "int4"]
    assert (content["roofline"] is None) == (target is None)
    assert len(content["fits"]) == {None: 0, "stm32f746": 2, "generic-x86": 1}[target]
    if target:
        assert content["energy"]["energy_j"] == pytest.approx(totals["energy_j"])
    assert content["energy"]["energy_j"] == pytest.approx(sum(row["energy_j"] for row in content["energy_by_layer"]))
    for part in ("bit_operations", "bit_serial"):
        assert sum(row["macs"] for row in content[part]["rows"]) == content[part]["totals"]["macs"] == totals["macs"]
    assert content["two_four"]["totals"]["layers"] == len(content["two_four"]["rows"]) > 0


@pytest.mark.parametrize(("kind", "known"), [("mcu", False), ("cpu", True)])
def test_the_share_of_moving_data_is_not_known_where_a_mac_has_the_price_of_the_whole_chip(kind, known):
    found = analysis(device=replace(MACHINE, kind=kind))
    rows, totals = found.energy_by_layer()
    shares = [row["share_of_data_movement"] for row in (*rows, totals, found.energy())]
    assert [share is not None for share in shares] == [known] * len(shares)
    assert totals["energy_j"] == pytest.approx(found.profile.cost.energy_j)


def test_a_part_that_the_model_does_not_allow_is_none():
    content = analysis(device=None, dtype="int4").content()  # the process table knows no int4
    assert content["energy"] is content["energy_by_layer"] is None
    assert content["bit_operations"]["totals"]["macs"] == content["totals"]["macs"]


def test_energy_without_a_device_is_that_of_the_process_table_where_it_knows_the_type():
    assert analysis(device=None, dtype="int8").energy()["source"] == "45 nm"
    assert analysis(device=None, dtype="int4").energy() is None
