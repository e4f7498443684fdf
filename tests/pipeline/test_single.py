"""`run_stage`: one stage in a run directory of its own, kept on disk, and a model again."""

import pytest
import torch
from torch import nn

from edgewright.compress.quantize import Quantize
from edgewright.data import load_data
from edgewright.devices import device
from edgewright.errors import ModelError
from edgewright.model import load_model
from edgewright.pipeline import run_stage
from edgewright.pipeline.given import AsGiven
from edgewright.runs import load_final_model, read_run
from edgewright.tasks import Classify
from edgewright.types import Job


def tiny_job(**changes):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 10))
    data = load_data("digits")
    job = {"model": net, "task": Classify(num_classes=10), "data": data, "device": device("generic-x86")}
    return Job(**(job | changes))


def test_a_stage_leaves_a_finished_run_with_its_model(tmp_path):
    job = tiny_job()
    before = {name: value.clone() for name, value in job.model.state_dict().items()}
    report = run_stage(job, Quantize(num_calibration=16, method="minmax"), name="quantize", out=tmp_path / "run")
    content = read_run(tmp_path / "run")
    assert content == report.content
    assert [stage["name"] for stage in content["stages"]] == ["given", "quantize"]
    assert content["asked"]["recipe"]["quantize"]["num_calibration"] == 16
    assert content["profile"]["after"]["dtype"] == "int8"
    assert report.passed
    assert report.page.exists()
    inputs = torch.zeros(1, 1, 8, 8)
    stored = load_model(tmp_path / "run" / content["final_model"])
    torch.testing.assert_close(load_final_model(tmp_path / "run")(inputs), stored(inputs))
    assert all(torch.equal(before[name], value) for name, value in job.model.state_dict().items())


def test_a_finished_stage_is_not_run_again_when_resumed(tmp_path):
    settings = Quantize(num_calibration=16, method="minmax")
    run_stage(tiny_job(), settings, name="quantize", out=tmp_path / "run")
    again = run_stage(tiny_job(), settings, name="quantize", out=tmp_path / "run", resume=True)
    assert [stage["cached"] for stage in again.content["stages"]] == [True, True]


def test_other_settings_run_the_stage_again(tmp_path):
    run_stage(tiny_job(), Quantize(num_calibration=16, method="minmax"), name="quantize", out=tmp_path / "run")
    other = Quantize(num_calibration=32, method="minmax")
    again = run_stage(tiny_job(), other, name="quantize", out=tmp_path / "run", resume=True)
    assert [stage["cached"] for stage in again.content["stages"]] == [True, False]


def test_a_model_that_does_not_suit_the_task_leaves_no_folder(tmp_path):
    with pytest.raises(ModelError, match="10"):
        run_stage(tiny_job(model=nn.Flatten()), Quantize(), name="quantize", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("trained", "remarks"), [(True, 1), (False, 0)])
def test_a_net_that_guesses_is_remarked_upon_where_it_is_said_to_be_trained(trained, remarks):
    notes = AsGiven().run(tiny_job(trained=trained)).notes
    assert sum("no better than guessing" in note for note in notes) == remarks
