"""The table of docs/firmware.md on time and flash is that of the committed measurement."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ROWS = json.loads((ROOT / "benchmarks" / "results" / "favor.json").read_text(encoding="utf-8"))["rows"]
PAGE = (ROOT / "docs" / "firmware.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['net']} {row['core']}")
def test_shared_code_saves_flash_changes_no_byte_and_stands_in_the_page(row):
    time, flash = row["time"], row["flash"]
    assert time["differing_bytes"] == flash["differing_bytes"] == 0 < time["compared_bytes"] == flash["compared_bytes"]
    assert flash["flash_bytes"] < time["flash_bytes"]
    counts = [f"{way['instructions'] / 1e6:.2f} M" for way in (time, flash)]
    saved = time["flash_bytes"] - flash["flash_bytes"]
    assert (
        f"| {row['net']} | {row['core']} {row['kernels']} | {time['flash_bytes']:,} | {flash['flash_bytes']:,} "
        f"| {saved:,} | {counts[0]} | {counts[1]} |"
    ) in PAGE
