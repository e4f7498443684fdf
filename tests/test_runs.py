from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest
import torch
from torch import nn

from edgewright.compress.distill import Distill
from edgewright.errors import ConfigError, DataError
from edgewright.files import write_json
from edgewright.model import capture, fingerprint
from edgewright.progress import SILENT, Progress
from edgewright.runs import open_run, read_run, stage_key
from edgewright.train import Train
from edgewright.types import Budget, Cost, Device, Job, Score, StageResult

DEVICE = Device(
    name="d", title="d", kind="cpu", clock_hz=1, ram_bytes=1, flash_bytes=None, macs_per_cycle={"float32": 1},
    bandwidth_bytes_s=1, overhead_s=0, pj_per_mac={"float32": 1}, pj_per_byte=1, round_to=8, runtimes=(),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A stage that multiplies the bias and counts how often it ran."""

    factor: float = 2.0

    def run(self, job: Job, *, progress: Progress = SILENT) -> StageResult:
        assert job.workdir is not None and job.workdir.is_dir()
        (job.workdir / "scratch").write_text("x")
        RUNS.append(self.factor)
        net = capture(job.model, (2,))
        net.get_submodule("0").bias.data.mul_(self.factor)
        score = Score(metric="top-1", value=90.0, num_samples=10, split="val")
        return StageResult(model=net, score=score, cost=Cost(macs=4, how={"macs": "estimated"}), notes=("scaled",))


RUNS: list[float] = []


@pytest.fixture
def job() -> Job:
    RUNS.clear()
    torch.manual_seed(0)
    net = capture(nn.Sequential(nn.Linear(2, 2)), (2,))
    data = SimpleNamespace(fingerprint="f", preprocess=None)
    return Job(model=net, task=None, data=data, device=DEVICE, budget=Budget())


def test_a_finished_stage_is_loaded_and_not_run_again(job, tmp_path):
    with open_run(tmp_path / "r", resume=False) as run:
        first = run.step("scale", "Scale", Scale(), job)
    with open_run(tmp_path / "r", resume=True) as run:
        again = run.step("scale", "Scale", Scale(), job)
    assert RUNS == [2.0]
    assert (first.cached, again.cached) == (False, True)
    assert fingerprint(first.model) == fingerprint(again.model)
    assert again.result.score == first.result.score
    assert again.result.cost == first.result.cost


def test_changed_settings_run_the_stage_again(job, tmp_path):
    with open_run(tmp_path / "r", resume=False) as run:
        run.step("scale", "Scale", Scale(), job)
    with open_run(tmp_path / "r", resume=True) as run:
        run.step("scale", "Scale", Scale(factor=3.0), job)
    assert RUNS == [2.0, 3.0]


@dataclass(frozen=True, kw_only=True)
class Nested(Scale):
    inner: dict[str, object]


class Notes(Progress):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


def told(job, folder, stage, *, resume=True) -> list[str]:
    """What a run of this stage says."""
    notes = Notes()
    with open_run(folder, resume=resume, progress=notes) as run:
        run.step("scale", "Scale", stage, job)
        write_json(folder / "run.json", {"asked": {"model": "mine", "data": "digits"}})
    return notes.texts


def test_a_resumed_run_says_which_settings_and_inputs_differ(job, tmp_path):
    assert told(job, tmp_path / "r", Scale()) == ["1. Scale"]
    assert told(job, tmp_path / "r", Scale()) == []
    assert told(job, tmp_path / "r", Scale(factor=3.0)) == [
        "1. Scale, done anew for another factor (2.0 before, 3.0 now)"
    ]
    other = Job(**{**vars(job), "seed": 1, "accelerator": "cpu:0"})
    assert told(other, tmp_path / "r", Scale(factor=3.0)) == ["1. Scale, done anew for another seed, accelerator"]


def test_a_long_list_of_differences_is_cut(job, tmp_path):
    told(job, tmp_path / "r", Nested(inner={"a": 1, "b": {"c": 2, "d": 3}, "e": 4, "f": 5}))
    (text,) = told(job, tmp_path / "r", Nested(inner={"a": 0, "b": {"c": 0, "d": 3}, "e": 0, "f": 0, "g": 0}))
    assert "inner.a (1 before, 0 now), inner.b.c (2 before, 0 now)" in text and text.endswith("and 1 more")


def test_values_that_fill_lines_are_not_told(job, tmp_path):
    told(job, tmp_path / "r", Nested(inner={"a": 1, "rows": list(range(100))}))
    (text,) = told(job, tmp_path / "r", Nested(inner={"a": 2, "rows": list(range(99))}))
    assert text == "1. Scale, done anew for another inner.a (1 before, 2 now), inner.rows"


def test_a_resumed_run_of_other_settings_says_that_what_was_begun_is_dropped(job, tmp_path):
    (tmp_path / "r" / "stages" / "01-scale.0123.work").mkdir(parents=True)
    assert told(job, tmp_path / "r", Scale()) == ["1. Scale, begun anew: what was begun here had other settings"]
    own = tmp_path / "own" / "stages" / f"01-scale.{stage_key(Scale(), job)}.work"
    own.mkdir(parents=True)
    assert told(job, tmp_path / "own", Scale()) == ["1. Scale"]


def test_a_run_says_what_it_replaces(job, tmp_path):
    told(job, tmp_path / "r", Scale())
    first, _ = told(job, tmp_path / "r", Scale(), resume=False)
    assert first == f"{tmp_path / 'r'} holds a finished run of mine on digits, which this run replaces."
    (tmp_path / "r" / "run.json").unlink()
    first, _ = told(job, tmp_path / "r", Scale(), resume=False)
    assert first == f"{tmp_path / 'r'} holds a run that did not finish, which this run replaces."
    (tmp_path / "empty").mkdir()
    assert told(job, tmp_path / "empty", Scale(), resume=False) == ["1. Scale"]


def test_without_resume_earlier_stages_are_discarded(job, tmp_path):
    for _ in range(2):
        with open_run(tmp_path / "r", resume=False) as run:
            run.step("scale", "Scale", Scale(), job)
    assert RUNS == [2.0, 2.0]


def test_no_scratch_is_left_behind(job, tmp_path):
    with open_run(tmp_path / "r", resume=False) as run:
        run.step("scale", "Scale", Scale(), job)
    names = sorted(path.name for path in (tmp_path / "r" / "stages").iterdir())
    assert names == ["01-scale"]


def test_a_damaged_stage_is_computed_again(job, tmp_path):
    with open_run(tmp_path / "r", resume=False) as run:
        run.step("scale", "Scale", Scale(), job)
    (tmp_path / "r" / "stages" / "01-scale" / "stage.json").write_text("{")
    with open_run(tmp_path / "r", resume=True) as run:
        assert not run.step("scale", "Scale", Scale(), job).cached


def test_stages_and_scratch_of_other_settings_are_forgotten(job, tmp_path):
    stages = tmp_path / "r" / "stages"
    for stale in ("01-scale.0123.work", "07-other"):
        (stages / stale).mkdir(parents=True)
    with open_run(tmp_path / "r", resume=True) as run:
        run.step("scale", "Scale", Scale(), job)
        assert sorted(path.name for path in stages.iterdir()) == ["01-scale", "07-other"]
        run.forget_others()
    assert [path.name for path in stages.iterdir()] == ["01-scale"]


def test_a_half_written_stage_is_never_read(job, tmp_path):
    half = tmp_path / "r" / "stages" / ".01-scale.abc"
    half.mkdir(parents=True)
    (half / "stage.json").write_text("{")
    with open_run(tmp_path / "r", resume=True) as run:
        assert not run.step("scale", "Scale", Scale(), job).cached
    assert not half.exists()


def test_recalled_facts_are_computed_once_per_key(tmp_path):
    calls = []
    with open_run(tmp_path / "r", resume=False) as run:
        for key in ("a", "a", "b"):
            facts = run.recall("scan", key, lambda: calls.append(1) or {"n": len(calls)})
    assert facts == {"n": 2}


def test_two_runs_cannot_share_a_folder(tmp_path):
    with open_run(tmp_path / "r", resume=False):
        with pytest.raises(ConfigError, match="Another run is using"):
            with open_run(tmp_path / "r", resume=False):
                pass


def test_a_folder_with_other_files_is_not_touched(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match=r"holds other files \(thesis.tex\)"):
        with open_run(tmp_path, resume=False):
            pass
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


@dataclass(frozen=True, kw_only=True)
class Refuse:
    """A stage that takes nothing."""

    def run(self, job: Job, *, progress: Progress = SILENT) -> StageResult:
        raise ConfigError("This is not for it.")


def test_a_mistake_in_what_was_asked_leaves_no_folder(job, tmp_path):
    with pytest.raises(ConfigError, match="not for it"), open_run(tmp_path / "new", resume=False) as run:
        run.step("scale", "Scale", Scale(), job)  # the model as given is no result of one's own
        run.step("refuse", "Refuse", Refuse(), job)
    assert not (tmp_path / "new").exists()


def test_a_mistake_in_what_was_asked_leaves_an_earlier_run_as_it_was(job, tmp_path):
    folder = tmp_path / "r"
    with open_run(folder, resume=False) as run:
        run.step("scale", "Scale", Scale(), job)
        write_json(folder / "run.json", {"kept": True})
    before = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(ConfigError), open_run(folder, resume=False) as run:
        run.step("refuse", "Refuse", Refuse(), job)
    assert {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    with open_run(folder, resume=False) as run:
        run.step("scale", "Scale", Scale(factor=3.0), job)
    assert not (folder / "run.json").exists() and not (folder / ".previous").exists()


def test_what_later_stages_are_refused_for_keeps_those_before(job, tmp_path):
    with pytest.raises(ConfigError), open_run(tmp_path / "kept", resume=False) as run:
        run.step("scale", "Scale", Scale(), job)
        run.step("again", "Scale", Scale(factor=3.0), job)
        run.step("refuse", "Refuse", Refuse(), job)
    with open_run(tmp_path / "kept", resume=True) as run:
        assert run.step("scale", "Scale", Scale(), job).cached and run.step("again", "S", Scale(factor=3.0), job).cached


def test_an_output_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(ConfigError, match="is a file"):
        with open_run(tmp_path / "out", resume=False):
            pass


def test_an_unwritable_folder_is_refused():
    with pytest.raises(ConfigError, match="Cannot write to the output folder /proc/nothing"):
        with open_run(Path("/proc/nothing"), resume=False):
            pass


def test_the_key_depends_on_all_that_decides_the_result(job):
    keys = {
        stage_key(Scale(), job),
        stage_key(Scale(factor=5.0), job),
        stage_key(Scale(), Job(**{**vars(job), "seed": 1})),
        stage_key(Scale(), Job(**{**vars(job), "budget": Budget(max_drop=2)})),
        stage_key(Scale(), Job(**{**vars(job), "teacher": job.model})),
    }
    assert len(keys) == 5


@dataclass(frozen=True, kw_only=True)
class Halting:
    """A stage that is interrupted the first time, and tells what it then finds in its scratch."""

    every: int = 1
    CHANGE_NOTHING: ClassVar[tuple[str, ...]] = ("every",)

    def run(self, job: Job, *, progress: Progress = SILENT) -> StageResult:
        assert job.workdir is not None
        scratch = job.workdir / "scratch"
        if not scratch.exists():
            scratch.write_text(f"scratch of {self.every}")
            raise InterruptedError
        return StageResult(model=job.model, score=None, cost=None, notes=(scratch.read_text(),))


@pytest.mark.parametrize("wrap", [lambda train: train, lambda train: Distill(train=train)])
def test_settings_that_change_nothing_are_no_part_of_the_key_at_any_depth(job, wrap):
    keys = [stage_key(wrap(Train(**each)), job) for each in ({}, {"checkpoint_seconds": 5}, {"checkpoint_steps": 2})]
    assert len(set(keys)) == 1
    assert stage_key(wrap(Train(epochs=2)), job) != keys[0]


def test_a_stage_goes_on_from_its_scratch_under_another_setting_that_changes_nothing(job, tmp_path):
    with pytest.raises(InterruptedError), open_run(tmp_path / "r", resume=False) as run:
        run.step("halting", "Halting", Halting(), job)
    with open_run(tmp_path / "r", resume=True) as run:
        assert run.step("halting", "Halting", Halting(every=2), job).result.notes == ("scratch of 1",)


def test_reading_an_unfinished_or_foreign_run_says_what_to_do(tmp_path):
    with pytest.raises(ConfigError, match="give a run directory"):
        read_run(tmp_path)
    (tmp_path / "stages").mkdir()
    with pytest.raises(ConfigError, match="--resume"):
        read_run(tmp_path)
    write_json(tmp_path / "run.json", {"format": "other"})
    with pytest.raises(DataError, match=r"the format 'other', this version reads 'edgewright\.run/1': rerun"):
        read_run(tmp_path)
