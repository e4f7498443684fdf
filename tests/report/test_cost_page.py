"""The cost page: well-formed, complete in itself, harmless, and saying exactly what the analysis holds."""

import base64
import copy
import hashlib
import json
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edgewright.errors import ConfigError, DataError
from edgewright.report import render_cost, write_cost_page
from edgewright.report.cost_page import SECTIONS
from edgewright.report.cost_sections.cells import part_text
from edgewright.report.cost_sections.modules import open_depth, tree_order

EXAMPLE = Path(__file__).with_name("cost_example.json")
ALL = [id_ for id_, *_ in SECTIONS]
MINIMAL = {
    "format": "edgewright.analysis/1",
    "model": "net",
    "dtype": "int8",
    "totals": {"params": 1, "macs": 1, "weight_bytes": 1, "peak_ram_bytes": 1},
    "operators": [],
}


def analysis():
    """A convolution of 1 -> 4 channels on 8x8 (2,304 MACs), its ReLU, and a linear layer 256 -> 10 (2,560 MACs)."""
    return json.loads(EXAMPLE.read_text(encoding="utf-8"))


def large(num_operators):
    """An analysis of a chain of that many convolutions, in blocks of eight."""
    content = analysis()
    template, shape = content["operators"][0], content["shapes"][0]
    names = [f"stages.{index // 8}.blocks.{index % 8}.convolution" for index in range(num_operators)]
    blocks = dict.fromkeys(name.rpartition(".")[0] for name in names)
    module = content["modules"][1]
    content["operators"] = [template | {"name": f"{name}_node", "layer": name, "macs": 10**6 + index}
                            for index, name in enumerate(names)]  # fmt: skip
    content["shapes"] = [shape | {"name": f"{name}_node", "layer": name} for name in names]
    content["modules"] = [module | {"module": name} for name in ("", "stages", *blocks, *names)]
    content["roofline"]["points"] = [content["roofline"]["points"][0] | {"name": f"{name}_node"} for name in names]
    content["memory"]["timeline"] = [
        {"operator": name, "live": {f"{name}_in": 100 + index, f"{name}_out": 200}} for index, name in enumerate(names)
    ]
    return content


def test_a_full_analysis_shows_every_section_and_is_well_formed(outline_of):
    assert outline_of(render_cost(analysis())).ids == ALL


EXPECTED = {
    "headline": (
        "tiny", "✗ does not fit", "1×8×8", "The board", "4.86 k", "4,864; 9.73 k FLOPs; 256 other operations",
        "2.61 k", "2,610; and 8 buffer values", "Weights at int8 2.55 KiB 2,610 bytes",
        "Peak RAM at int8 320 B at conv, with conv_out, x alive", "4.00 ms estimated; 250 runs per second",
        "8.00 µJ estimated", "flash ✗ does not fit 2.55 KiB 2 KiB 127.4 % estimated", "31.2 %",
        "flash : fc holds 98 % of the weights", "float32 10.2 KiB 1.25 KiB 16.0 ms 80.0 µJ", "int8 this page 2.55 KiB",
    ),
    "bounds": (
        "1 operator is bound by compute, 75.0 % of the latency; 1 operator is bound by memory, 25.0 % of",
        "features.conv (Conv2d): 6.40 MAC/B, 768 kMAC/s, compute, 75.0 % of the latency", "compute 1 3.00 ms 75.0 %",
        "What helps where compute binds prune channels", "ridge 1.00 MAC/B", "bandwidth 200 MB/s",
        "peak 200 MMAC/s at int8",
    ),
    "memory": (
        "The peak is 320 B at conv, 31.2 % of the device's RAM, 1 KiB.", "peak 320 B", "conv_out 256 B", "x 64 B",
        "conv: 320 B conv_out 256 B x 64 B", "fc: 266 B", "fused given order, no order needs less 320 B 100 % conv",
        "unfused given order 512 B 160.0 % relu",
    ),
    "modules": (
        "whole model 4.86 k 100 % 2.61 k 100 % 4.00 ms 100 % 8.00 µJ",
        "features 2.30 k 47.4 % 40 1.5 % 3.00 ms 75.0 %",
    ),
    "types": ("Linear 2.56 k 52.6 % 2.57 k 98.5 % 1.00 ms 25.0 % 2.00 µJ 2.51 KiB 266 B 0 1",),
    "operators": (
        "3 in all.", "1 is dimmed: another operator does its work.",
        "features.conv Conv2d 2.30 k 40 3.00 ms 6.00 µJ 40 B 320 B 0 6.40 compute 1×4×8×8",
        "relu aten.relu in features, done by features.conv 0 0 0 0 0 0 256 –",
    ),
    "shapes": (
        "features.conv Conv2d 1×1×8×8 1×4×8×8 5×5 1×1 3×3 1×1 1×1 2×2 1", "fc Linear 1×256 1×10 whole input –",
    ),
    "energy": (
        "8.00 µJ per run, estimated. Moving data takes 50.0 % of it.", "multiply-accumulates 4.00 µJ 50.0 %",
        "weights moved 3.00 µJ 37.5 %", "activations moved 1.00 µJ 12.5 %", "other operations 0 J 0.0 %", "Of one run.",
    ),
    "conventions": (
        "A MAC is one multiply-accumulate and makes two FLOPs", "edgewright 9.8.7", "torch 6.5.4", "clock 100 MHz",
        "data sheet, https://example.org/sheet.pdf",
    ),
}  # fmt: skip


@pytest.mark.parametrize("section", ALL)
def test_each_section_tells_its_numbers(section, outline_of):
    found = outline_of(render_cost(analysis())).words(section)
    for words in EXPECTED[section]:
        assert words in found


@pytest.mark.parametrize(
    ("name", "section"),
    [("roofline", "bounds"), *((name, name) for name in ("memory", "modules", "types", "shapes", "energy"))],
)
@pytest.mark.parametrize("nothing", ["absent", None, "empty"])
def test_each_absent_part_takes_only_its_own_section_away(name, section, nothing, outline_of):
    content = analysis()
    kind = type(content.pop(name))
    if nothing != "absent":
        content[name] = kind() if nothing == "empty" else None
    page = render_cost(content)
    assert outline_of(page).ids == [id_ for id_ in ALL if id_ != section]
    assert next(absent for id_, _, absent, _ in SECTIONS if id_ == section) in page


def test_the_least_content_makes_a_page_that_names_what_is_absent(outline_of):
    page = render_cost(MINIMAL)
    assert outline_of(page).ids == ["headline", "conventions"]
    assert "Not in this analysis: a roofline (it needs a device), memory over time, the module tree" in page


def test_without_a_device_there_is_no_word_of_time_energy_or_fitting(outline_of):
    content = analysis() | dict.fromkeys(("device", "roofline", "energy", "fits"))
    for row in (content["totals"], *content["totals"]["by_dtype"], *content["operators"], *content["modules"],
                *content["types"]):  # fmt: skip
        row |= {"latency_s": None, "energy_j": None} | ({"bound": None} if "bound" in row else {})
    outline = outline_of(render_cost(content))
    shown = " ".join(outline.words(id_) for id_ in ("headline", "memory", "modules", "types", "operators"))
    assert not re.search(r"Latency|Energy|Bound|fit\b|RAM,", shown)


def test_operators_without_a_formula_stand_in_a_warning_on_the_first_screen(outline_of):
    content = analysis()
    assert 'class="warning"' not in render_cost(content)
    content["totals"]["unknown"] = ["strange_1 (aten.strange)", "odd"] + [f"u{index}" for index in range(40)]
    page = render_cost(content)
    assert 'class="warning"' in page
    words = outline_of(page).words("headline")
    assert "Not counted: 42 operators have no formula." in words and "strange_1 (aten.strange)" in words
    assert "and 12 more" in words


def poisoned(value, poison):
    """`value` with all its texts, and the keys of tensors, replaced by something malicious."""
    if isinstance(value, dict):
        same = {key: poisoned(each, poison) for key, each in value.items()}
        return same | ({poison: 300} if "conv_out" in value else {})
    if isinstance(value, list):
        return [poisoned(each, poison) for each in value]
    return poison if isinstance(value, str) else value


@pytest.mark.parametrize(
    "poison", ["<script>alert(1)</script>", "\" onmouseover='alert(1)' x=\"", "</style></script><b>", "{{ 7 * 7 }}"]
)
def test_names_can_never_become_markup(poison, outline_of):
    outline = outline_of(render_cost(poisoned(analysis(), poison) | {"format": "edgewright.analysis/1"}))
    assert len(outline.scripts) == 1 and "alert" not in outline.scripts[0]
    assert not [name for _, name, _ in outline.attributes if name.startswith("on")]
    assert outline.ids == ALL
    assert all(poison in outline.text[section] for section in ALL)


def test_the_page_refers_to_nothing_outside_itself(outline_of):
    content = analysis()
    content["device"]["sources"] = {}
    page = render_cost(content)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", page, re.IGNORECASE)
    outline = outline_of(page)
    links = [value for _, name, value in outline.attributes if name in ("src", "href", "srcset", "action", "data")]
    assert {value for value in links if value != "data:,"} == {f"#{id_}" for id_ in ALL[1:]}


def test_only_the_scripts_own_hash_may_run(outline_of):
    outline = outline_of(render_cost(analysis()))
    (script,) = outline.scripts
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = next(value for tag, _, value in outline.attributes if tag == "meta" and "default-src" in value)
    assert f"script-src 'sha256-{digest}'" in policy and "default-src 'none'" in policy
    assert "innerHTML" not in script and "eval" not in script


def test_equal_content_gives_equal_bytes_and_stays_as_it_was(tmp_path):
    content = analysis()
    before = copy.deepcopy(content)
    page = write_cost_page(content, tmp_path / "cost.html")
    first = page.read_bytes()
    assert content == before
    content["input_shape"] = tuple(content["input_shape"])  # what JSON makes a list is the same content
    assert write_cost_page(content, page) == page == tmp_path / "cost.html"
    assert page.read_bytes() == first
    assert [path.name for path in tmp_path.iterdir()] == ["cost.html"]
    assert render_cost(json.loads(json.dumps(before))).encode() == first


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": None}, "'format' is missing"),
        ({"format": "edgewright.run/1"}, "its format is 'edgewright.run/1', this version reads"),
        ({"model": None, "totals": None}, "'model', 'totals' are missing"),
        ({"operators": None}, "'operators' is missing"),
        ({"totals": {"params": 1, "macs": 1}}, "'totals.weight_bytes', 'totals.peak_ram_bytes' are missing"),
        ({"totals": [1]}, "'totals' must be an object, got list"),
        ({"operators": {"a": 1}}, "'operators' must be a list, got dict"),
        ({"operators": ["a"]}, r"'operators\[0\]' must be an object, got str"),
        ({"memory": {"timeline": 3}}, "'memory.timeline' must be a list, got int"),
        ({"roofline": {"points": [None]}}, r"'roofline.points\[0\]' must be an object, got NoneType"),
        ({"model": object()}, "is no plain data"),
    ],
)
def test_what_is_missing_or_of_another_kind_is_one_clear_error(change, words):
    content = {name: value for name, value in (MINIMAL | change).items() if value is not None}
    with pytest.raises(DataError, match=words):
        render_cost(content)


def test_all_that_is_missing_is_named_at_once():
    with pytest.raises(DataError, match="'format', 'model', 'dtype', 'totals', 'operators' are missing"):
        render_cost({})
    with pytest.raises(DataError, match="must be an object, got list"):
        render_cost([])


def test_a_target_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"cost.html cannot be written .* give a file in a folder that exists"):
        write_cost_page(MINIMAL, tmp_path / "nowhere" / "cost.html")


def test_a_page_of_2400_operators_stays_under_three_megabytes_and_grows_in_proportion():
    few, more, many = (len(render_cost(large(count)).encode()) for count in (600, 1200, 2400))
    assert many < 3_000_000
    assert many - more < 2.1 * (more - few)  # twice the operators add twice the bytes


def damaged(value, draw):
    """A deep copy in which one entry, somewhere below the top, is lost or of another kind."""
    content = json.loads(json.dumps(value))
    place, depth = content, 0
    while True:
        key = draw.choice(list(place) if isinstance(place, dict) else list(range(len(place))))
        if isinstance(place[key], (dict, list)) and place[key] and (depth == 0 or draw.random() < 0.8):
            place, depth = place[key], depth + 1
            continue
        if depth:
            place[key] = draw.choice([None, "text", -1, 0, 1e200, True, [], {}, [None], [[1]], {"a": {"b": [1]}}])
        return content


def test_damage_inside_a_part_never_breaks_the_page(outline_of):
    draw, num_rendered = random.Random(0), 0
    for _ in range(50):
        try:
            page = render_cost(damaged(analysis(), draw))
        except DataError:
            continue
        outline_of(page)
        num_rendered += 1
    assert num_rendered > 30


def test_modules_stand_below_their_parents_however_they_alternate():
    names = ["", "a", "a.x", "b", "b.y", "a.z", "lost.deep.child", "a.x.inner"]
    ordered = [(each.name, each.depth) for each in tree_order([{"module": name} for name in names])]
    assert ordered == [
        ("", 0), ("a", 1), ("x", 2), ("inner", 3), ("z", 2), ("b", 1), ("y", 2), ("lost.deep.child", 1),
    ]  # fmt: skip


def test_a_tree_opens_until_it_tells_something():
    assert open_depth([0]) == 0
    assert open_depth([0, *[1] * 9, 2]) == 1
    assert open_depth([0, 1, 2, *[3, 4, 4] * 6]) == 3  # a chain of single modules is passed


def test_a_small_share_is_not_told_as_nothing():
    assert [part_text(value) for value in (None, 0, 0.0004, 0.001, 1)] == ["–", "0.0 %", "< 0.1 %", "0.1 %", "100 %"]


def test_the_bars_of_modules_are_shares_of_the_whole():
    page = render_cost(analysis())
    tree = page[page.index('class="layers nums bars tree"') : page.index('id="types"')]
    bars = re.findall(r'data-depth="\d"[^\n]*?data-sort="\d+" style="--w:([\d.]+)"', tree)
    assert bars == ["100", "47.4", "47.4", "52.6"]  # 2,304 and 2,560 of 4,864 MACs


def test_the_room_still_works_without_torch():
    code = "import sys, edgewright.report.cost_page; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
