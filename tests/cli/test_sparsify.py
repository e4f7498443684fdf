"""`sparsify`: wrong options in one sentence, and a run from a trained net to accounts of its zeros."""

import json
import re

import pytest
from typer.testing import CliRunner

from edgewright.cli import app
from edgewright.runs import read_run

BAD = {
    "neither": ([], "takes --sparsity SHARE or --pattern N:M, got neither: give one of them"),
    "both": (["--sparsity", "0.5", "--pattern", "2:4"], "got both: give one of them"),
    "too sparse": (["--sparsity", "1"], "--sparsity is a share between 0 and 1, got 1.0"),
    "no pattern": (["--pattern", "4:2"], "A pattern is written N:M with 0 < N < M, such as 2:4, got '4:2'"),
    "unknown score": (["--sparsity", "0.5", "--score", "magnitud"], "Unknown score 'magnitud': did you mean magnitude"),
    "unknown scope": (["--sparsity", "0.5", "--scope", "locl"], "Unknown scope 'locl'"),
    "unknown schedule": (["--sparsity", "0.5", "--schedule", "cubical"], "Unknown schedule 'cubical'"),
    "unknown recovery": (["--sparsity", "0.5", "--recover", "hope"], "--recover is one of none, train, distill, got"),
    "pattern in steps": (
        ["--pattern", "2:4", "--schedule", "cubic", "--steps", "3"],
        "--pattern is chosen once in each layer: leave out --schedule, --steps",
    ),
    "steps of nothing": (["--sparsity", "0.5", "--until", "0.5"], "--until would change nothing: add --schedule cubic"),
    "nothing to train": (
        ["--sparsity", "0.5", "--epochs", "3", "--batch-size", "8"],
        "--epochs, --batch-size would train nothing: add --recover train or distill",
    ),
    "movement at once": (["--sparsity", "0.5", "--score", "movement"], "The score 'movement' is a sum over a training"),
    "an order of nothing": (["--sparsity", "0.5", "--permute"], "--permute orders channels for a pattern"),
    "random weights": (["--sparsity", "0.5"], "simple_cnn has random weights, and sparsify needs trained ones"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_options_are_refused_in_one_sentence(case, tmp_path):
    words, sentence = BAD[case]
    found = CliRunner().invoke(
        app, ["sparsify", "simple_cnn", "--data", "digits", "--out", str(tmp_path / "o"), *words]
    )
    assert found.exit_code == 2 and found.stdout == ""
    assert sentence in " ".join(found.stderr.split()) and len(found.stderr.splitlines()) == 1
    assert not (tmp_path / "o").exists()


def run(*words, code=0):
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == code, (done.stdout, done.stderr, done.exception)
    return done


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "dense"
    run("train", "simple_cnn", "--data", "digits", "--epochs", 2, "--image-size", 16, "--out", folder)
    return folder


@pytest.mark.slow
def test_a_run_says_what_is_zero_and_what_each_form_takes(trained, tmp_path):
    words = ["sparsify", trained, "--data", "digits", "--sparsity", "0.9", "--dense-ends", "--out", tmp_path / "out"]
    told = run(
        *words, "--schedule", "cubic", "--epochs", 1, "--recover", "distill", "--json", tmp_path / "x.json"
    ).stdout
    content = read_run(tmp_path / "out")
    assert json.loads((tmp_path / "x.json").read_text()) == content
    assert [stage["name"] for stage in content["stages"]] == ["given", "sparsify", "recover"]
    found = content["sparsity"]
    assert found["zeros"] == round(0.9 * found["weights"])
    assert f"{found['zeros']:,} of {found['weights']:,} weights are 0 (90.00%)" in told
    for row in found["layers"]:
        assert re.search(rf"^{re.escape(row['layer'])} +{row['weights']:,} +{row['zeros']:,} ", told, re.M)
    for form, size in found["bytes"].items():
        assert re.search(rf"^{form} +{size['float32']:,} ", told, re.M)
    assert "neither the dense file smaller nor the model faster" in told
    assert sum("asked to stay dense" in line for line in told.splitlines()) == 2


@pytest.mark.slow
def test_a_pattern_is_packed_and_more_zeros_than_possible_end_with_1(trained, tmp_path):
    told = run(
        "sparsify", trained, "--data", "digits", "--pattern", "2:4", "--permute", "--out", tmp_path / "out"
    ).stdout
    packed = read_run(tmp_path / "out")["sparsity"]["bytes"]["packed"]
    assert re.search(rf"^packed +{packed['float32']:,} ", told, re.M)
    found = run("sparsify", trained, "--data", "digits", "--sparsity", "0.99999", "--out", tmp_path / "far", code=1)
    assert "the largest sparsity is" in found.stderr
