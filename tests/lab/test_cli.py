"""`lab list | run | all`: what they print, write and refuse."""

import json

import pytest
from typer.testing import CliRunner

from edgewright.cli import app
from edgewright.lab import catalog, experiment

NAME = "maximum_likelihood_variance_is_too_small"


def run(*words):
    return CliRunner().invoke(app, ["lab", *words])


def test_list_finds_experiments_by_all_words_and_theme():
    everything = json.loads(run("list", "--json", "-").stdout)
    assert [each["name"] for each in everything] == list(catalog())
    found = json.loads(run("list", "variance maximum", "--theme", "estimation", "--json", "-").stdout)
    assert NAME in [each["name"] for each in found] and all(each["theme"] == "estimation" for each in found)


def test_run_prints_question_numbers_and_verdict():
    done = run("run", NAME, "--fast")
    assert done.exit_code == 0
    assert done.stdout.startswith(experiment(NAME).question)
    assert "bias of 1/m, m=2" in done.stdout and "The claim holds" in done.stdout
    again = json.loads(run("run", NAME, "--fast", "--json", "-").stdout)
    assert again["finding"]["verdict"] == "holds"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("run", "no_such_claim"), "no experiment 'no_such_claim'"),
        (("list", "qqqqq"), "No experiment contains 'qqqqq'"),
        (("list", "--theme", "cooking"), "no theme 'cooking': choose one of estimation"),
        (("all", "--theme", "cooking"), "no theme 'cooking'"),
    ],
)
def test_wrong_names_are_refused_in_one_sentence(words, sentence):
    done = run(*words)
    assert done.exit_code == 2 and sentence in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_claim_that_does_not_hold_is_exit_code_1(monkeypatch, find):
    from dataclasses import replace

    from edgewright import lab

    failed = replace(find(NAME), verdict=lab.Verdict.DOES_NOT_HOLD)
    outcome = lab.Outcome(experiment=NAME, seed=0, fast=True, seconds=0.0, code="", finding=failed)
    monkeypatch.setattr(lab, "run_one", lambda *_, **__: outcome)
    done = run("run", NAME)
    assert done.exit_code == 1 and "The claim does not hold" in done.stdout


@pytest.mark.slow
def test_all_writes_the_gallery_and_keeps_findings(tmp_path, monkeypatch):
    from edgewright.lab import catalog as all_of

    monkeypatch.setattr("edgewright.lab.catalog", lambda: {NAME: all_of()[NAME]})
    out = tmp_path / "gallery"
    done = run("all", "--fast", "--out", str(out))
    assert done.exit_code == 0 and "1 experiments" in done.stdout and "holds: 1" in done.stdout
    assert (out / "index.html").exists() and (out / f"{NAME}.html").exists()
    before = (out / "findings" / f"{NAME}.json").stat().st_mtime_ns
    again = run("all", "--fast", "--out", str(out), "--resume")
    assert again.exit_code == 0 and "1 findings are kept" in again.stderr
    assert (out / "findings" / f"{NAME}.json").stat().st_mtime_ns == before
