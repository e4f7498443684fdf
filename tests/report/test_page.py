"""The page: well-formed, complete in itself, harmless, and saying exactly what the run holds."""

import base64
import hashlib
import json
import random
import re
import subprocess
import sys

import pytest

from edgewright.report import render, write_report
from edgewright.report.page import SECTIONS

MINIMAL = {
    "format": "edgewright.run/1",
    "asked": {"model": "net", "data": "digits", "device": "x"},
    "verdict": {"passed": True, "sentence": "Fits."},
}


def test_every_example_is_well_formed(any_run, outline_of):
    ids = outline_of(render(any_run)).ids
    assert len(ids) == len(set(ids))


def test_the_page_refers_to_nothing_outside_itself(any_run, outline_of):
    page = render(any_run)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", page, re.IGNORECASE)
    links = [
        value for _, name, value in outline_of(page).attributes if name in ("src", "href", "srcset", "action", "data")
    ]
    assert all(value.startswith("#") or value == "data:," for value in links)
    assert {value[1:] for value in links if value.startswith("#")} <= set(outline_of(page).ids)


def test_a_source_that_is_an_address_stays_text(example, outline_of):
    run = example["digits"]()
    run["device"]["sources"]["clock_hz"] = "https://example.org/sheet.pdf"
    page = render(run)
    assert "https://example.org/sheet.pdf" in page
    assert not [each for each in outline_of(page).attributes if "example.org" in each[2]]


def poisoned(value, poison: str):
    """`value` with all its texts, and the keys of free-form objects, replaced by something malicious."""
    if isinstance(value, dict):
        return {key: poisoned(each, poison) for key, each in value.items()} | {f"extra {poison}": poison}
    if isinstance(value, list):
        return [poisoned(each, poison) for each in value]
    return poison if isinstance(value, str) else value


@pytest.mark.parametrize(
    "poison", ["<script>alert(1)</script>", "\" onmouseover='alert(1)' x=\"", "</style></script><b>", "{{ 7 * 7 }}"]
)
def test_text_of_a_run_can_never_become_markup(example, poison, outline_of):
    page = render(poisoned(example["residual"](), poison))
    outline = outline_of(page)
    assert len(outline.scripts) == 1 and "alert" not in outline.scripts[0]
    assert not [name for _, name, _ in outline.attributes if name.startswith("on")]
    assert outline.ids == [*dict.fromkeys(outline.ids)]
    assert poison in "".join(outline.text.values())


def test_only_the_scripts_own_hash_may_run(example, outline_of):
    page = render(example["digits"]())
    digest = base64.b64encode(hashlib.sha256(outline_of(page).scripts[0].encode()).digest()).decode()
    policy = next(value for tag, name, value in outline_of(page).attributes if tag == "meta" and "default-src" in value)
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


def test_a_full_run_has_every_section_that_is_due(example, outline_of):
    due = [id_ for id_, *_ in SECTIONS if id_ not in ("comparison", "tickets", "firmware")]  # due elsewhere
    assert outline_of(render(example["infeasible"]())).ids == due
    assert outline_of(render(example["digits"]())).ids == [id_ for id_ in due if id_ != "infeasible"]


@pytest.mark.parametrize("nothing", [None, "absent", "empty"])
def test_sections_without_content_are_left_out_and_named(nothing, outline_of):
    lists = ("stages", "sensitivity", "rounds", "pareto", "parity", "latency", "checks")
    objects = ("versions", "machine", "device", "data", "profile", "artifacts", "confusion")
    empty = {name: [] for name in lists} | {name: {} for name in objects}
    run = dict(MINIMAL)
    if nothing != "absent":
        run |= empty if nothing == "empty" else dict.fromkeys(empty)
    page = render(run)
    assert outline_of(page).ids == ["verdict", "setup"]
    assert "Not in this run: checks, stages, rounds of the solver" in page


@pytest.mark.parametrize(
    "name", ["stages", "rounds", "pareto", "sensitivity", "parity", "latency", "checks", "confusion", "profile"]
)
def test_each_missing_part_takes_only_its_own_section_away(example, name, outline_of):
    full, page = outline_of(render(example["digits"]())).ids, render(example["digits"]() | {name: None})
    gone = {"layers", "roofline"} if name == "profile" else {name}
    assert outline_of(page).ids == [id_ for id_ in full if id_ not in gone]


def test_the_page_tells_the_numbers_of_the_run(example, outline_of):
    text = outline_of(render(example["digits"]())).words()
    for words in (
        "98.33 points (−0.28)",  # the verdict
        "206 KiB → 23.6 KiB",
        "8.75× smaller",
        "98.61 ± 0.62 → 98.33 ± 0.68",
        "within the noise",
        "1.91 % of the 320 KiB allowed",
        "11.4 % of the fp32 file",
        "prune: int8 alone meets the limits",
        "on the test split, which it never sees, the score goes 98.61 ± 0.62 → 98.33 ± 0.68",
        "All 6 checks passed",
        "29.3% of the MACs and 25.4% of the parameters stay.",
        "every limit holds",
        "MAC per byte moved",
        "edgewright fit simple_cnn --data digits --device stm32f746",
        "stratified by class, seed 0",
    ):
        assert words in text


def test_the_infeasible_answer_names_limits_nearest_point_and_what_would_help(example, outline_of):
    text = outline_of(render(example["infeasible"]())).words()
    for words in (
        "1.91 times the limit",
        "Nearest feasible point",
        "keep 6 %",
        "flash to 13.9 KiB",
        "fc1 holds 71 %",
        "✗ failed",
    ):
        assert words in text
    assert text.rindex("✗ failed") < text.index("✓ passed")  # of the checks, the failed ones come first


def test_stages_of_other_rounds_stay_out_of_the_way_but_not_out_of_sight(example):
    run = example["residual"]()
    page = render(run)
    assert "Stages of the rounds that were not chosen" in page and "3 stages, 30 min 54 s" in page
    run["chosen_stages"] = [1, 2, 3, 4, 5, 6, 7]
    assert "not chosen" not in render(run)


def test_a_run_that_nothing_judged_is_done_and_not_passed(example, outline_of):
    run = example["digits"]() | {"checks": [], "verdict": {"passed": True, "sentence": "Prune: done."}}
    text = outline_of(render(run)).words()
    assert "✓ done" in text and "✓ passed" not in text
    assert "accepted from" not in text and "allowed" not in text and "Budget" not in text


def test_only_a_recorded_command_promises_the_same_weights(example):
    run = example["digits"]()
    assert "Rebuilt from what was asked" in render(run)
    run["asked"]["command"] = "edgewright fit simple_cnn --data digits --device stm32f746 --epochs 4"
    page = render(run)
    assert "--epochs 4" in page and "The same command with the same versions gives the same weights" in page


def test_groups_say_why_they_are_locked(example, outline_of):
    text = outline_of(render(example["digits"]())).words()
    assert "2 in all, 1 locked" in text and "the model's output" in text


def test_layers_that_left_or_came_are_told(example, outline_of):
    run = example["residual"]()
    run["profile"]["after"]["rows"].insert(
        1, {"name": "quantize_1", "op": "quantize", "macs": 0, "shape_out": [1, 3, 32, 32]}
    )
    text = outline_of(render(run)).words()
    assert "BatchNorm2d, not in the final model" in text
    assert "quantize, new" in text


def test_operators_without_a_formula_are_told(example):
    run = example["digits"]()
    run["profile"]["before"]["unknown"] = ["aten.strange"]
    assert "Without a formula, so in no total: aten.strange." in render(run)


def test_many_classes_become_a_list_of_the_worst_confusions(example):
    page = render(example["residual"](num_classes=100))
    assert 'class="heat' not in page
    assert "most frequent confusions" in page
    assert 'class="heat' in render(example["residual"](num_classes=20))


def test_a_page_of_a_deep_model_stays_under_a_megabyte(example, save):
    run = example["residual"](num_blocks=14, num_classes=20)
    assert len(run["profile"]["before"]["rows"]) > 160
    assert write_report(save(run)).stat().st_size < 1_000_000


def test_the_same_run_gives_the_same_bytes_and_nothing_else_is_left(example, save):
    folder = save(example["digits"]())
    page = write_report(folder)
    first = page.read_bytes()
    assert write_report(folder) == page == folder / "report.html"
    assert page.read_bytes() == first
    assert sorted(path.name for path in folder.iterdir()) == ["report.html", "run.json"]


def damaged(value, draw: random.Random):
    """A deep copy in which one entry, somewhere below the top, is lost or of another kind."""
    copy = json.loads(json.dumps(value))
    place, depth = copy, 0
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = draw.choice(keys)
        if isinstance(place[key], (dict, list)) and place[key] and (depth == 0 or draw.random() < 0.8):
            place, depth = place[key], depth + 1
            continue
        if depth:
            place[key] = draw.choice([None, "text", -1, 0, 1e200, True, [], {}, [None], [[1]], {"a": {"b": [1]}}])
        return copy


@pytest.mark.slow
def test_damage_inside_a_part_never_breaks_the_page(example, outline_of):
    from edgewright.errors import DataError
    from edgewright.report.source import check_frame

    draw, base, num_rendered = random.Random(0), example["infeasible"](), 0
    for _ in range(60):
        run = damaged(base, draw)
        try:
            check_frame(run, "run.json")
        except DataError:
            continue
        outline_of(render(run))
        num_rendered += 1
    assert num_rendered > 40


def test_the_room_works_without_torch():
    code = "import sys, edgewright.report; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
