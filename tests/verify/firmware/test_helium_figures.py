"""The tables of docs/firmware.md on Helium are those of the committed measurement."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MADE = json.loads((ROOT / "benchmarks" / "results" / "firmware_helium.json").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs" / "firmware.md").read_text(encoding="utf-8")
MOST = {"resnet8": 4_300_000, "mobilenet_v1": 4_500_000, "ds_cnn": 1_780_000}


@pytest.mark.parametrize("row", MADE["rows"], ids=lambda row: row["net"])
def test_networks_take_fewer_instructions_than_the_open_kernels_and_no_byte_differs(row):
    count = row["instructions"]
    assert row["differing_bytes"] == 0 and row["compared_bytes"] > 100_000
    assert count < MOST[row["net"]] < row["open_kernels"] + 1
    line = f"| {row['net']} | {count:,} | {row['instructions_per_mac']:.3f} | {row['open_kernels']:,} |"
    assert line in PAGE and f"| {row['arena_bytes']:,} | 0 of {row['compared_bytes']:,} |" in PAGE


def test_layers_take_fewer_instructions_a_mac_than_the_open_kernels():
    first = {}
    for row in MADE["rows"]:
        for layer in row["layers"]:
            first.setdefault(layer["layer"], layer)
    for name, other in MADE["open_layers"].items():
        ours = first[name]["instructions"] / first[name]["macs"]
        assert ours < other and f"| {name} | {ours:.3f} | {other:.2f} |" in PAGE
