"""The measured figures of docs/memory.md are those of the committed result, and the result is what the code gives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgewright import zoo
from edgewright.analyze import largest_batch

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "memory.md").read_text()
RESULT = json.loads((ROOT / "benchmarks" / "results" / "training_memory.json").read_text())
ROWS = {row["model"]: row for row in RESULT["largest_batch"]}


@pytest.mark.parametrize("model", ROWS)
def test_the_page_shows_the_largest_batch_that_was_found(model):
    full, half = (ROWS[model][dtype] for dtype in ("float32", "amp"))
    assert full["once_bytes"] == half["once_bytes"]
    samples = " / ".join(f"{each['bytes_per_sample'] / 1e6:.1f}" for each in (full, half))
    batches = f"{full['largest_batch']} / {half['largest_batch']}"
    assert f"| {model} | {full['once_bytes'] / 1e6:,.0f} | {samples} | {batches} |" in PAGE


def test_the_page_has_no_row_without_a_result():
    shown = [line.split("|")[1].strip() for line in PAGE.splitlines() if line.count("|") == 5 and " / " in line]
    assert [name for name in shown if name.startswith("torchvision:")] == list(ROWS)


def test_every_largest_batch_fits_and_the_next_does_not():
    for row in ROWS.values():
        for dtype in ("float32", "amp"):
            assert row[dtype]["total_bytes"] <= RESULT["budget_bytes"] < row[dtype]["next_bytes"]


def test_the_page_shows_what_the_allocator_measured():
    resnet, mobilenet = RESULT["allocator"]
    for row in (resnet, mobilenet):
        assert row["computed_growth_bytes"] == row["allocator_growth_bytes"]
        assert f"{row['allocator_growth_bytes']:,}" in PAGE
    assert len(set(resnet["allocator_more_bytes"])) == 1
    assert f"{resnet['allocator_more_bytes'][0]:,} bytes higher" in PAGE
    assert set(mobilenet["allocator_more_bytes"]) == {0}


@pytest.mark.slow
def test_a_row_of_the_result_is_computed_again():
    model = zoo.resolve("torchvision:resnet18", num_classes=None)
    found = largest_batch(
        model.model, model.input_shape, budget_bytes=RESULT["budget_bytes"], optimizer=RESULT["optimizer"]
    )
    row = ROWS["torchvision:resnet18"]["float32"]
    assert (found.batch, found.memory.total_bytes) == (row["largest_batch"], row["total_bytes"])
    assert (found.memory.bytes_per_sample, found.next_bytes) == (row["bytes_per_sample"], row["next_bytes"])
