"""Options of large trainings: what a dry run says, what a log holds, and how wrong values are answered."""

import json
import math

import pytest
from typer.testing import CliRunner

from edgewright.cli import app
from edgewright.train.monitor import read_history

TRAIN = ("train", "simple_cnn", "--data", "digits")


def run(*words):
    return CliRunner().invoke(app, [*TRAIN, *map(str, words)])


def test_a_dry_run_tells_the_plan_the_memory_and_the_time_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = run("--epochs", 3, "--batch-size", 64, "--accumulate", 4, "--dry-run")
    assert told.exit_code == 0, told.output
    words = ("3 epochs of 17 steps", "64 a step, 16 at once", "optimizer state", "ms a step", "Nothing was trained")
    assert all(each in told.output for each in words), told.output
    assert not list(tmp_path.iterdir())


def test_a_dry_run_as_json_sums_its_parts(tmp_path):
    told = run("--epochs", 2, "--ema-decay", 0.9, "--dry-run", "--json", tmp_path / "plan.json")
    assert told.exit_code == 0, told.output
    found = json.loads((tmp_path / "plan.json").read_text())
    assert found["memory_bytes"] == sum(found["memory"].values())
    assert found["memory"]["moving average"] >= 4 * found["parameters"]
    assert found["total_s"] > 0 and math.isfinite(found["total_s"])


@pytest.mark.slow
def test_a_log_holds_every_step_and_epoch(tmp_path):
    told = run("--epochs", 1, "--batch-size", 512, "--mixup", 0.2, "--out", tmp_path / "run", "--log", tmp_path / "log")
    assert told.exit_code == 0, told.output
    assert [record["step"] for record in read_history(tmp_path / "log")] == [1, 2, 3, 3]
    assert len(list((tmp_path / "log").glob("events.out.tfevents.*"))) == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--processes", 0), "--processes must be a whole number from 1, got 0"),
        (("--dtype", "float8"), "--dtype must be float32, bfloat16 or float16, got 'float8'"),
        (("--accumulate", 20), "parts of 2 images or more, got 20 parts of 32 images"),
        (("--mixup", -1), "--mixup must be greater than 0, got -1.0"),
        (("--cutmix", 0), "--cutmix must be greater than 0, got 0.0"),
        (("--clip-norm", 0), "--clip-norm must be greater than 0, got 0.0"),
        (("--clip-value", -1), "--clip-value must be greater than 0, got -1.0"),
        (("--dropout", 1), "--dropout must be in [0, 1), got 1.0"),
        (("--checkpoint-seconds", 0), "--checkpoint-seconds must be greater than 0, got 0.0"),
    ],
)
def test_wrong_values_are_one_sentence(words, sentence):
    told = run(*words, "--dry-run")
    assert told.exit_code == 2
    assert sentence in told.output and "Traceback" not in told.output
