import json
import platform
from dataclasses import replace

import pytest
import torch
from torch import nn

from edgewright.errors import BudgetError, ConfigError, ModelError
from edgewright.model import fingerprint, load_model
from edgewright.pipeline import fit
from edgewright.progress import Progress
from edgewright.runs import load_final_model, read_run
from edgewright.tasks import evaluate
from edgewright.types import Budget

WITHOUT_C = "raspberry-pi-5"  # no firmware to build and prove, which takes seconds

pytestmark = pytest.mark.slow  # every test fits a small net, seconds each


class KillAt(Progress):
    """Stops a run the moment it announces a stage."""

    def __init__(self, words: str) -> None:
        self.words = words

    def note(self, text: str) -> None:
        if self.words in text:
            raise KeyboardInterrupt


def test_a_run_directory_holds_what_the_design_names(finished):
    names = {path.name for path in finished.folder.iterdir()}
    assert {"run.json", "stages", "artifact", "artifact-fp32", "report.html"} <= names
    assert (finished.folder / "artifact" / "manifest.json").exists()


def test_run_json_and_the_report_are_the_same_content(finished):
    assert read_run(finished.folder) == json.loads(json.dumps(finished.content))


def test_the_passed_run_is_smaller_by_more_than_four(finished):
    assert finished.passed, finished.content["verdict"]["sentence"]
    sizes = {name: each["bytes"] for name, each in finished.content["artifacts"].items()}
    assert 4 * sizes["int8"] <= sizes["fp32"]


def test_the_final_model_loads_and_scores_what_the_record_says(finished, make_job):
    net = load_final_model(finished.folder)
    job = make_job()
    stage = next(each for each in finished.content["stages"] if each["name"] == "quantize")
    assert evaluate(net, job.task, job.data, "val").value == stage["score"]["value"]


def test_the_budget_of_the_device_is_filled_in(finished):
    assert finished.content["asked"]["budget"]["ram_bytes"] == 320 * 1024


def test_stages_chain_from_the_start_to_the_chosen_round(finished):
    by_index = {each["index"]: each["name"] for each in finished.content["stages"]}
    assert [by_index[index] for index in finished.content["chosen_stages"]] == [
        "trained",
        "prune",
        "recover",
        "quantize",
    ]


@pytest.mark.parametrize("words", ["Model as trained", "recover", "quantize", "Verify"])
def test_a_run_killed_at_a_stage_and_resumed_gives_the_same_bytes(words, finished, make_job, quick, hashes, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fit(make_job(), out=tmp_path / "run", recipe=quick, progress=KillAt(words))
    resumed = fit(make_job(), out=tmp_path / "run", recipe=quick, resume=True)
    assert hashes(tmp_path / "run") == hashes(finished.folder)
    assert [each["score"] for each in resumed.content["stages"]] == [
        each["score"] for each in finished.content["stages"]
    ]


def test_the_users_model_is_left_as_it_was(make_job, quick, tmp_path):
    job = make_job(Budget(max_drop=100.0), trained=True, device_name=WITHOUT_C)
    before = {name: value.clone() for name, value in job.model.state_dict().items()}
    fit(job, out=tmp_path / "run", recipe=replace(quick, keep_macs=1.0))
    assert all(torch.equal(value, before[name]) for name, value in job.model.state_dict().items())


def test_a_random_model_that_is_said_to_be_trained_is_remarked_upon(make_job, quick, tmp_path):
    report = fit(
        make_job(Budget(max_drop=100.0), trained=True, device_name=WITHOUT_C),
        out=tmp_path / "run",
        recipe=replace(quick, keep_macs=1.0),
    )
    assert any("no better than guessing" in note for note in report.content["stages"][0]["notes"])


def test_keeping_all_macs_only_quantizes(make_job, quick, tmp_path):
    report = fit(
        make_job(Budget(max_drop=100.0), trained=True, device_name=WITHOUT_C),
        out=tmp_path / "run",
        recipe=replace(quick, keep_macs=1.0),
    )
    assert [each["name"] for each in report.content["stages"]] == ["given", "quantize"]
    assert report.content["rounds"][0]["keep_macs"] == 1.0


def test_an_infeasible_budget_names_the_limit_the_nearest_point_and_the_remedy(make_job, quick, tmp_path):
    report = fit(make_job(Budget(max_drop=20.0, ram_bytes=1024)), out=tmp_path / "run", recipe=quick)
    verdict = report.content["verdict"]
    assert not report.passed
    assert [each["limit_name"] for each in verdict["binding"]] == ["ram_bytes"]
    assert verdict["nearest"]["ram_bytes"] > 1024
    assert "--ram-kb" in verdict["relax"][0]["sentence"]
    failed = [check for check in report.content["checks"] if not check["passed"]]
    assert [check["name"] for check in failed] == ["ram_bytes"]


def test_a_measured_latency_over_the_limit_fails_the_check_that_names_it(make_job, quick, tmp_path):
    job = make_job(Budget(max_drop=100.0, latency_s=1e-9), device_name="generic-x86", trained=True)
    device = replace(job.device, host=platform.machine())
    report = fit(replace(job, device=device), out=tmp_path / "run", recipe=replace(quick, keep_macs=1.0))
    check = next(check for check in report.content["checks"] if check["name"] == "latency_s")
    assert (check["passed"], check["how"]) == (False, "measured")
    assert "latency_s" in [each["limit_name"] for each in report.content["verdict"]["binding"]]
    assert not report.passed


def test_a_lost_score_says_which_drop_would_admit_it(make_job, quick, tmp_path):
    budget = Budget(max_drop=None, min_score=99.9)
    report = fit(
        make_job(budget, trained=True, device_name=WITHOUT_C),
        out=tmp_path / "run",
        recipe=replace(quick, keep_macs=1.0),
    )
    scores, relax = report.content["scores"], report.content["verdict"]["relax"]
    drop = scores["before"]["value"] - scores["after"]["value"]
    assert [each["limit_name"] for each in relax] == ["max_drop"]
    assert drop <= relax[0]["needed"] < drop + 0.0101


def test_a_share_that_no_cut_reaches_is_refused_with_the_smallest(make_job, quick, tmp_path):
    with pytest.raises(BudgetError, match="the smallest share is"):
        fit(make_job(trained=True), out=tmp_path / "run", recipe=replace(quick, keep_macs=0.001))


def test_a_model_that_returns_a_tuple_is_refused_before_anything_is_written(make_job, quick, tmp_path):
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))

        def forward(self, x):
            return self.net(x), x

    with pytest.raises(ModelError, match="returns a tuple of 2 values"):
        fit(make_job(model=Two(), trained=True), out=tmp_path / "run", recipe=quick)
    assert not (tmp_path / "run").exists()


def test_a_model_for_other_images_is_refused_before_anything_is_written(make_job, quick, tmp_path):
    with pytest.raises(ModelError, match="does not run on an input of shape"):
        fit(make_job(model=nn.Sequential(nn.Conv2d(3, 4, 3))), out=tmp_path / "run", recipe=quick)
    assert not (tmp_path / "run").exists()


def test_a_folder_with_other_files_is_refused(make_job, quick, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="holds other files"):
        fit(make_job(), out=tmp_path, recipe=quick)


def test_every_stage_of_a_run_can_be_loaded_again(finished):
    folders = sorted((finished.folder / "stages").iterdir())
    assert len({fingerprint(load_model(folder)) for folder in folders}) == len(folders) - 1  # "trained" is "train"
