"""The digits tables of docs/hardware.md are those of the committed result, and the result is what the models give."""

from __future__ import annotations

import importlib.util
import json
from functools import cache
from pathlib import Path

import pytest

from edgewright.analyze import profile
from edgewright.analyze.hardware import bit_serial, sparse_columns
from edgewright.data import load_data

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "hardware.md").read_text()
RUNS = json.loads((ROOT / "benchmarks" / "results" / "hardware_digits.json").read_text())["runs"]
LAYERS = ("0", "2", "6", "8")


@cache
def benchmark():
    spec = importlib.util.spec_from_file_location("hardware_digits", ROOT / "benchmarks" / "hardware_digits.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def over_seeds(table, number):
    found = [run[table][number]["test_accuracy"] for run in RUNS]
    return f"{min(found):.1f} to {max(found):.1f} %"


@pytest.mark.parametrize("number", range(len(RUNS[0]["bits"])))
def test_the_page_shows_the_bits_that_were_found(number):
    row = RUNS[0]["bits"][number]
    shown = f"| {row['min_sqnr_db']} dB | {', '.join(map(str, row['bits']))} | {row['test_accuracy']:.1f} % | "
    shown += f"{over_seeds('bits', number)} | {row['ideal_speed_up']:.2f} | {row['ideal_speed_up_with_linear']:.2f} |"
    assert shown in PAGE


def test_the_page_shows_the_worst_loss_at_each_ratio():
    losses = [max(run["test_accuracy"] - run["bits"][number]["test_accuracy"] for run in RUNS) for number in range(4)]
    assert losses[0] == 0
    assert "nothing at 40 dB, {:.1f} points at 30, {:.1f} at 20 and {:.1f} at 10".format(*losses[1:]) in PAGE


@pytest.mark.parametrize("number", range(len(RUNS[0]["sparse_columns"])))
def test_the_page_shows_the_cycles_that_were_found(number):
    row = RUNS[0]["sparse_columns"][number]
    shown = f"| {row['keep']:.0%} | {row['test_accuracy']:.1f} % | ".replace("%", " %", 1)
    shown += f"{over_seeds('sparse_columns', number)} | {row['sparse_bytes']:,} | {row['lockstep_cycles']:,.0f} | "
    shown += f"{row['cycles']:,.0f} | {row['unlimited_cycles']:,.0f} | {row['speed_up']:.2f} | "
    assert shown + f"{row['load_balance']:.2f} |" in PAGE


def test_speed_ups_and_bytes_follow_from_the_shapes_alone():
    net = benchmark().untrained(0)
    measured = profile(net, input_shape=(1, 8, 8))
    for row in RUNS[0]["bits"]:
        bits = dict(zip(LAYERS, row["bits"], strict=True))
        assert bit_serial(net, measured, bits=bits).ideal_speed_up == pytest.approx(row["ideal_speed_up"])
        whole = bit_serial(net, measured, bits=bits, linear=True).ideal_speed_up
        assert whole == pytest.approx(row["ideal_speed_up_with_linear"])
    dense = sparse_columns(net, measured).total()
    assert (dense["dense_bytes"], dense["sparse_bytes"]) == (1_133_696, RUNS[0]["sparse_columns"][0]["sparse_bytes"])


@pytest.mark.slow
def test_a_net_trained_again_gives_much_the_same():
    """Other processors add in another order, and training carries that further: margins, not digits."""
    known = RUNS[0]
    again = benchmark().run(0, load_data("digits").fitted_to((1, 8, 8)))
    assert again["macs"] == known["macs"]
    assert again["test_accuracy"] == pytest.approx(known["test_accuracy"], abs=2)
    for ours, theirs in zip(again["bits"], known["bits"], strict=True):
        assert max(abs(a - b) for a, b in zip(ours["bits"], theirs["bits"], strict=True)) <= 1
    for ours, theirs in zip(again["sparse_columns"], known["sparse_columns"], strict=True):
        assert ours["cycles"] == pytest.approx(theirs["cycles"], rel=0.2)
