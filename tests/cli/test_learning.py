"""`train`'s options of optimizer, schedule and learning rate."""

import json
import re
from pathlib import Path

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from edgewright.cli import app
from edgewright.cli.learning import OPTIMIZER_NAMES, RISING, SCHEDULE_NAMES, without_second_rise
from edgewright.train.optimizers import OPTIMIZERS, make_optimizer
from edgewright.train.schedules import SCHEDULES, Course, schedule


def run(*words):
    done = CliRunner().invoke(app, ["train", "simple_cnn", "--data", "digits", *words])
    assert done.exit_code == 0, (done.stderr, done.exception)
    return done.stdout


def test_the_help_lists_the_names_of_the_tables():
    assert tuple(OPTIMIZERS) == OPTIMIZER_NAMES
    assert tuple(SCHEDULES) == SCHEDULE_NAMES
    assert tuple(name for name, each in SCHEDULES.items() if each.rises) == RISING
    shown = CliRunner().invoke(app, ["train", "--help"]).stdout
    words = re.findall(r"[\w-]+", re.sub(r"-\n\s+", "-", shown))  # names are broken at hyphens
    assert {*OPTIMIZERS, *SCHEDULES} <= set(words)


def test_a_schedule_that_rises_by_itself_has_no_warm_up_unless_asked_for():
    assert without_second_rise({"schedule": "one-cycle:rise=0.2"})["warmup_epochs"] == 0
    assert without_second_rise({"schedule": "triangular", "warmup_epochs": 2.0})["warmup_epochs"] == 2
    assert without_second_rise({"schedule": "cosine"}) == {"schedule": "cosine"}


def test_schedules_fall_to_the_final_rate_exactly_where_they_say_so():
    for name, each in SCHEDULES.items():
        shares = {schedule(name).share(98, Course(num_steps=99, final=final)) for final in (0.0, 0.5)}
        assert (len(shares) == 2) == each.falls_to_final, name


def test_optimizers_step_by_the_momentum_exactly_where_they_say_so():
    for name, each in OPTIMIZERS.items():
        ends = set()
        for momentum in (0.5, 0.9):
            weight = nn.Parameter(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))  # Lamb scales steps: uneven ones
            optimizer = make_optimizer([weight], name=name, lr=0.1, weight_decay=0.0, momentum=momentum)
            for _ in range(3):
                weight.grad = weight.detach() ** 3
                optimizer.step()
            ends.add(weight[0, 0].item())
        assert (len(ends) == 2) == each.uses_momentum, name


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--schedule", "step:every=1", "--final-lr", "0.1"], "the schedule step:every=1 does not look at it"),
        (["--optimizer", "lookahead:rmsprop", "--momentum", "0.8"], "rmsprop does not look at --momentum, as adagrad"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(options, words):
    done = CliRunner().invoke(app, ["train", "simple_cnn", "--data", "digits", *options])
    assert done.exit_code == 2
    assert words in done.stderr


@pytest.mark.slow
def test_the_options_reach_the_training(tmp_path):
    run(
        "--epochs", "1", "--batch-size", "512", "--optimizer", "lookahead:adam:k=2", "--schedule", "polynomial:power=2",
        "--lr-scaling", "sqrt", "--rates", "conv1=0.1,=1", "--warmup-epochs", "0.5", "--final-lr", "0.1",
        "--momentum", "0.8", "--weight-decay", "0.01", "--l1", "0.001", "--out", str(tmp_path / "run"),
    )  # fmt: skip
    content = json.loads((tmp_path / "run" / "run.json").read_text())
    asked = {
        "optimizer": "lookahead:adam:k=2", "schedule": "polynomial:power=2", "lr_scaling": "sqrt",
        "rates": "conv1=0.1,=1", "warmup_epochs": 0.5, "final_lr": 0.1, "momentum": 0.8, "weight_decay": 0.01,
        "l1": 0.001,
    }  # fmt: skip
    text = json.dumps(content)
    for name, value in asked.items():
        assert f'"{name}": {json.dumps(value)}' in text


@pytest.mark.slow
def test_the_range_test_prints_its_curve_and_trains_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = run("--find-lr")
    assert "steepest fall" in shown
    assert "Suggested is" in shown.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []
    found = json.loads(run("--find-lr", "--json", "-"))
    assert len(found["rates"]) == len(found["losses"]) == len(found["smoothed"])
    assert found["suggested"] == min(found["steepest"], found["lowest"] / 10)


def test_the_page_has_a_row_for_every_optimizer_and_schedule():
    page = (Path(__file__).parents[2] / "docs" / "optimizers.md").read_text()
    rows = re.findall(r"^\| `([a-z0-9-]+)` \|", page, re.M)
    assert rows == [*OPTIMIZERS, *SCHEDULES]
