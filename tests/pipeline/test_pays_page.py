"""The page on what pays: its tables are the committed runs, and what it claims about them holds in them."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "does-it-pay.md").read_text(encoding="utf-8")
LEAST = {"torchvision:resnet50": 1.6}  # times faster at half the MACs; any other model is to be faster at all
WHOLE_BLOCKS = [f"edgewright, steps of {step}" for step in (8, 16, 32)]


def result(name):
    return json.loads((ROOT / "benchmarks" / "results" / name).read_text(encoding="utf-8"))


CASES = {case["model"]: case for case in result("prune_latency.json")["cases"]}
CURVES = {curve["layer"]: curve for curve in result("sparse_pays.json")["curves"]}


def timed_rows(case):
    return {row["way"]: row for row in case["rows"] if "speed_up" in row}


@pytest.mark.parametrize("model", CASES)
def test_the_page_shows_the_committed_latencies(model):
    lines = PAGE.splitlines()
    for way, row in timed_rows(CASES[model]).items():
        start = f"| {model.partition(':')[2]} | {way} |"
        assert any(line.startswith(start) and f"**{row['speed_up']:.2f}**" in line for line in lines), start


@pytest.mark.parametrize("model", CASES)
def test_half_the_macs_in_whole_blocks_of_channels_are_faster_in_every_case(model):
    rows = timed_rows(CASES[model])
    ours = {way: row for way, row in rows.items() if way in WHOLE_BLOCKS}
    assert len(ours) == 3
    for way, row in ours.items():
        assert row["keep_macs"] <= 0.5, way
        assert row["speed_up"] > LEAST.get(model, 1.0) and row["plain_convolutions"] == 0, (way, row["speed_up"])


def test_not_all_pruning_accelerates():
    chance = timed_rows(CASES["torchvision:mobilenet_v2"])["edgewright, steps of 1"]
    assert chance["keep_macs"] <= 0.5 and chance["speed_up"] < 1 and chance["speed_up_of_cpu_time"] < 1
    assert chance["plain_convolutions"] > 10 and chance["reorders"] > 10  # why: they left the layout in blocks


@pytest.mark.parametrize("layer", CURVES)
def test_compressed_rows_are_slower_than_dense_at_half_the_zeros_in_every_layer(layer):
    forms = CURVES[layer]["forms"]
    compressed = [form["ratio"] for form in forms if form["way"].endswith("CSR") and form["sparsity"] == 0.5]
    assert len(compressed) == 3 and min(compressed) > 1
    assert f"| {layer} | masked |" in PAGE
