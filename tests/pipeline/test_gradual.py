"""Pruning in steps as one run: schedules, the run directory, resuming, saving, and loading in a process of its own."""

import itertools
import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

import counted_steps
from edgewright.analyze import profile
from edgewright.compress.distill import Distill
from edgewright.compress.prune import Prune, read_plan
from edgewright.data import load_data
from edgewright.devices import device
from edgewright.errors import BudgetError, ConfigError, LookupFailed
from edgewright.model import load_model
from edgewright.pipeline.gradual import Schedule, prune_gradually
from edgewright.runs import load_final_model, read_run
from edgewright.tasks import Classify
from edgewright.train import Train
from edgewright.types import PLAN_FILE, Job, Report

PRUNE = Prune(keep_macs=0.4, round_to=4, sensitivity_samples=64, sensitivity_keeps=(0.5,), norm_batches=1)
TRAIN = Train(epochs=1, batch_size=256)
CUBIC = Schedule(course="cubic", steps=3)


class Mine(nn.Module):
    """A class of the user's own."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16)
        self.second, self.head = nn.Conv2d(16, 16, 3, padding=1), nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.first(x)))
        return self.head((x + torch.relu(self.second(x))).mean((2, 3)))


def new_job() -> Job:
    torch.manual_seed(0)
    data = load_data("digits")
    return Job(model=Mine(), task=Classify(num_classes=10), data=data, device=device("generic-x86"), model_name="mine")


def as_asked(out: Path, **settings) -> Report:
    """The run that several tests look at: three cuts, each with a distillation."""
    return prune_gradually(new_job(), PRUNE, out=out, schedule=CUBIC, recover=Distill(train=TRAIN), **settings)


# Schedules


def test_the_cubic_course_has_the_published_values():
    """Sparsity 0.9 after a quarter, half and three quarters of the way (Zhu and Gupta 2017)."""
    shares = Schedule(course="cubic", steps=4).shares(0.1)
    assert [1 - share for share in shares] == pytest.approx([0.520313, 0.7875, 0.885938, 0.9], abs=1e-6)


def test_equal_steps_take_the_same_share_of_what_is_left():
    assert Schedule(course="steps", steps=2).shares(0.25) == pytest.approx((0.5, 0.25))
    assert Schedule().shares(0.25) == (0.25,)


@pytest.mark.parametrize("course", ["steps", "cubic"])
@pytest.mark.parametrize("keep", [0.9, 0.5, 0.05])
def test_a_course_falls_and_ends_at_the_share_itself(course, keep):
    shares = Schedule(course=course, steps=5).shares(keep)
    assert len(shares) == 5 and shares[-1] == keep
    assert all(1 > high > low for high, low in itertools.pairwise(shares))


@pytest.mark.parametrize(
    "settings, error, message",
    [
        ({"course": "cubik"}, LookupFailed, "Unknown schedule 'cubik': did you mean cubic"),
        ({"steps": 3}, ConfigError, "Schedule.steps is 1 for a one-shot, got 3"),
        ({"course": "steps", "steps": 0}, ConfigError, "Schedule.steps is a whole number from 1, got 0"),
        ({"scan": "never"}, ConfigError, "Schedule.scan is each or once, got 'never'"),
    ],
)
def test_schedules_outside_their_range_are_refused(settings, error, message):
    with pytest.raises(error, match=message):
        Schedule(**settings)


# Runs


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A cubic run with distillation that nobody interrupted."""
    return as_asked(tmp_path_factory.mktemp("gradual") / "run")


@pytest.mark.slow
def test_each_cut_and_each_recovery_is_a_step_of_the_run(finished):
    content = read_run(finished.folder)
    assert content == finished.content
    assert [stage["name"] for stage in content["stages"]] == ["given", *["prune", "recover"] * 3]
    macs = [stage["cost"]["macs"] for stage in content["stages"]]
    shares = CUBIC.shares(0.4)
    for number, share in enumerate(shares, start=1):
        assert macs[2 * number - 1] == macs[2 * number] <= share * macs[0]
    assert macs[-1] == 576 * 8 + 576 * 8 * 8 + 10 * 8  # one group in steps of 4: 12 of its 16 channels are 57 %
    assert content["plan"]["target_keep"] == pytest.approx(0.4)


@pytest.mark.slow
def test_the_record_says_what_became_of_each_group(finished):
    content = finished.content
    final = load_final_model(finished.folder)
    widths = {name: final.get_submodule(name).out_channels for name in ("first", "second")}
    rows = {row["group"]: row for row in content["groups"]}
    assert rows["first"]["kept"] == widths["first"] == widths["second"] < rows["first"]["classes"] == 16
    assert rows["first"]["rise"] >= 0 and rows["first"]["locked"] is None
    assert {row["group"] for row in content["sensitivity"]} == {"first"}
    page = finished.page.read_text()
    assert "Sensitivity of each group" in page and "Classes kept" in page


@pytest.mark.slow
def test_the_teacher_is_the_model_as_it_came(finished, tmp_path):
    job = new_job()
    given = load_model(finished.folder / "stages" / "01-given")
    told = prune_gradually(
        replace(job, teacher=given), PRUNE, out=tmp_path / "run", schedule=CUBIC, recover=Distill(train=TRAIN)
    )
    scores = [[stage["score"] for stage in report.content["stages"]] for report in (finished, told)]
    assert scores[0] == scores[1]


@pytest.mark.slow
def test_a_plan_is_carried_out_again_as_one_cut(finished, tmp_path):
    plan = read_plan(finished.folder / PLAN_FILE)
    again = prune_gradually(new_job(), plan, out=tmp_path / "run")
    wide, narrow = (profile(load_final_model(folder)) for folder in (finished.folder, tmp_path / "run"))
    assert [stage["name"] for stage in again.content["stages"]] == ["given", "prune"]
    assert (narrow.macs, narrow.params) == (wide.macs, wide.params)
    assert again.content["plan"] == finished.content["plan"]


@pytest.mark.slow
def test_one_scan_serves_all_cuts_and_none_is_made_again_when_resumed(tmp_path):
    asked = {"schedule": replace(CUBIC, scan="once"), "recover": TRAIN}
    first = prune_gradually(new_job(), PRUNE, out=tmp_path / "run", **asked)
    stages = [stage for stage in first.content["stages"] if stage["name"] == "prune"]
    assert all(stage["details"]["plan"]["measured"] for stage in stages)
    assert (tmp_path / "run" / "facts" / "sensitivity.json").exists()
    again = prune_gradually(new_job(), PRUNE, out=tmp_path / "run", resume=True, **asked)
    assert all(stage["cached"] for stage in again.content["stages"])


@pytest.mark.slow
def test_a_share_that_no_cut_reaches_is_refused_before_the_first_one(tmp_path):
    with pytest.raises(BudgetError, match=r"Cannot cut mine to 0\.001 of its MACs"):
        prune_gradually(new_job(), replace(PRUNE, keep_macs=0.001), out=tmp_path / "run", schedule=CUBIC)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_plan_has_no_schedule(finished, tmp_path):
    with pytest.raises(ConfigError, match="A plan is carried out in one cut"):
        prune_gradually(new_job(), read_plan(finished.folder / PLAN_FILE), out=tmp_path / "run", schedule=CUBIC)


# Kill, resume, load


KILLED = """
import os, runpy, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[2])
import counted_steps
module = runpy.run_path(sys.argv[1])
countdown = counted_steps.Countdown(int(sys.argv[3]), lambda: os.kill(os.getpid(), signal.SIGKILL))
module["as_asked"](Path(sys.argv[4]), progress=countdown)
"""


@pytest.mark.slow
def test_a_run_killed_in_a_recovery_and_resumed_gives_the_same_bytes(finished, hashes, tmp_path):
    out, shared = tmp_path / "run", Path(counted_steps.__file__).parent
    words = [sys.executable, "-c", KILLED, __file__, str(shared), "8", str(out)]  # of 5 in a recovery: in the second
    assert subprocess.run(words, check=False).returncode == -signal.SIGKILL
    assert not (out / "run.json").exists()
    again = as_asked(out, resume=True)
    assert [stage["cached"] for stage in again.content["stages"]] == [True] * 4 + [False] * 3
    assert hashes(out) == hashes(finished.folder)
    assert again.content["plan"] == finished.content["plan"]
    scores = [[stage["score"] for stage in report.content["stages"]] for report in (again, finished)]
    assert scores[0] == scores[1]


LOADER = """
import json, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from edgewright.runs import load_final_model
net = load_final_model(Path(sys.argv[1]))
images = torch.linspace(0, 1, 3 * 64).view(3, 1, 8, 8)
with torch.no_grad():
    print(json.dumps([net(images).tolist(), "test_gradual" in sys.modules]))
"""


@pytest.mark.slow
def test_a_pruned_model_loads_in_a_process_without_the_users_class(finished):
    done = subprocess.run(
        [sys.executable, "-c", LOADER, str(finished.folder)], capture_output=True, text=True, check=True, cwd="/"
    )
    outputs, knows_the_class = json.loads(done.stdout)
    with torch.no_grad():
        want = load_final_model(finished.folder)(torch.linspace(0, 1, 3 * 64).view(3, 1, 8, 8))
    assert torch.equal(torch.tensor(outputs), want)
    assert not knows_the_class
    kinds = {path.suffix for path in (finished.folder / "stages").rglob("*") if path.is_file()}
    assert kinds == {".json", ".safetensors"}
