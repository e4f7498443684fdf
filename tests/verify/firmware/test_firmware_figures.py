"""The table of docs/firmware.md is that of the committed measurement."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ROWS = json.loads((ROOT / "benchmarks" / "results" / "firmware.json").read_text(encoding="utf-8"))["rows"]


def test_both_networks_were_measured_on_two_cores():
    assert {(row["net"], row["core"]) for row in ROWS} == {
        (net, core) for net in ("resnet8", "mobilenet_v1") for core in ("M4", "M55")
    }


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['net']}-{row['core']}")
def test_no_byte_differs_and_the_page_has_the_figures(row):
    assert row["differing_bytes"] == 0 and row["compared_bytes"] > 300_000
    assert all(layer["differing_bytes"] == 0 for layer in row["layers"])
    assert sum(layer["macs"] for layer in row["layers"]) == row["macs"]
    count, other = max(row["instructions"]), row["open_kernels"]["instructions"]
    line = (
        f"| {row['net']} | {row['core']} | {count / 1e6:.1f} M | {row['instructions_per_mac']:.2f} "
        f"| {other / 1e6:.1f} M | {row['ram_bytes']:,} ({row['stack_bytes']}) "
        f"| {row['flash_bytes']:,} | 0 of {row['compared_bytes']:,} |"
    )
    assert line in (ROOT / "docs" / "firmware.md").read_text(encoding="utf-8")


def test_layers_add_up_to_the_whole_within_what_the_page_says():
    shares = [sum(layer["instructions"] for layer in row["layers"]) / max(row["instructions"]) - 1 for row in ROWS]
    text = (ROOT / "docs" / "firmware.md").read_text(encoding="utf-8")
    assert f"from {-min(shares):.1%} less to {max(shares):.1%} more".replace("%", " %") in text
