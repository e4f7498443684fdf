"""The commands that compute: what they hand over, what they print, and that each run is a MODEL again."""

import dataclasses
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edgewright import pipeline
from edgewright.cli import app
from edgewright.devices import device
from edgewright.types import Budget, Report


def run(*words):
    return CliRunner().invoke(app, list(words))


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What `fit` was called with, instead of a run."""
    calls = {}

    def record(job, **settings):
        calls.update(job=job, **settings)
        content = {"verdict": {"passed": calls.get("passes", True), "sentence": "As asked."}}
        return Report(folder=tmp_path, content=content)

    monkeypatch.setattr(pipeline, "fit", record)
    return calls


FIT = ("fit", "simple_cnn", "--data", "digits", "--device", "stm32f746")


def test_fit_hands_over_model_data_device_and_the_default_budget(asked):
    done = run(*FIT)
    assert done.exit_code == 0, done.stderr
    job = asked["job"]
    assert job.device == device("stm32f746")
    assert job.budget == Budget(max_drop=1.0)
    assert (job.model_name, job.trained, job.seed) == ("simple_cnn", False, 0)
    assert job.data.preprocess.shape == (1, 28, 28)
    assert (asked["out"], asked["resume"]) == (Path("runs/fit"), False)


def test_limits_are_read_in_the_units_of_their_flags(asked):
    run(*FIT, "--max-drop", "2", "--latency-ms", "5", "--ram-kb", "64", "--flash-kb", "32.5", "--energy-mj", "0.5")
    wanted = Budget(max_drop=2.0, latency_s=0.005, ram_bytes=65_536, flash_bytes=33_280, energy_j=0.0005)
    assert asked["job"].budget == wanted


def test_a_smallest_score_replaces_the_default_drop(asked):
    run(*FIT, "--min-score", "95")
    assert asked["job"].budget == Budget(max_drop=None, min_score=95.0)


def test_options_change_the_recipe_and_nothing_else(asked):
    run(*FIT, "--keep-macs", "0.4", "--epochs", "3", "--seed", "7", "--out", "there", "--resume")
    recipe = asked["recipe"]
    assert recipe.keep_macs == 0.4
    assert (recipe.train.epochs, recipe.recover.train.epochs) == (3, 3)
    assert recipe.train == dataclasses.replace(type(recipe)().train, epochs=3)
    assert (asked["job"].seed, asked["out"], asked["resume"]) == (7, Path("there"), True)


def test_a_recipe_file_is_the_recipe(asked, tmp_path):
    (tmp_path / "r.json").write_text(json.dumps({"name": "mine", "max_rounds": 1, "train": {"epochs": 2}}))
    run(*FIT, "--recipe", str(tmp_path / "r.json"))
    assert (asked["recipe"].name, asked["recipe"].max_rounds, asked["recipe"].train.epochs) == ("mine", 1, 2)


def test_the_image_size_reaches_model_and_data(asked):
    run(*FIT, "--image-size", "20")
    assert asked["job"].data.preprocess.shape == (1, 20, 20)
    assert asked["job"].data.image_shape == (1, 20, 20)


def test_a_failed_check_is_exit_code_1(asked):
    asked["passes"] = False
    done = run(*FIT)
    assert done.exit_code == 1
    assert "FAILED" in done.stdout


def test_fit_speaks_json(asked):
    assert json.loads(run(*FIT, "--json", "-").stdout)["verdict"]["passed"] is True


@pytest.mark.slow
def test_each_stage_leaves_a_run_that_the_next_one_takes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = ("--data", "digits")
    chain = [
        ("train", "simple_cnn", *data, "--epochs", "2", "--out", "trained"),
        ("prune", "trained", *data, "--keep-macs", "0.6", "--out", "cut"),
        ("distill", "cut", *data, "--teacher", "trained", "--epochs", "1", "--out", "recovered"),
        ("quantize", "recovered", *data, "--method", "minmax", "--out", "int8"),
        ("export", "int8"),
        ("verify", "int8", *data, "--turns", "1"),
        ("bench", "int8", "--turns", "1", "--runs", "3"),
        ("report", "int8"),
        ("analyze", "int8", "--dtype", "int8", "--by", "total"),
    ]
    for words in chain:
        done = run(*words)
        assert done.exit_code == 0, (words, done.stdout, done.stderr)
    stored = {name: json.loads((tmp_path / name / "run.json").read_text()) for name in ("trained", "cut", "int8")}
    macs = {name: content["profile"]["after"]["macs"] for name, content in stored.items()}
    assert macs["trained"] == 333_056
    assert macs["int8"] == macs["cut"] <= 0.6 * macs["trained"]
    assert stored["int8"]["data"]["preprocess"] == stored["trained"]["data"]["preprocess"]


@pytest.mark.slow
def test_an_interrupted_run_says_how_to_go_on_and_then_does(tmp_path):
    words = [
        sys.executable,
        "-m",
        "edgewright",
        "train",
        "simple_cnn",
        "--data",
        "digits",
        "--out",
        str(tmp_path / "r"),
    ]
    started = subprocess.Popen([*words, "--epochs", "500"], stderr=subprocess.PIPE, text=True)
    assert started.stderr is not None
    assert started.stderr.readline().startswith("1. ")
    started.send_signal(signal.SIGINT)
    _, rest = started.communicate(timeout=60)
    assert started.returncode == 130
    assert rest.splitlines()[-1] == "interrupted: rerun with --resume"
    done = subprocess.run([*words, "--epochs", "1", "--resume"], capture_output=True, text=True, check=True)
    assert "model: " in done.stdout


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A net that has learnt the digits for two epochs."""
    folder = tmp_path_factory.mktemp("runs") / "trained"
    done = run("train", "simple_cnn@8", "--data", "digits", "--epochs", "2", "--out", str(folder))
    assert done.exit_code == 0, done.stderr
    return folder


@pytest.mark.slow
def test_the_front_of_bits_is_listed_and_its_choice_is_within_the_limits(fitted, tmp_path):
    out = tmp_path / "mixed"
    words = ("quantize", str(fitted), "--data", "digits", "--method", "minmax", "--out", str(out), "--pareto")
    done = run(*words, "--mean-bits", "4", "--latency-ms", "50")
    assert done.exit_code == 0, done.stderr
    assert "bits a weight" in done.stdout and "predicted loss (mse)" in done.stdout
    mixed = json.loads((out / "run.json").read_text())["stages"][1]["details"]["mixed"]
    assert mixed["limits"]["latency_s"] == 0.05 and mixed["spent"]["latency_s"] <= 0.05
    assert mixed["mean_weight_bits"] <= 4 < mixed["front"][0]["mean_weight_bits"]
    assert f"{mixed['front'][-1]['weight_bytes']:,}" in done.stdout


@pytest.mark.slow
def test_a_latency_that_no_choice_of_bits_reaches_is_a_budget_error(fitted, tmp_path):
    words = ("quantize", str(fitted), "--data", "digits", "--method", "minmax", "--out", str(tmp_path / "none"))
    done = run(*words, "--latency-ms", "0.000001")
    assert done.exit_code == 1
    assert "No choice of bits reaches latency_s of" in done.stderr
