"""The tables of docs/firmware.md are those of the committed measurement."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ROWS = json.loads((ROOT / "benchmarks" / "results" / "firmware.json").read_text(encoding="utf-8"))["rows"]
PAGE = (ROOT / "docs" / "firmware.md").read_text(encoding="utf-8")
NETS = ("resnet8", "mobilenet_v1", "ds_cnn", "mobilenet_v2")
MOST_INSTRUCTIONS = {  # what each core's own kernels must stay below
    ("resnet8", "M4"): 18e6, ("mobilenet_v1", "M4"): 15e6, ("ds_cnn", "M4"): 5.2e6, ("resnet8", "M55"): 5.5e6,
}  # fmt: skip


def name(row):
    return f"{row['net']} {row['core']} {row['kernels']}{' slim' if row['slim'] else ''}"


def millions(count):
    return f"{count / 1e6:.2f} M"


def table_row(row):
    """The row of a case as the page has it."""
    cycles = row["cycles"]
    modelled = millions(cycles["least"]) if cycles and cycles["label"] == "modelled" else ""
    other = millions(row["open_kernels"]["instructions"]) if row["open_kernels"] else ""
    net = f"{row['net']}, without dead channels" if row["slim"] else row["net"]
    return (
        f"| {net} | {row['core']} {row['kernels']} | {millions(row['instructions'])} "
        f"| {row['instructions_per_mac']:.2f} | {other} | {modelled} | {row['arena_bytes']:,} "
        f"| {row['ram_bytes']:,} ({row['stack_bytes']}) | {row['flash_bytes']:,} |"
    )


def layer_row(layer):
    per_mac = "" if layer["per_mac"] is None else f"{layer['per_mac']:.2f}"
    return (
        f"| {layer['kind']} {layer['output']} | {layer['macs']:,} | {layer['instructions']:,} | {per_mac} "
        f"| {layer['modelled_cycles']:,} |"
    )


def test_four_networks_were_measured_with_the_kernels_of_two_cores_and_one_on_all_five():
    found = {(row["net"], row["core"], row["kernels"], row["slim"]) for row in ROWS}
    assert {
        (net, *way, False) for net in NETS for way in (("M4", "dsp"), ("M55", "helium"), ("M4", "portable"))
    } <= found
    assert {("mobilenet_v1", "M4", "dsp", True), ("mobilenet_v1", "M55", "helium", True)} <= found
    assert {core for net, core, *_ in found if net == "resnet8"} == {"M3", "M4", "M7", "M33", "M55"}


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_no_byte_differs_on_twenty_images_and_the_page_has_the_figures(row):
    assert row["images"] >= 20 and row["differing_bytes"] == row["host"]["differing_bytes"] == 0
    assert row["compared_bytes"] == row["host"]["compared_bytes"] > 500_000
    assert all(layer["differing_bytes"] == 0 for layer in row["layers"])
    assert sum(layer["macs"] for layer in row["layers"]) == row["macs"]
    assert table_row(row) in PAGE


@pytest.mark.parametrize(("net", "core"), MOST_INSTRUCTIONS)
def test_each_cores_own_kernels_stay_below_their_limits(net, core):
    (row,) = [row for row in ROWS if (row["net"], row["core"], row["slim"]) == (net, core, False)
              and row["kernels"] != "portable"]  # fmt: skip
    assert row["instructions"] <= MOST_INSTRUCTIONS[net, core]


def test_the_layers_of_resnet8_stand_in_the_page():
    (row,) = [row for row in ROWS if name(row) == "resnet8 M4 dsp"]
    assert all(layer_row(layer) in PAGE for layer in row["layers"])


def test_layers_add_up_to_the_whole_within_what_the_page_says():
    shares = [sum(layer["instructions"] for layer in row["layers"]) / row["instructions"] - 1 for row in ROWS]
    assert f"from {-min(shares):.1%} less to {max(shares):.1%} more".replace("%", " %") in PAGE


def test_bytes_that_were_compared_are_told_in_the_page():
    total = sum(row["compared_bytes"] + row["host"]["compared_bytes"] for row in ROWS)
    assert f"{total:,} bytes" in PAGE
