"""`advise`, `tune`, and the options of `train` that transfer, cross-validate and choose a loss."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from edgewright import pipeline
from edgewright.cli import app
from edgewright.errors import ConfigError
from edgewright.runs import load_final_model, read_run
from edgewright.train.transfer import advise_transfer
from edgewright.types import Report

FACTORY = """
from torch import nn

def net(num_classes=10, in_channels=1):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, num_classes))
"""
QUICK = ("--data", "digits", "--image-size", "8", "--channels", "1", "--epochs", "1", "--batch-size", "256")
DATA = ("--data", "digits", "--image-size", "8", "--channels", "1")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(FACTORY)
    return tmp_path


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_the_options_of_train_reach_the_settings_and_the_task(here, monkeypatch):
    calls = {}

    def record(job, stage, **others):
        calls.update(job=job, stage=stage)
        return Report(folder=Path("r"), content={"verdict": {"passed": True, "sentence": ""}})

    monkeypatch.setattr(pipeline, "run_stage", record)
    done = run(
        "train", "nets.py:net", *QUICK, "--preset", "regularized", "--loss", "focal", "--label-smoothing", "0.1",
        "--freeze", "backbone", "--unfreeze-every", "2", "--layer-decay", "0.5", "--json", "-",
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    task, stage = calls["job"].task, calls["stage"]
    assert (task.loss_name, task.label_smoothing, stage.label_smoothing) == ("focal", 0.1, 0.0)
    assert (stage.freeze, stage.unfreeze_every, stage.layer_decay) == ("backbone", 2, 0.5)


@pytest.mark.slow
def test_a_run_moves_to_other_classes_by_its_head_alone(here):
    import numpy as np

    from edgewright.data import load_data

    digits = load_data("digits").split("train")
    is_high = digits.labels_B >= 7
    images, labels = digits.images_BCHW[is_high, 0].numpy(), digits.labels_B[is_high].numpy() - 7
    np.savez(here / "high.npz", image=images, label=labels)
    assert run("train", "nets.py:net", *QUICK, "--out", "old").exit_code == 0
    new = ("--data", "npz:high.npz")
    advised = run("advise", "old", *new, "--similar", "--small-below", "1000", "--json", "-")
    assert advised.exit_code == 0, advised.stderr
    advice = json.loads(advised.stdout)
    assert advice["command"] == "edgewright train old --data npz:high.npz --new-head --freeze backbone"
    done = run(*advice["command"].split()[1:], "--epochs", "2", "--out", "new")
    assert done.exit_code == 0, done.stderr
    old, net = load_final_model(here / "old"), load_final_model(here / "new")
    assert net(torch.zeros(2, 1, 8, 8)).shape == (2, 3)
    same = [name for name, value in old.state_dict().items() if torch.equal(value, net.state_dict()[name])
            if value.shape == net.state_dict()[name].shape]  # fmt: skip
    assert len(same) == 7  # all but the weight and bias of the head
    measured = run("advise", "old", *new, "--channels", "1")
    assert "edgewright train old --data npz:high.npz --channels 1 --new-head" in measured.stdout.splitlines()[-1]
    assert "Nearest neighbours tell the classes apart" in measured.stdout and measured.exit_code == 0


def test_a_printed_training_starts_from_what_was_asked_about_and_sets_what_was_found():
    from edgewright.cli.again import train_lines, train_words
    from edgewright.cli.load import Asked
    from edgewright.train import Train

    asked = Asked(model="m.py:net", data="npz:my file.npz", device="generic-x86", image_size=8, channels=1, seed=3,
                  data_root=Path("d"), val_from="test")  # fmt: skip
    assert train_words(asked)[2:] == [
        "m.py:net", "--data", "npz:my file.npz", "--data-root", "d", "--image-size", "8", "--channels", "1",
        "--val-from", "test", "--seed", "3",
    ]  # fmt: skip
    bare = Asked(model="resnet8", data="digits", device="generic-x86")
    assert train_words(bare) == ["edgewright", "train", "resnet8", "--data", "digits"]
    values = {"lr": 0.02, "schedule": "one-cycle", "keep": "last", "ema_decay": None}
    assert train_lines(bare, values, train=Train(), preset="quick", device="") == [
        "edgewright train resnet8 --data digits --preset quick --lr 0.02 --schedule one-cycle --warmup-epochs 1.0",
        "and in Python, where train has no option for it: Train(keep='last')",
    ]


@pytest.mark.slow
def test_a_search_by_folds_ends_with_the_training_to_do(here):
    done = run("tune", "nets.py:net", *QUICK, "--vary", "lr=0.02", "--folds", "2", "--trials", "1", "--out", "t")
    assert done.exit_code == 0, done.stderr
    command = done.stdout.splitlines()[-1].split()
    assert command[-6:] == ["--epochs", "1", "--batch-size", "256", "--lr", "0.02"]
    assert run(*command[1:], "--out", "best").exit_code == 0


@pytest.mark.slow
def test_folds_and_a_search_leave_runs_that_are_models(here):
    done = run("train", "nets.py:net", *QUICK, "--folds", "2", "--out", "cv")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith("(mean and standard deviation of 2 folds)")
    assert read_run(here / "cv" / "fold-2-of-2")["data"]["name"] == "digits, fold 2 of 2"
    done = run("tune", "nets.py:net", *QUICK, "--vary", "lr=0.001|0.02", "--method", "grid", "--out", "t")
    assert done.exit_code == 0, done.stderr
    best = json.loads((here / "t" / "tuning.json").read_text())["best"]
    assert done.stdout.splitlines()[-1] == f"model: t/trial-{best:03d}"


REFUSED = {
    ("train", "nets.py:net", *DATA, "--new-head"): "has random weights, and a new head is for trained ones",
    ("advise", "nets.py:net", *DATA): "has random weights, and a new head is for trained ones",
    ("train", "nets.py:net", *DATA, "--loss", "hinge"): "one of cross-entropy, focal, bce, sigmoid-focal, got 'hinge'",
    ("train", "nets.py:net", *DATA, "--unfreeze-every", "2"): "none is frozen: set freeze, for instance to 'backbone'",
    ("train", "nets.py:net", *DATA, "--folds", "1"): "needs 2 folds or more, got 1",
    ("train", "nets.py:net", *DATA, "--folds", "500"): "500 folds need 500 of each class",
    ("tune", "nets.py:net", *DATA, "--vary", "lrr=1|2"): "did you mean lr",
    ("tune", "nets.py:net", *DATA, "--vary", "lr=1|2", "--method", "luck"): "one of grid, random, bayes, got 'luck'",
}


@pytest.mark.parametrize("words", REFUSED, ids=lambda words: " ".join(words[-2:]))
def test_wrong_input_is_one_sentence_and_leaves_nothing(here, words):
    done = run(*words)
    assert done.exit_code == 2, (done.stdout, done.stderr, done.exception)
    (sentence,) = done.stderr.splitlines()
    assert REFUSED[words] in sentence
    assert {path.name for path in here.iterdir()} - {"__pycache__"} == {"nets.py"}


def test_the_help_offers_every_method_and_loss():
    from edgewright.cli.tune import METHOD_NAMES
    from edgewright.pipeline.tuning import METHODS
    from edgewright.tasks.classify import LOSSES

    assert tuple(METHODS) == METHOD_NAMES
    assert "|".join(LOSSES) in run("train", "--help").stdout.replace("\n", "").replace(" ", "")


def test_a_setting_that_is_searched_and_given_is_refused():
    done = run("tune", "simple_cnn", "--data", "digits", "--vary", "lr=1e-4..1e-1:log", "--lr", 0.5)
    assert done.exit_code == 2 and "The search varies lr, so --lr has no effect" in " ".join(done.stderr.split())


def test_few_images_are_more_than_none():
    with pytest.raises(ConfigError, match="small_below must be greater than 0, got -3"):
        advise_transfer(nn.Linear(2, 2), images_per_class=10, is_similar=True, small_below=-3)
