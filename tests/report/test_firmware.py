"""The section on firmware: predicted beside measured, each operation, and a picture that can run nothing."""

import base64
import copy

import pytest

from edgewright.report.figures import figures
from edgewright.report.page import render
from edgewright.report.sections import firmware

LAYER = {"kind": "conv", "macs": 1000, "instructions": 1500, "per_mac": 1.5, "differing": 0, "compared": 64}


@pytest.fixture
def passing(example):
    return example["digits"]()


@pytest.fixture
def proven(passing):
    """A passing run with the firmware of two operations, as `fit` writes it."""
    content = copy.deepcopy(passing)
    score = {"metric": "top-1", "value": 91.5, "num_samples": 359, "split": "test"}
    content["firmware"] = {
        "device": "stm32l4r5", "kernels": "dsp", "rounding": "single", "macs": 2000, "missing": "", "latency_s": 0.0375,
        "plan": {"arena_bytes": 3000, "headline": "Arena 3,000 bytes.", "picture": "plan.svg"},
        "need": {"arena": 3000, "floats": 40, "stack": 4096, "tables": 5000, "code": 900, "ram_bytes": 7140,
                 "flash_bytes": 7052},
        "dead": {"macs_before": 4000, "macs_removed": 1000, "operations": [{"output": "conv2"}]},
        "picture": "<svg onload='alert(1)'></svg>",
        "layers": [{**LAYER, "tensor": "conv1"}, {**LAYER, "tensor": "conv2"}],
        "board": {"core": "M4", "machine": "mps2-an386", "sizes": {"text_bytes": 6900, "bss_bytes": 3044},
                  "stack_bytes": 300, "ram_bytes": 3344, "flash_bytes": 6900, "instructions": 3000, "num_images": 20,
                  "cycles": {"label": "modelled"}, "route": "gcc and QEMU"},
        "scores": [{"name": "firmware in the emulator", "score": score}],
    }  # fmt: skip
    return content


def test_a_run_without_firmware_has_no_section(passing):
    assert firmware(passing) is None
    assert firmware({**passing, "firmware": {"refused": "conv_transpose has no integer operation"}}) is None


def test_what_was_proven_stands_first(proven):
    lede = firmware(proven)["lede"]
    assert lede == (
        "Plain C for stm32l4r5: 2 operations, dsp kernels, rounding single. 128 bytes of all operations were compared "
        "on this machine and an emulated Cortex-M4: all are the integer reference's."
    )
    assert firmware(proven)["told"].startswith(
        "One image takes 3,000 instructions, counted exactly (1.50 per MAC); 37.5 ms at most, modelled. The emulator"
    )


def test_predicted_stands_beside_measured(proven):
    ram, flash = firmware(proven)["memories"]
    assert (ram["predicted"], ram["measured"]) == ("6.97 KiB", "3.27 KiB")
    assert (flash["predicted"], flash["measured"]) == ("6.89 KiB", "6.74 KiB")


def test_without_an_emulator_nothing_is_called_measured(proven):
    proven["firmware"] |= {"board": None, "missing": "qemu-system-arm not found", "latency_s": None}
    view = firmware(proven)
    assert view["memories"][0]["measured"] == "–" and view["told"] == ""
    assert view["lede"].endswith("Not run in the emulator: qemu-system-arm not found.")


def test_differing_bytes_are_told_and_marked(proven):
    proven["firmware"]["layers"][1]["differing"] = 3
    view = firmware(proven)
    assert "3 differ" in view["lede"] and [row["bad"] for row in view["layers"]] == [False, True]


def test_dead_channels_are_named(proven):
    assert "25.0 % of the MACs (conv2)" in firmware(proven)["dead"]


def test_the_picture_is_an_image_whose_scripts_never_run(proven):
    page = render(proven)
    coded = base64.b64encode(b"<svg onload='alert(1)'></svg>").decode()
    assert f'<img src="data:image/svg+xml;base64,{coded}"' in page
    assert "<svg onload" not in page
    assert firmware({**proven, "firmware": {**proven["firmware"], "picture": "javascript:1"}})["picture"] == ""


def test_damaged_facts_give_a_page_all_the_same(proven):
    proven["firmware"] |= {"layers": [{}], "scores": [{}], "board": {"core": "M4"}, "plan": None, "dead": "no"}
    assert "Firmware" in render(proven)


def test_the_costs_of_the_summary_are_the_firmwares(proven):
    assert "flash_bytes" in {each.name for each in figures(proven)}
