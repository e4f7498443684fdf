"""Generations that learn from each other, as one run."""

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from edgewright.compress.distill import Distill
from edgewright.compress.prune import Prune
from edgewright.data import load_data
from edgewright.devices import device
from edgewright.errors import ConfigError
from edgewright.files import sha256_file
from edgewright.pipeline import run_stage
from edgewright.pipeline.generations import BornAgain, born_again
from edgewright.pipeline.gradual import prune_gradually
from edgewright.runs import load_final_model, read_run
from edgewright.tasks import Classify, evaluate
from edgewright.train import Train
from edgewright.types import Job, plain

TRAIN = Train(epochs=2, batch_size=128, lr=0.01, augment="none")
BORN = BornAgain(generations=2, train=TRAIN, distill=Distill(alpha=0.5, train=TRAIN))


def new_job(**changes) -> Job:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Conv2d(1, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Linear(128, 10),
        )  # fmt: skip
    job = Job(
        model=net, task=Classify(num_classes=10), data=load_data("digits"), device=device("generic-x86"),
        model_name="mine", trained=False,
    )  # fmt: skip
    return replace(job, **changes)


def weights(folder) -> dict[str, str]:
    return {path.parent.name: sha256_file(path) for path in sorted(folder.glob("stages/*/weights.safetensors"))}


@pytest.mark.slow
def test_generations_have_scores_and_the_best_is_the_model(tmp_path):
    content = born_again(new_job(), BORN, out=tmp_path / "run").content
    assert json.loads(json.dumps(plain(content))) == read_run(tmp_path / "run")
    rows = content["generations"]
    assert [row["generation"] for row in rows] == [0, 1, 2]
    scores = [row["score"]["value"] for row in rows]
    assert content["kept_generation"] == max(range(3), key=lambda number: (scores[number], number))
    net, job = load_final_model(tmp_path / "run"), new_job()
    kept = rows[content["kept_generation"]]
    assert evaluate(net, job.task, job.data, "test").value == kept["score_test"]["value"]
    assert min(scores) > 60 and len(set(weights(tmp_path / "run").values())) == 4
    plain_run = run_stage(new_job(), TRAIN, name="train", out=tmp_path / "plain").content
    assert plain_run["scores"]["after"]["value"] == scores[0]  # generation 0 is a plain training of the same seed


@pytest.mark.slow
def test_a_run_that_is_stopped_between_and_within_generations_ends_with_the_same_bits(tmp_path, monkeypatch):
    born_again(new_job(), BORN, out=tmp_path / "whole")
    from edgewright.compress.distill import DistillLoss

    call, left = DistillLoss.__call__, [12]  # 9 steps an epoch: in the second epoch of generation 1

    def until(self, *args):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return call(self, *args)

    monkeypatch.setattr(DistillLoss, "__call__", until)
    with pytest.raises(KeyboardInterrupt):
        born_again(new_job(), BORN, out=tmp_path / "run")
    left[0] = 9 + 18  # what is left of generation 1, and generation 2
    content = born_again(new_job(), BORN, out=tmp_path / "run", resume=True).content
    assert [stage["cached"] for stage in content["stages"]] == [True, True, False, False]
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")


def test_generations_need_an_untrained_model_and_no_teacher(tmp_path):
    with pytest.raises(ConfigError, match="mine is trained already, and every generation begins with random weights"):
        born_again(new_job(trained=True), BORN, out=tmp_path / "run")
    with pytest.raises(ConfigError, match="Generations learn from each other: leave the teacher out"):
        born_again(new_job(teacher=nn.Identity()), BORN, out=tmp_path / "run")
    with pytest.raises(ConfigError, match=r"BornAgain\.generations is a whole number from 1, got 0"):
        BornAgain(generations=0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_recovery_after_a_cut_takes_every_kind(tmp_path):
    quick = Distill(
        alpha=0.2, decoupled=0.5, features=1.0, hints=1.0, attention=1.0, relational=1.0,
        train=replace(TRAIN, epochs=1),
    )  # fmt: skip
    job = new_job(trained=True)
    prune = Prune(keep_macs=0.6, round_to=2, sensitivity_samples=0, norm_batches=1)
    content = prune_gradually(job, prune, out=tmp_path / "run", recover=quick).content
    recovered = content["stages"][-1]
    assert recovered["name"] == "recover" and len(recovered["details"]["history"]) == 1
    (pair,) = recovered["details"]["pairs"]
    assert [side.split(" ")[0] for side in pair.split(" and ")] == ["relu_1", "relu_1"]
    assert recovered["details"]["embeddings"] == ["relu_1", "relu_1"]
    before, after = content["profile"]["before"]["params"], content["profile"]["after"]["params"]
    assert after < before
    assert not any("companion" in name for name in load_final_model(tmp_path / "run").state_dict())
