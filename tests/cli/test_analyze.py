"""`analyze` as a user types it: every view, every kind of file, several sizes, wrong input in one sentence."""

from __future__ import annotations

import csv
import json

import pytest
from typer.testing import CliRunner

from edgewright.cli import app
from edgewright.cli.cost_views import VIEWS


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


def test_json_holds_every_view_whichever_is_shown(tmp_path):
    target = tmp_path / "cost.json"
    printed("resnet8", "--device", "stm32f746", "--by", "shapes", "--json", str(target))
    content = json.loads(target.read_text())
    assert content["format"] == "edgewright.analysis/1"
    assert content["totals"]["macs"] == 12_501_632
    assert {"operators", "modules", "types", "shapes", "memory", "roofline", "energy", "fits"} < set(content)


def test_csv_to_the_standard_output_is_nothing_but_csv():
    lines = printed("simple_cnn", "--by", "type", "--csv", "-").splitlines()
    assert lines[0].startswith("op,operators,macs,")
    assert lines[1].startswith("Conv2d,2,282240,")


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
    assert "--input is a shape as B,C,H,W, got '0,3,8,8'" in refused("resnet8", "--input", "0,3,8,8")


def test_views_that_need_more_say_what():
    assert "--by roofline is about a device: add --device" in refused("resnet8", "--by", "roofline")
    assert "--by training takes --dtype float32 or float16" in refused("resnet8", "--by", "training", "--dtype", "int8")
    assert "--train-ram-gb is greater than 0" in refused("resnet8", "--by", "training", "--train-ram-gb", "0")
    assert "in the 45 nm table, got 'int4'" in refused("resnet8", "--by", "energy", "--dtype", "int4")
    assert "optimizer" in refused("resnet8", "--by", "training", "--optimizer", "sdg")


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
