"""`edgewright bench`: what its arguments stand for, its tables and JSON, and how it refuses."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edgewright.cli import app
from edgewright.cli.bench import parse_counts, parse_runtimes
from edgewright.errors import ConfigError
from edgewright.report.units import seconds_text

ROOT = Path(__file__).parents[2]
QUICK = ("--turns", "1", "--runs", "3", "--starts", "0")


def run(*words):
    return CliRunner().invoke(app, ["bench", *map(str, words)])


def refused(*words):
    done = run(*words)
    assert done.exit_code == 2 and done.stdout == "", (done.exit_code, done.stdout, done.stderr, done.exception)
    assert len(done.stderr.strip().splitlines()) == 1
    return done.stderr


def test_a_named_model_is_measured_in_two_runtimes_and_all_of_it_is_in_the_json(tmp_path):
    target = tmp_path / "bench.json"
    words = ("simple_cnn", "--runtime", "onnxruntime,eager", "--batch", "1,2", "--data", "digits", "--json", target)
    done = run(*words, *QUICK)
    assert done.exit_code == 0, (done.stderr, done.exception)
    for title in ("Steady state, per call", "Images per second", "Whole decisions on 64 images of digits"):
        assert title in done.stdout
    assert "Measured on this machine alone" in done.stdout and "Cold start" not in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 120
    found = json.loads(target.read_text())
    assert len(found["rows"]) == 4 and len(found["end_to_end"]) == 4 and found["cold"] == []
    assert found["conditions"]["processor"] and found["command"].startswith("edgewright")
    assert {"median_s", "p95_s", "p99_s", "min_s", "spread", "warm_up"} <= set(found["rows"][0]["latency"])


def test_cold_starts_have_a_table_of_their_own(made):
    done = run(made.fp32.folder, "--turns", "1", "--runs", "3", "--starts", "1")
    assert done.exit_code == 0 and "Cold start, 1 process each, 1 thread, batch 1" in done.stdout


def test_a_file_without_a_form_in_pytorch_is_told_beside_the_others(made):
    done = run(made.fp32.model_path, "--runtime", "eager,onnxruntime", *QUICK)
    assert done.exit_code == 0
    assert "in eager: the file model.onnx is run as it is" in " ".join(done.stdout.split())


@pytest.mark.slow
def test_the_own_size_of_a_model_can_be_replaced():
    done = run("resnet8", "--input", "1,3,16,16", "--num-classes", "3", *QUICK, "--json", "-")
    assert done.exit_code == 0 and json.loads(done.stdout)["input_shape"] == [3, 16, 16]


@pytest.mark.slow
def test_a_run_stands_for_its_artifacts_and_its_final_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in (
        ["train", "simple_cnn", "--data", "digits", "--epochs", "1", "--out", "r"],
        ["quantize", "r", "--data", "digits", "--method", "minmax", "--out", "q"],
        ["export", "q"],
    ):
        assert CliRunner().invoke(app, words).exit_code == 0
    done = run("q", "r", "--runtime", "onnxruntime,eager", *QUICK, "--json", "-")
    assert done.exit_code == 0, (done.stderr, done.exception)
    found = json.loads(done.stdout)
    assert [(row["model"], row["runtime"]) for row in found["rows"]] == [
        ("q/artifact", "onnxruntime"), ("q/artifact", "eager"), ("r", "onnxruntime"), ("r", "eager"),
    ]  # fmt: skip
    assert any("simulation of its integers" in text for text in found["remarks"])


def test_the_tables_of_the_page_are_those_of_the_committed_run():
    page = (ROOT / "docs" / "bench.md").read_text(encoding="utf-8")
    found = json.loads((ROOT / "benchmarks" / "results" / "bench_page.json").read_text(encoding="utf-8"))
    assert f"$ {found['command']}\n" in page and found["conditions"]["system"] in page
    lines = [" ".join(line.split()) for line in page.splitlines()]
    steady = ("median_s", "p95_s", "p99_s", "min_s")
    cold = ("start_s", "import_s", "load_s")
    whole = ("decode_s", "preprocess_s", "model_s", "postprocess_s", "whole_s", "whole_p95_s")
    rows = [(row, row["latency"], steady) for row in found["rows"]]
    rows += [(row, row, cold) for row in found["cold"]] + [(row, row, whole) for row in found["end_to_end"]]
    for row, times, names in rows:
        cells = " ".join(seconds_text(times[name]) for name in names)
        assert any(cells in line and line.endswith(f"{row['runtime']} {row['model']}") for line in lines), cells


# -- refusals -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("text", ["0", "", "1,x", "1,-2", "1.5"])
def test_lists_of_other_things_than_counts_are_refused(text):
    with pytest.raises(ConfigError, match=r"--batch takes whole numbers from 1 with commas between them, got"):
        parse_counts("--batch", text)


def test_lists_are_read_in_order_and_each_value_once():
    assert parse_counts("--batch", "4,1,4") == (4, 1)
    assert parse_runtimes("all") == ("onnxruntime", "eager", "compiled")
    assert parse_runtimes("eager, onnxruntime") == ("eager", "onnxruntime")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("simple_cnn", "--runtime", "tvm"), "got 'tvm'"),
        (("simple_cnn", "--batch", "0"), "--batch takes whole numbers from 1"),
        (("simple_cnn", "--threads", "two"), "--threads takes whole numbers from 1"),
        (("simple_cnn", "--turns", "0"), "--turns must be 1 or more"),
        (("no_such_net",), "no_such_net"),
        (("none.onnx",), "There is no model file none.onnx"),
        (("x.onnx", "--weights", "w.pt"), "are for models that are built by name"),
        (("simple_cnn", "--input", "8,1,28,28"), "--input has a batch of 8: give it with --batch 8"),
        (("simple_cnn", "--data", "nothing"), "Unknown dataset 'nothing'"),
    ],
)
def test_wrong_input_is_one_sentence(words, sentence):
    assert sentence in refused(*words)


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "bad.onnx").write_bytes(b"not a model")
    assert "bad.onnx is not an ONNX model, or it is damaged" in refused(tmp_path / "bad.onnx")


def test_no_model_at_all_is_refused():
    assert run().exit_code == 2
