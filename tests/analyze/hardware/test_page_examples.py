"""The Python of docs/hardware.md runs, block after block, and gives what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgewright import calc

PAGE = (Path(__file__).parents[3] / "docs" / "hardware.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.S)


@pytest.fixture(scope="module")
def names(net, images_BCHW):
    """What the blocks leave behind."""
    found = {"net": net, "images": images_BCHW}
    for block in BLOCKS:
        exec(compile(block, "hardware.md", "exec"), found)
    return found


def test_types_are_compared_in_one_row_each(names):
    assert len(BLOCKS) == 2
    assert [row["dtype"] for row in names["rows"]] == ["float32", "float16", "int8"]
    times = [row["times_less"] for row in names["rows"]]
    assert times[0] == 1 and times == sorted(times)


def test_arrays_have_the_area_that_the_page_says(names):
    wide, half, narrow = names["areas_mm2"]
    assert f"{wide:.1f} mm² at float32, {half:.1f} mm² at float16, {narrow:.2f} mm² at int8" in PAGE


def test_the_ratios_that_the_page_says_are_those_of_calc():
    ratios = calc.energy_ratios().result
    assert f"{ratios['multiply_energy']:.1f} for a multiplication, {ratios['mac_energy']:.1f} for a MAC" in PAGE
