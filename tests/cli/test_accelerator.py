"""`--accelerator`: from the command line onto the job, and from the job to every training of a pipeline.

"cpu:0" stands for an accelerator: torch computes there, and its name is told from the default "cpu".
"""

from dataclasses import replace

import pytest
from torch import nn
from typer.testing import CliRunner

from edgewright.cli import app
from edgewright.cli.again import train_words
from edgewright.cli.load import Asked, job_for
from edgewright.compress.cluster import Cluster
from edgewright.compress.distill import Distill
from edgewright.compress.prune import Prepare, Prune
from edgewright.compress.prune.sparse import Sparsify
from edgewright.compress.prune.tickets import Tickets
from edgewright.compress.quantize import Qat, Quantize
from edgewright.pipeline import Tune, cross_validate, find_tickets, fit, run_stage, tune
from edgewright.pipeline.generations import BornAgain, born_again
from edgewright.pipeline.gradual import Schedule, prune_gradually
from edgewright.pipeline.sparse import sparsify
from edgewright.pipeline.taught import TaughtCluster
from edgewright.recipes import recipe
from edgewright.train import Train, loop, lr_range
from edgewright.types import Budget

HERE = "cpu:0"
ASKED = Asked(model="nets.py:small", data="digits", device="generic-x86", image_size=8, channels=1, accelerator=HERE)
QUICK = Train(epochs=1, epoch_images=64, batch_size=64, augment="none")
PRUNE = Prune(keep_macs=0.6, round_to=2, sensitivity_samples=32, sensitivity_keeps=(0.5,), norm_batches=1)
NETS = """
import torch
from torch import nn

def small(num_classes, in_channels=1):
    return nn.Sequential(nn.Conv2d(in_channels, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(),
                         nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(128, num_classes))
"""


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """The accelerator of every training, in order."""
    names, original = [], loop.learning_device

    def record(net: nn.Module, accelerator):
        names.append(accelerator)
        return original(net, accelerator)

    monkeypatch.setattr(loop, "learning_device", record)
    monkeypatch.setattr(lr_range, "learning_device", record)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(NETS)
    return names


def a_job(*, trained: bool = False):
    return replace(job_for(ASKED, Budget()), trained=trained)


def test_the_job_of_a_command_has_its_accelerator_and_the_default_is_the_cpu(asked):
    assert a_job().accelerator == HERE
    assert job_for(replace(ASKED, accelerator="cpu"), Budget()).accelerator == "cpu"


def test_the_command_that_trains_again_names_it_where_it_was_given():
    assert train_words(ASKED)[-2:] == ["--accelerator", HERE]
    assert "--accelerator" not in train_words(replace(ASKED, accelerator="cpu"))


@pytest.mark.parametrize("question", ["--find-lr", "--dry-run"])
def test_a_question_about_a_training_is_answered_where_it_would_learn(asked, question):
    words = ["train", ASKED.model, "--data", "digits", "--image-size", "8", "--channels", "1", "--batch-size", "512"]
    done = CliRunner().invoke(app, [*words, "--accelerator", HERE, question])
    assert done.exit_code == 0, done.stderr
    assert asked == [HERE]


def gradually():
    prune_gradually(
        a_job(trained=True), PRUNE, out="out", schedule=Schedule(course="steps", steps=2), prepare=Prepare(train=QUICK),
        recover=Distill(train=QUICK),
    )  # fmt: skip


def fitted():
    start = recipe("default")
    quick = replace(
        start, train=QUICK, recover=replace(start.recover, train=QUICK), prune=PRUNE, keep_macs=0.6, max_rounds=1,
    )  # fmt: skip
    fit(a_job(), out="out", recipe=quick)


def ticketed():
    def drawn(seed):
        return job_for(replace(ASKED, model="simple_cnn", image_size=None, channels=None, seed=seed), Budget()).model

    settings = Tickets(rounds=1, train=replace(QUICK, keep="last"))
    job = job_for(replace(ASKED, model="simple_cnn", image_size=None, channels=None), Budget())
    find_tickets(job, settings, initial=drawn, num_seeds=1, out="out")


SPARSE, SHARED = Sparsify(sparsity=0.5), TaughtCluster(cluster=Cluster(bits=3, train=QUICK))
PIPELINES = {
    "train": (lambda: run_stage(a_job(), QUICK, name="train", out="out"), 1),
    "folds": (lambda: cross_validate(a_job(), QUICK, num_folds=2, out="out"), 2),
    "tune": (lambda: tune(a_job(), Tune(space=("lr=0.1|0.2",), method="grid", train=QUICK), out="out"), 2),
    "born-again": (
        lambda: born_again(a_job(), BornAgain(generations=1, train=QUICK, distill=Distill(train=QUICK)), out="out"), 2,
    ),
    "prune": (gradually, 3),  # a preparation, and a recovery after each of two cuts
    "sparsify": (lambda: sparsify(a_job(trained=True), SPARSE, recover=QUICK, out="out"), 1),
    "cluster": (lambda: run_stage(a_job(), SHARED, name="cluster", out="out"), 1),
    "tickets": (ticketed, None),
    "fit": (fitted, None),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", PIPELINES)
def test_every_training_of_a_pipeline_learns_on_the_accelerator_of_its_job(asked, name):
    work, trainings = PIPELINES[name]
    work()
    assert set(asked) == {HERE}
    assert len(asked) == trainings if trainings else len(asked) > 1


@pytest.mark.slow
def test_a_training_through_the_rounding_learns_where_the_simulation_is(asked, monkeypatch):
    """It is moved there before, so its training is told no other place."""
    moved = []
    original = nn.Module.to
    monkeypatch.setattr(
        nn.Module, "to", lambda net, *place, **more: moved.append(place) or original(net, *place, **more)
    )
    stage = Quantize(bits=4, qat=Qat(train=QUICK), repair_if_drop_over=None)
    run_stage(a_job(trained=True), stage, name="quantize", out="out")
    assert asked == [None] and (HERE,) in moved
