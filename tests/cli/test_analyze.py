"""`analyze` as a user types it: every view, every kind of file, several sizes, wrong input in one sentence."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import pytest
from torch import nn
from typer.testing import CliRunner

from edgewright.analyze import Analysis
from edgewright.cli import app
from edgewright.cli.cost_totals import totals
from edgewright.cli.cost_views import VIEWS
from edgewright.devices import device
from edgewright.types import LatencyTable, Validated


def run(*words):
    return CliRunner().invoke(app, ["analyze", *words])


def printed(*words):
    done = run(*words)
    assert done.exit_code == 0, (done.stdout, done.stderr)
    return done.stdout


def refused(*words):
    done = run(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    return " ".join(done.stderr.split())


@pytest.mark.parametrize("view", sorted(VIEWS))
def test_every_view_lists_the_model_and_its_rows_as_csv(view, tmp_path):
    target = tmp_path / "rows.csv"
    text = printed("simple_cnn", "--by", view, "--device", "stm32f746", "--csv", str(target))
    rows = list(csv.DictReader(target.read_text().splitlines()))
    assert rows and all(set(row) == set(rows[0]) for row in rows)
    assert len(text.splitlines()) > len(rows)


def test_the_layers_and_totals_of_the_small_cnn():
    text = printed("simple_cnn", "--device", "stm32f746", "--dtype", "int8")
    assert "Conv2d           conv2         16x14x14  225,792          0   1,168  1.25 KiB" in text
    for fact in (
        "MACs                  333,056\n", "parameters            52,138 trainable, 0 in buffers\n",
        "weights               204 KiB at float32, 102 KiB at float16, 51.6 KiB at int8, 26.2 KiB at int4\n",
        "peak RAM (bound)      7.66 KiB at max_pool2d\n", "(estimated from the data sheet, roofline)",
        "RAM of stm32f746: 7.66 KiB of 320 KiB, fits\n",
    ):  # fmt: skip
        assert fact in text


def test_what_does_not_fit_says_who_is_to_blame():
    text = printed("mobilenet_v2", "--device", "stm32f746", "--by", "total")
    assert "RAM of stm32f746: 5.74 MiB of 320 KiB, DOES NOT FIT: the peak is at features_2_conv_1_0" in text
    assert "flash of stm32f746: 13.3 MiB of 1 MiB, DOES NOT FIT: classifier.1 holds 37 % of the weights" in text


def test_a_batch_multiplies_the_work():
    one, four = (
        json.loads(printed("simple_cnn", "--input", shape, "--json", "-")) for shape in ("1,28,28", "4,1,28,28")
    )
    assert (one["batch"], four["batch"]) == (1, 4)
    assert four["totals"]["macs"] == 4 * one["totals"]["macs"] == 4 * 333_056
    assert four["totals"]["params"] == one["totals"]["params"]


def test_json_holds_the_costs_and_the_rows_of_the_view_that_is_shown(tmp_path):
    target = tmp_path / "cost.json"
    printed("resnet8", "--device", "stm32f746", "--by", "shapes", "--json", str(target))
    content = json.loads(target.read_text())
    assert content["format"] == "edgewright.analysis/1"
    assert content["totals"]["macs"] == 12_501_632
    kept = {"operators", "modules", "types", "shapes", "memory", "roofline", "energy", "energy_by_layer", "fits"}
    assert {*kept, "bit_operations", "bit_serial", "two_four"} < set(content)
    assert content["view"]["name"] == "shapes"
    assert [row["shape_out"] for row in content["view"]["rows"]] == [row["shape_out"] for row in content["shapes"]]


@pytest.mark.parametrize("view", sorted(VIEWS))
def test_json_and_csv_hold_the_same_rows_of_every_view(view, tmp_path):
    target = tmp_path / "rows.csv"
    words = ("simple_cnn", "--by", view, "--device", "stm32f746", "--json", "-", "--csv", str(target))
    shown = json.loads(printed(*words))["view"]
    assert (shown["name"], len(shown["rows"])) == (view, len(list(csv.DictReader(target.read_text().splitlines()))))
    if view in ("energy", "bit-serial", "sparse", "2:4", "bits", "layer", "module", "type", "total"):
        assert shown["totals"]


def test_sizes_are_the_view_that_json_holds():
    shown = json.loads(printed("simple_cnn", "--sizes", "28,14", "--json", "-"))["view"]
    assert shown["name"] == "sizes"
    assert [(row["pixels"], row["macs"]) for row in shown["rows"] if "macs" in row] == [(28, 333_056)]


def test_channels_are_rows_too(tmp_path):
    assert "conv1" in printed("simple_cnn", "--by", "channels")
    rows = list(csv.DictReader(printed("simple_cnn", "--by", "channels", "--csv", "-").splitlines()))
    made = {row["made_by"]: row for row in rows}
    assert (made["conv1"]["classes"], made["conv1"]["read_by"], made["conv1"]["locked"]) == ("8", "conv2", "")
    assert made["fc2"]["locked"]
    text = refused("simple_cnn", "--by", "channels", "--html", str(tmp_path / "page.html"))
    assert "holds no channels" in text


def test_csv_to_the_standard_output_is_nothing_but_csv():
    lines = printed("simple_cnn", "--by", "type", "--csv", "-").splitlines()
    assert lines[0].startswith("op,operators,uncounted,macs,")
    assert lines[1].startswith("Conv2d,2,0,282240,")


def test_the_page_is_one_file(tmp_path):
    target = tmp_path / "cost.html"
    text = printed("simple_cnn", "--device", "stm32f746", "--html", str(target))
    page = target.read_text()
    assert text.endswith(f"page: {target}\n")
    assert "333,056" in page or "333 k" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_several_sizes_stand_side_by_side_and_one_that_is_refused_says_why():
    text = printed("mobilenet_v2", "--sizes", "96,224")
    assert "    96   56,289,152" in text and "   224  300,774,272" in text
    text = printed("timm:vit_tiny_patch16_224", "--sizes", "224,30")
    assert "1,253,728,512" in text or "1,253" in text
    assert "VisionTransformer does not run on an input of shape (1, 3, 30, 30)" in " ".join(text.split())


def test_sizes_and_batches_that_are_none_are_refused():
    assert "--sizes takes image sizes in pixels" in refused("resnet8", "--sizes", "a")
    assert "takes none of these sizes" in refused("timm:vit_tiny_patch16_224", "--sizes", "30")
    assert "--input is a shape as [B,]C,H,W, got '0,3,8,8'" in refused("resnet8", "--input", "0,3,8,8")


def test_views_that_need_more_say_what():
    assert "--by roofline is about a device: add --device" in refused("resnet8", "--by", "roofline")
    assert "--by training takes --dtype float32 or float16" in refused("resnet8", "--by", "training", "--dtype", "int8")
    for wrong in ("0", "-1", "inf", "nan"):
        text = refused("resnet8", "--by", "training", "--train-ram-gb", wrong)
        assert "--train-ram-gb is a number greater than 0" in text
    assert "in the 45 nm table, got 'int4'" in refused("resnet8", "--by", "energy", "--dtype", "int4")
    assert "optimizer" in refused("resnet8", "--by", "training", "--optimizer", "sdg")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--bits", "8"), "--bits changes nothing in --by layer: it goes with --by bit-serial or bits."),
        (("--by", "energy", "--data", "digits"), "--data changes nothing in --by energy: it goes with --by bit-serial"),
        (("--optimizer", "sgd"), "--optimizer changes nothing in --by layer: it goes with --by training."),
        (("--by", "memory", "--train-ram-gb", "1"), "--train-ram-gb changes nothing in --by memory"),
        (("--sizes", "28", "--bits", "8"), "--bits changes nothing in --sizes"),
        (("--sizes", "28", "--by", "type"), "--sizes is a view of its own and does not go with --by type"),
        (("--sizes", "28", "--html", "x.html"), "--sizes is a view of its own and does not go with --html"),
        (("--json", "-", "--csv", "-"), "--json - and --csv - both print to the standard output"),
        (("--by", "sparse", "--num-images", "4"), "--data-root and --num-images are about the images of --data"),
        (("--by", "sparse", "--data", "digits", "--num-images", "0"), "--num-images is at least 1, got 0"),
        (("--by", "bits", "--bits", "few"), "--bits is a number or a .json file that holds {layer: bits}, got 'few'"),
        (("--by", "bits", "--bits", "nowhere.json"), "Cannot read nowhere.json"),
        (("--by", "bit-serial", "--bits", "8", "--data", "digits"), "leave out one of the two"),
    ],
)
def test_options_that_would_be_ignored_or_mean_nothing_are_refused(words, sentence):
    assert sentence in refused("simple_cnn", *words)


def test_bits_come_from_a_number_or_by_layer_from_a_file(tmp_path):
    file = tmp_path / "bits.json"
    file.write_text('{"conv1": 4, "conv2": 6}')
    shown = json.loads(printed("simple_cnn", "--by", "bit-serial", "--bits", str(file), "--json", "-"))["view"]
    assert [row["bits"] for row in shown["rows"]] == [4, 6, 16, 16]
    first, second, linear = 56_448, 225_792, 50_176 + 640
    ideal = (first + second + linear) / ((4 * first + 6 * second) / 16 + linear)
    assert shown["totals"]["ideal_speed_up"] == pytest.approx(ideal)
    rows = json.loads(printed("simple_cnn", "--by", "bits", "--bits", "4", "--json", "-"))["view"]["rows"]
    assert [row["bit_operations"] for row in rows] == [16 * row["macs"] for row in rows]
    file.write_text('{"conv9": 4}')
    assert "There is no layer 'conv9' to give bits to" in refused("simple_cnn", "--by", "bits", "--bits", str(file))
    for wrong in ('{"conv1": 4.5}', '{"conv1": true}', "[4]", "{"):
        file.write_text(wrong)
        assert "write for instance" in refused("simple_cnn", "--by", "bits", "--bits", str(file))


@pytest.mark.slow
def test_images_give_the_zeros_of_activations_and_the_bits_that_layers_need():
    words = ("simple_cnn", "--data", "digits", "--num-images", "4")
    text = printed(*words, "--by", "sparse")
    assert "zero activations skipped on 4 images of digits\n" in text
    assert "simple_cnn has random weights" in text
    shown = json.loads(printed(*words, "--by", "sparse", "--json", "-"))["view"]
    active = [row["share_of_nonzero_activations"] for row in shown["rows"]]
    assert shown["totals"]["with_images"] and all(0 < share < 1 for share in active[1:])
    shown = json.loads(printed(*words, "--by", "bit-serial", "--json", "-"))["view"]
    assert all(1 <= row["bits"] <= 16 for row in shown["rows"]) and shown["rows"][0]["bits"] < 16
    assert shown["totals"]["speed_up"] > 1
    assert "that keep 40 dB of each layer's output on 4 images of digits" in shown["notes"][0]


def test_a_microcontrollers_energy_is_of_the_whole_chip_and_has_no_share_of_movement():
    text = printed("simple_cnn", "--device", "stm32f746", "--by", "total")
    assert "(estimated, whole chip)\n" in text and "moves data" not in text
    text = printed("simple_cnn", "--device", "stm32f746", "--by", "energy")
    assert "moving data" not in text.splitlines()[0]
    assert "pJ per MAC of stm32f746 is that of the whole chip, memory included" in text
    assert " % moves data)" in printed("simple_cnn", "--device", "generic-x86", "--by", "total")


def test_the_roofline_says_that_it_lists_operators_with_macs_only():
    text = printed("simple_cnn", "--device", "generic-x86", "--by", "roofline")
    assert "listed are the operators with MACs; the shares of the time are of all operators\n" in text


ODD_MODELS = """
import torch
from torch import nn


class Odd(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return torch.linalg.svdvals(self.conv(x))


class Values(Odd):
    def forward(self, x):
        y = self.conv(x)
        return y[torch.nonzero(y > y.mean(), as_tuple=True)]


class Bare(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.ones(4, 3, 3, 3))

    def forward(self, x):
        return nn.functional.conv2d(x, self.w)


class Positions(Odd):
    def __init__(self):
        super().__init__()
        self.mlp = nn.Linear(2, 4)
        self.register_buffer("table", torch.ones(2))

    def forward(self, x):
        return self.conv(x) + self.mlp(self.table)[:, None, None]
"""


@pytest.fixture
def odd_models(tmp_path):
    file = tmp_path / "odd.py"
    file.write_text(ODD_MODELS)
    return file


def test_an_operator_without_a_formula_is_a_question_mark_and_totals_are_at_least(odd_models, tmp_path):
    words = (f"{odd_models}:Odd", "--input", "3,8,8")
    text = printed(*words)
    row = next(line for line in text.splitlines() if line.startswith("aten._linalg_svd"))
    assert row.split()[3:5] == ["?", "?"]
    assert "MACs               at least 3,888\n" in text
    assert "other operations   at least 0\n" in text
    lines = printed(*words, "--by", "type").splitlines()
    assert "not counted" in lines[0] and lines[2].split()[1:5] == ["1", "1", "?", "?"]
    text = printed(*words, "--sizes", "8,9")
    assert "MACs and other operations are at least these: no formula for aten._linalg_svd (_linalg_svd)\n" in text
    page = tmp_path / "page.html"
    assert f"page: {page}" in printed(*words, "--html", str(page))
    known = printed("simple_cnn")
    assert "at least" not in known and "?" not in known


def test_a_model_that_was_run_on_numbers_says_that_its_counts_are_those_of_one_image(odd_models):
    said = "counted on one random image: what runs depends on its values"
    assert said in printed(f"{odd_models}:Values", "--input", "3,8,8")
    assert said not in printed("simple_cnn")


@pytest.mark.parametrize("view", ["bits", "bit-serial", "sparse", "2:4"])
def test_a_model_that_convolves_with_a_bare_parameter_has_every_hardware_view(view, odd_models):
    shown = json.loads(printed(f"{odd_models}:Bare", "--input", "3,8,8", "--by", view, "--json", "-"))["view"]
    if view == "bits":
        assert [row["macs"] for row in shown["rows"]] == [4 * 27 * 36]
    else:
        assert len(shown["totals"]["unseen"]) == 1


def test_a_layer_that_runs_on_weights_alone_needs_no_bits(odd_models):
    words = (f"{odd_models}:Positions", "--input", "3,8,8", "--by", "bit-serial", "--data", "digits", "--json", "-")
    assert [row["layer"] for row in json.loads(printed(*words))["view"]["rows"]] == ["conv"]


def timed(*, batch=1, measured_s):
    """The line on the latency of two linear layers and a softplus: each layer takes `measured_s` by the table."""
    points = tuple((float(i * o), float(i), float(o), measured_s) for i in (4, 8) for o in (4, 8))
    seen = (Validated(name="net", dtype="float32", predicted_s=1.1, measured_s=1.0),)
    kinds = {"linear_vector": points, "linear_rows": tuple((*point[:3], 4.0, point[3]) for point in points)}
    table = LatencyTable(
        runtime="a runtime", machine="a machine", threads=1, call_overhead_s=0.0, points={"float32": kinds},
        validation=seen,
    )  # fmt: skip
    model = nn.Sequential(nn.Linear(8, 6), nn.Flatten(), nn.Linear(6, 5), nn.Softplus())
    machine = replace(device("generic-x86"), latency_table=table)
    subject = Analysis(model=model, name="net", input_shape=(8,), batch=batch, device=machine)
    return next(line for line in totals(subject) if line.startswith("latency"))


def test_the_error_of_a_table_stands_only_where_it_answers_for_most_of_the_time():
    text = timed(measured_s=1.0)
    assert "estimated from measured operators, 2 of 3 in the table, 100 % of the time" in text
    assert "; the rest by roofline, error unknown; median error 10 %, worst 10 % on 1 unseen model)" in text
    text = timed(measured_s=1e-9)
    assert "2 of 3 in the table, 0 % of the time; " in text and text.endswith("the rest by roofline, error unknown)")
    assert "on 1 unseen model, measured at batch 1)" in timed(measured_s=1.0, batch=4)


def test_the_largest_batch_that_trains_in_a_budget():
    text = printed("resnet8", "--by", "training", "--optimizer", "sgd", "--train-ram-gb", "1")
    assert "sgd: largest batch in 1 GiB is " in text
    short = run("simple_cnn", "--by", "training", "--train-ram-gb", "0.0005")
    assert (short.exit_code, short.stdout) == (1, "")  # a budget that cannot be met
    assert "optimizer" in short.stderr


@pytest.mark.parametrize("flag", ["--json", "--csv", "--html"])
def test_a_file_that_cannot_be_written_is_refused_before_any_work(flag):
    assert refused("resnet8", flag, "nowhere/x") == f"Cannot write nowhere/x: choose another file with {flag}."


def test_a_segmentation_model_is_analyzed_by_name():
    text = printed("torchvision:lraspp_mobilenet_v3_large", "--by", "total")
    assert "MACs                2,086,169,184" in text or "2,086," in text
    assert "without a formula" not in text
