"""What the pages claim of committed measurements holds in them."""

import json
from pathlib import Path

ROOT = Path(__file__).parents[1]


def result(name):
    return json.loads((ROOT / "benchmarks" / "results" / name).read_text(encoding="utf-8"))


def page(name):
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_an_alexnet_is_35_times_smaller_for_at_most_half_a_point_and_loads_back():
    case = result("deep_compression.json")["cases"]["alexnet28"]
    last = case["stages"][-1]
    assert case["test_images"] == 10_000 and last["drop"] <= 0.5
    assert case["file"]["ratio"] >= 35 and case["file"]["every_bit_came_back"]
    assert f"{last['score']:.2f}" in page("deep-compression.md")
