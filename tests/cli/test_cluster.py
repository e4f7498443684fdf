"""From a trained run to a coded file and back: `cluster`, `export --format coded`, and the file as a MODEL."""

import json

import pytest
import torch
from typer.testing import CliRunner

from edgewright.cli import app
from edgewright.cli.load import read_model
from edgewright.model import fingerprint
from edgewright.runs import load_final_model, read_run

pytestmark = pytest.mark.slow  # trains and exports


def run(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, (done.stdout, done.stderr, done.exception)
    return done.stdout


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A small trained net, its clustered run, and the coded file of that."""
    folder = tmp_path_factory.mktemp("runs")
    run("train", "simple_cnn", "--data", "digits", "--epochs", 2, "--image-size", 16, "--out", folder / "dense")
    told = run(
        "cluster", folder / "dense", "--data", "digits", "--bits", 4, "--conv-bits", 6, "--out", folder / "shared"
    )
    exported = run("export", folder / "shared", "--format", "coded")
    return folder, told, exported


def test_cluster_says_what_the_file_will_take(runs):
    folder, told, exported = runs
    details = read_run(folder / "shared")["stages"][-1]["details"]
    assert f"Coded: {details['coded_bytes']:,} bytes" in told
    assert (folder / "shared" / "artifact-coded" / "model.coded").stat().st_size == details["coded_bytes"]
    assert {row["kind"]: row["values"] for row in details["layers"]}["linear"] == 16
    assert f"times smaller than its {details['fp32_bytes']:,} bytes in float32" in exported
    for part in ("values", "codebooks", "tables", "description"):
        assert f"\n  {part}" in told and f"\n  {part}" in exported


def test_the_file_is_a_model_with_its_name_and_statistics(runs):
    folder, *_ = runs
    found = read_model(str(folder / "shared" / "artifact-coded" / "model.coded"))
    assert fingerprint(found.net) == fingerprint(load_final_model(folder / "shared"))
    preprocess = read_run(folder / "shared")["data"]["preprocess"]
    assert (found.name, found.trained) == ("simple_cnn", True)
    assert (list(found.mean), list(found.std)) == (preprocess["mean"], preprocess["std"])


def test_the_file_is_verified_against_the_run_it_came_from(runs):
    folder, *_ = runs
    told = run("verify", folder / "shared" / "artifact-coded" / "model.coded", "--data", "digits")
    assert "100 %" in next(line for line in told.splitlines() if "agreement" in line)
    assert "PyTorch" in told and "PASSED" in told


def test_the_artifact_folder_stands_for_its_file(runs):
    folder, *_ = runs
    artifact = folder / "shared" / "artifact-coded"
    assert fingerprint(read_model(str(artifact)).net) == fingerprint(read_model(str(artifact / "model.coded")).net)
    told = run("bench", artifact, "--runtime", "eager", "--turns", 1, "--runs", 3, "--starts", 0)
    assert "artifact-coded" in told


def test_the_next_stage_starts_from_the_file(runs, tmp_path):
    folder, *_ = runs
    file = folder / "shared" / "artifact-coded" / "model.coded"
    told = run("cluster", file, "--data", "digits", "--bits", 6, "--out", tmp_path / "again")
    assert "top-1 on val" in told
    assert fingerprint(load_final_model(tmp_path / "again")) == fingerprint(read_model(str(file)).net)  # few enough


def test_values_learn_from_the_model_as_it_came(runs, tmp_path):
    folder, *_ = runs
    words = ("cluster", folder / "dense", "--data", "digits", "--bits", 2, "--out", tmp_path / "taught")
    told = json.loads(run(*words, "--recover", "distill", "--epochs", 1, "--json", "-"))
    stage = told["stages"][-1]
    assert stage["settings"]["cluster"]["train"]["epochs"] == 1
    assert len(stage["details"]["history"]) == 1
    net = load_final_model(tmp_path / "taught")
    assert torch.unique(net.fc1.weight).numel() <= 4


def test_a_changed_file_is_refused_by_its_hash(runs, tmp_path):
    folder, *_ = runs
    artifact = tmp_path / "artifact-coded"
    artifact.mkdir()
    for path in (folder / "shared" / "artifact-coded").iterdir():
        (artifact / path.name).write_bytes(path.read_bytes())
    data = bytearray((artifact / "model.coded").read_bytes())
    data[-1] ^= 1
    (artifact / "model.coded").write_bytes(bytes(data))
    done = CliRunner().invoke(app, ["verify", str(artifact), "--data", "digits"])
    assert done.exit_code == 2 and "is not the file that was exported" in done.stderr
