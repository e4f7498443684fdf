"""`distill`: what is imitated, by whom, and what is refused."""

import json
import re

import pytest
from typer.testing import CliRunner

from edgewright.cli import app
from edgewright.cli.kinds import KIND_NAMES, TERM_WEIGHTS, parse_kinds, weighed
from edgewright.compress.distill import Distill
from edgewright.compress.distill.terms import TERMS
from edgewright.errors import ConfigError, LookupFailed
from edgewright.runs import read_run

BASE = ("distill", "simple_cnn", "--data", "digits", "--image-size", "16")


def run(*words, code=0):
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == code, (done.stdout, done.stderr, done.exception)
    return done.stdout if code == 0 else done.stderr


def test_every_term_of_the_table_is_a_kind():
    assert set(TERM_WEIGHTS) == set(TERMS)
    assert set(KIND_NAMES) == set(TERMS) | {"born-again", "mutual"}


def test_kinds_have_weights_and_combine():
    assert parse_kinds("soft, hints:2.5,attention") == {"soft": None, "hints": 2.5, "attention": 10.0}
    start = Distill(alpha=0.25)
    assert weighed(start, {}, {}) == start
    assert weighed(start, parse_kinds("soft,hints:2"), {}) == Distill(alpha=0.25, hints=2.0)
    assert weighed(start, parse_kinds("soft:0.5"), {}) == Distill(alpha=0.25, soft=0.5)
    assert weighed(start, parse_kinds("decoupled"), {}) == Distill(alpha=1.0, soft=0.0, decoupled=1.0)
    assert weighed(start, parse_kinds("hints"), {"alpha": 0.5}) == Distill(alpha=0.5, soft=0.0, hints=1.0)


@pytest.mark.parametrize(("text", "error", "message"), [
    ("softt", LookupFailed, "Unknown kind 'softt': did you mean soft"),
    ("hints,hints:2", ConfigError, "--kind names hints twice"),
    ("hints:none", ConfigError, "--kind hints takes a weight greater than 0, got 'none': write for instance hints:2"),
    ("hints:0", ConfigError, "--kind hints takes a weight greater than 0, got '0'"),
    ("born-again:2", ConfigError, "--kind born-again takes no weight, got '2'"),
    ("mutual,hints", ConfigError, "mutual has peers and no teacher, so nothing for hints to imitate"),
    ("born-again,mutual", ConfigError, "mutual has peers and no teacher, so nothing for born-again to imitate"),
])  # fmt: skip
def test_kinds_that_cannot_be_are_refused(text, error, message):
    with pytest.raises(error, match=message):
        parse_kinds(text)


REFUSED = {
    (): "distill needs somebody to learn from: add --teacher, or --kind born-again or mutual",
    ("--kind", "hints"): "distill needs somebody to learn from",
    ("--kind", "mutual", "--teacher", "x"): "--kind mutual has no teacher: leave out --teacher",
    ("--kind", "born-again", "--teacher", "x"): "--kind born-again has no teacher",
    ("--teacher", "x", "--generations", "3"): "--generations changes nothing without --kind born-again",
    ("--teacher", "x", "--peers", "3"): "--peers changes nothing without --kind mutual",
    ("--kind", "mutual", "--teacher-weights", "w.pt"): "--teacher-weights are those of a teacher, and --kind mutual",
    ("--kind", "born-again", "--teacher-weights", "w.pt"): "--teacher-weights are those of a teacher",
    ("--kind", "hints", "--teacher", "x", "--temperature", "2"): "--temperature changes nothing where neither soft nor",
    ("--kind", "born-again", "--alpha", "1", "--features", "1", "--temperature", "2"): "--temperature changes nothing",
    ("--kind", "born-again", "--keep-answers", "a"): "--keep-answers keeps those of a teacher",
    ("--kind", "mutual", "--alpha", "0.5"): "--alpha changes nothing about peers: write their weight as mutual:0.5",
    ("--kind", "hints", "--teacher", "x", "--keep-answers", "a"): "--keep-answers keeps what a teacher says and not",
    ("--kind", "features", "--features", "2", "--teacher", "x"): "--features and --kind features are the same weight",
    ("--kind", "mutual", "--peers", "1"): "--peers is a whole number from 2, got 1",
    ("--kind", "born-again", "--generations", "0"): "--generations is a whole number from 1, got 0",
}


@pytest.mark.parametrize("words", REFUSED)
def test_options_that_contradict_each_other_are_refused(words, tmp_path):
    told = run(*BASE, *words, "--out", tmp_path / "out", code=2)
    assert re.fullmatch(r"[^\n]+\n", told) and REFUSED[words] in told
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("name", "message"), [
    ("distill:hope", "Unknown kind 'hope'"),
    ("distill:mutual", "--recover distill learns from the model as it came, got mutual"),
])  # fmt: skip
def test_a_recovery_by_what_cannot_recover_is_refused(name, message):
    words = ("prune", "simple_cnn", "--data", "digits", "--keep-macs", "0.5", "--recover", name)
    assert message in run(*words, code=2)


def test_clusters_imitate_soft_answers_only():
    words = ("cluster", "simple_cnn", "--data", "digits", "--recover", "distill:hints")
    assert "cluster imitates soft answers only, got --recover distill:hints" in run(*words, code=2)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "teacher"
    run("train", *BASE[1:], "--epochs", 1, "--out", folder)
    run("export", folder)
    return folder


@pytest.mark.slow
def test_kinds_of_a_teacher_reach_the_stage(trained, tmp_path):
    told = run(
        *BASE, "--teacher", trained, "--kind", "soft,hints:0.5,relational", "--epochs", 1, "--out", tmp_path / "a"
    )
    stage = read_run(tmp_path / "a")["stages"][-1]
    settings = {name: stage["settings"][name] for name in ("alpha", "soft", "hints", "relational", "attention")}
    assert settings == {"alpha": 0.1, "soft": None, "hints": 0.5, "relational": 25.0, "attention": 0.0}
    assert stage["details"]["pairs"] and "DONE  Distill: top-1 on val" in told


@pytest.mark.slow
def test_an_artifact_teaches_from_its_runtime_and_its_answers_are_kept(trained, tmp_path):
    words = (*BASE, "--epochs", 1, "--augment", "none")
    taught = {}
    for name, teacher in (
        ("run", trained),
        ("artifact", trained / "artifact"),
        ("file", trained / "artifact/model.onnx"),
    ):
        run(*words, "--teacher", teacher, "--out", tmp_path / name)
        taught[name] = read_run(tmp_path / name)["stages"][-1]["details"]["history"][0]["loss"]
    assert taught["artifact"] == pytest.approx(taught["run"], rel=1e-3)  # the same answers from two runtimes
    assert taught["file"] == pytest.approx(taught["run"], rel=0.2)  # this file does not tell how images are normalized
    kept = ("--teacher", trained / "artifact", "--keep-answers", tmp_path / "answers")
    first = run(*words, *kept, "--out", tmp_path / "b")
    again = run(*words, *kept, "--kind", "decoupled", "--out", tmp_path / "c")
    assert re.search(r"answers: 1,079 found in .*, 1,079 asked of the teacher\n", first)  # each image of train once
    assert re.search(r"answers: 1,079 found in .*, 0 asked of the teacher\n", again)
    hints = run(*words, "--teacher", trained / "artifact/model.onnx", "--kind", "hints", "--out", tmp_path / "d")
    assert "DONE  Distill" in hints  # kinds that look inside read the file into a graph


@pytest.mark.slow
def test_generations_and_peers_need_no_teacher(tmp_path):
    quick = ("--epochs", 1, "--augment", "none")
    told = run(*BASE, "--kind", "born-again", "--generations", 1, *quick, "--out", tmp_path / "born")
    assert re.search(r"\n +0 +\d+\.\d\d +\d+\.\d\d", told) and "kept" in told
    content = json.loads(run(*BASE, "--kind", "mutual:0.5", *quick, "--out", tmp_path / "mutual", "--json", "-"))
    stage = content["stages"][-1]
    assert len(stage["details"]["peers"]) == 2 and stage["settings"]["weight"] == 0.5
    refused = run(
        *("distill", tmp_path / "born", "--data", "digits", "--kind", "mutual"), "--out", tmp_path / "x", code=2
    )
    assert "is trained already, and mutual begins with random weights" in refused
