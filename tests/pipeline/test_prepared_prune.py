"""A training before the cut as a step of the run: in its place, told, and not done twice."""

import pytest
import torch
from torch import nn

from edgewright.compress.prune import Prepare, Prune
from edgewright.data import load_data
from edgewright.devices import device
from edgewright.pipeline.gradual import prune_gradually
from edgewright.tasks import Classify
from edgewright.train import Train
from edgewright.types import Job

pytestmark = pytest.mark.slow  # trains a net

PRUNE = Prune(keep_macs=0.5, score="bn-scale", ranking="global", round_to=4, norm_batches=1)
PREPARE = Prepare(strength=1e-2, train=Train(epochs=1, batch_size=256, keep="last"))


def new_job() -> Job:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1),
        nn.BatchNorm2d(16), nn.ReLU(), nn.AvgPool2d(8), nn.Flatten(), nn.Linear(16, 10),
    )  # fmt: skip
    data, task = load_data("digits"), Classify(num_classes=10)
    return Job(model=net, task=task, data=data, device=device("generic-x86"), model_name="mine")


def test_the_training_stands_before_the_cut_and_is_not_done_twice(tmp_path):
    first = prune_gradually(new_job(), PRUNE, out=tmp_path / "run", prepare=PREPARE)
    stages = first.content["stages"]
    assert [stage["name"] for stage in stages] == ["given", "prepare", "prune"]
    assert any(note.startswith("Classes smaller than 0.1") for note in stages[1]["notes"])
    assert first.content["asked"]["recipe"]["02-prepare"]["penalty"] == "bn-l1"
    assert "global ranking of the scores" in " ".join(stages[2]["notes"])
    assert first.content["plan"]["ranking"] == "global" and first.content["profile"]["after"]["macs"] > 0
    again = prune_gradually(new_job(), PRUNE, out=tmp_path / "run", prepare=PREPARE, resume=True)
    assert [stage["cached"] for stage in again.content["stages"]] == [True, True, True]
