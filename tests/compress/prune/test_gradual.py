"""Cuts in several steps as stages, plans put together, and plans in files that are carried out again."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from edgewright.analyze import profile
from edgewright.analyze.sensitivity import Sensitivity, rise
from edgewright.compress.prune import (
    ApplyPlan,
    CutStep,
    Planner,
    Prune,
    PrunePlan,
    composed,
    plan_prune,
    read_plan,
    rebased,
    save_plan,
)  # fmt: skip
from edgewright.compress.prune.schedule import COURSES
from edgewright.data import load_data
from edgewright.devices import device
from edgewright.errors import BudgetError, ConfigError, DataError
from edgewright.model import capture, fingerprint
from edgewright.tasks import Classify
from edgewright.types import Job, plain

BLIND = Prune(score="l2", sensitivity_samples=0, norm_batches=0, round_to=4)


def net_of(widths=(16, 32), seed: int = 0, kernel: int = 3):
    """Two convolutions with batch norm and a linear layer, for the digits."""
    torch.manual_seed(seed)
    first, second = widths
    layers = [
        nn.Conv2d(1, first, kernel, padding=kernel // 2), nn.BatchNorm2d(first), nn.ReLU(),
        nn.Conv2d(first, second, 3, padding=1), nn.BatchNorm2d(second), nn.ReLU(),
        nn.AvgPool2d(4), nn.Flatten(), nn.Linear(4 * second, 10),
    ]  # fmt: skip
    return capture(nn.Sequential(*layers), (1, 8, 8))


@pytest.fixture(scope="module")
def digits():
    return load_data("digits")


@pytest.fixture
def job(digits) -> Job:
    return Job(model=net_of(), task=Classify(num_classes=10), data=digits, device=device("generic-x86"))


def step(job: Job, keep: float, *, number: int = 1, start: Job | None = None, **changes) -> CutStep:
    planner = Planner(start or job, BLIND)
    sizes = {group.name: group.num_classes for group in planner.channels.groups}
    prune = changes.pop("prune", BLIND).aiming_at("macs", keep)
    return CutStep(prune=prune, step=number, steps=2, start=planner.macs, sizes=sizes, **changes)


# Steps


def test_shares_of_all_steps_are_of_the_model_as_it_came(job):
    first = step(job, 0.52, last_keep=0.4).run(job)
    second = step(job, 0.4, number=2, start=job).run(job.with_model(first.model))
    whole = profile(job.model).macs
    assert 0.98 * 0.52 <= profile(first.model).macs / whole <= 0.52
    assert 0.98 * 0.4 <= profile(second.model).macs / whole <= 0.4
    assert second.notes[0].startswith("Step 2 of 2: ") and "asked: at most 40.0%" in second.notes[0]


def widths(net) -> tuple[int, int]:
    """Channels of the two convolutions."""
    return net.get_submodule("0").out_channels, net.get_submodule("3").out_channels


def test_a_step_leaves_the_share_of_the_last_one_within_reach(job):
    """a and b channels are 576 a + 576 a b + 40 b MACs, of 305,408. Of the widths in steps of 4 two lie in the band of
    0.3875, (8, 24) with 0.3803 and (12, 16) with 0.3868; one lies in that of 0.3, (12, 12) with 0.2958.
    """
    alone, seen = (step(job, 0.3875, last_keep=last_keep).run(job).model for last_keep in (None, 0.3))
    assert (widths(alone), widths(seen)) == ((8, 24), (12, 16))
    ends = [step(job, 0.3, number=2).run(job.with_model(net)).model for net in (alone, seen)]
    assert [widths(net) for net in ends] == [(8, 16), (12, 12)]


def scrambled(net, seed: int):
    """The net with other weights, as a training leaves them: its channels rank anew."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in net.parameters():
            weight.mul_(1 + 0.5 * torch.randn(weight.shape, generator=generator))
    return net


@pytest.mark.slow
@settings(max_examples=12)
@given(
    st.tuples(st.sampled_from((8, 12, 20)), st.sampled_from((16, 24, 36))),
    st.floats(0.15, 0.8),
    st.sampled_from(sorted(COURSES)),
    st.integers(2, 4),
)
def test_steps_end_in_the_band_wherever_one_cut_does(digits, sizes, keep, course, num_steps):
    job = Job(model=net_of(widths=sizes), task=Classify(num_classes=10), data=digits, device=device("generic-x86"))
    assume(plan_prune(job, BLIND.aiming_at("macs", keep)).is_near)
    whole, net = profile(job.model).macs, job.model
    for number in range(1, num_steps + 1):
        share = keep if number == num_steps else 1 - COURSES[course](0.0, 1 - keep, number / num_steps)
        net = step(job, share, number=number, last_keep=keep).run(job.with_model(net)).model
        assert profile(net).macs <= share * whole
        net = scrambled(net, number)
    assert 0.98 * keep <= profile(net).macs / whole <= keep


def test_a_last_share_above_that_of_the_step_is_refused(job):
    with pytest.raises(ConfigError, match=r"CutStep.last_keep is a share in \(0, 0.4\], .* got 0.5"):
        step(job, 0.4, last_keep=0.5)


def test_a_narrow_model_is_still_cut_along_the_steps_of_the_model_as_it_came(job):
    """16 channels in steps of 4: from 8 that are left the next width is 4, not 2 as for a net of 8."""
    narrow = job.with_model(net_of(widths=(8, 16)))
    alone, later = Planner(narrow, BLIND), Planner(narrow, BLIND, sizes={"0": 16, "3": 32})
    assert later.options["0"].tolist() == [4, 8]
    assert alone.options["0"].tolist() == [2, 4, 6, 8]


def test_a_step_to_more_than_is_left_cuts_nothing(job):
    first = step(job, 0.4).run(job)
    second = step(job, 0.7, number=2, start=job).run(job.with_model(first.model))
    assert profile(second.model).macs == profile(first.model).macs


def test_an_impossible_step_names_the_smallest_share(job):
    with pytest.raises(BudgetError, match=r"Cannot cut model to 0\.001 of its MACs: the smallest share is"):
        step(job, 0.001).run(job)


@pytest.mark.slow
def test_a_step_can_read_a_scan_of_the_model_as_it_came(job):
    scanning = replace(BLIND, sensitivity_samples=64)
    rows = tuple(plain(row) for row in Planner(job, scanning).scan())
    first = step(job, 0.7, prune=scanning, scanned=rows).run(job)
    second = step(job, 0.4, number=2, start=job, prune=scanning, scanned=rows).run(job.with_model(first.model))
    assert second.details["plan"]["measured"]
    whole = {group: max(row["keep"] for row in rows if row["group"] == group) for group in ("0", "3")}
    assert whole == {"0": 1.0, "3": 1.0}
    assert {row["group"] for row in second.details["sensitivity"]} == {"0", "3"}


# A scan that is read again


def test_a_scan_is_read_again_as_shares_of_what_is_left():
    """Half of 16 classes left: what was measured at 4 of 16 is 0.5 now, and the whole is what 8 of 16 cost."""
    rows = [Sensitivity(group="g", keep=keep, loss=loss, score=None)
            for keep, loss in ((1.0, 1.0), (0.75, 1.1), (0.25, 1.5))]  # fmt: skip
    found = rebased(rows, {"g": 16}, {"g": 8})
    assert [(row.keep, row.loss) for row in found] == [(1.0, pytest.approx(1.3)), (0.5, 1.5)]
    assert rebased(rows, {"g": 16}, {"g": 16}) == tuple(replace(row, score=None) for row in rows)


def test_rises_from_a_scan_read_again_are_differences_of_the_first_ones():
    rows = [Sensitivity(group="g", keep=keep, loss=loss, score=None)
            for keep, loss in ((1.0, 1.0), (0.75, 1.1), (0.5, 1.2), (0.125, 2.0))]  # fmt: skip
    counts = np.array([2, 4, 8])
    then = rise(rows, "g", counts / 16)
    now = rise(rebased(rows, {"g": 16}, {"g": 8}), "g", counts / 8)
    np.testing.assert_allclose(now, then - then[-1])


# Plans put together


def test_two_plans_are_one_plan_of_the_first_model(job):
    first = plan_prune(job, BLIND.aiming_at("macs", 0.7))
    planner = Planner(job, BLIND)
    narrow = job.with_model(planner.apply(first))
    second = plan_prune(narrow, BLIND.aiming_at("macs", 0.6))
    both = composed([first, second], asked=0.42)
    again = Planner(narrow, BLIND).apply(second)
    assert fingerprint(planner.apply(both)) == fingerprint(again)
    assert both.keep_macs == profile(again).macs / profile(job.model).macs
    assert (both.target_keep, both.before, both.after) == (0.42, first.before, second.after)


def test_one_plan_is_itself_and_none_is_refused(job):
    plan = plan_prune(job, BLIND)
    assert composed([plan], asked=0.5) == plan
    with pytest.raises(ConfigError, match="There are no plans to put together"):
        composed([], asked=0.5)


# Plans in files


def test_a_plan_in_a_file_makes_the_very_same_cut(job, tmp_path):
    plan = plan_prune(job, BLIND.aiming_at("params", 0.5))
    save_plan(plan, tmp_path / "plan.json")
    again = read_plan(tmp_path / "plan.json")
    assert again == plan
    result = ApplyPlan(plan=again, prune=BLIND).run(job)
    assert fingerprint(result.model) == fingerprint(Planner(job, BLIND).apply(plan))
    assert not any("other weights" in note for note in result.notes)


def test_the_stage_of_a_plan_round_trips_through_json(job):
    stage = ApplyPlan(plan=plan_prune(job, BLIND))
    content = json.loads(json.dumps(plain(stage)))
    assert ApplyPlan(plan=PrunePlan(**content["plan"])) == stage


def test_other_weights_are_told(job):
    plan = plan_prune(job, BLIND)
    result = ApplyPlan(plan=plan, prune=BLIND).run(job.with_model(net_of(seed=1)))
    assert result.notes[-1].startswith("The plan was made for other weights")
    assert profile(result.model).macs == plan.macs_after


@pytest.mark.parametrize("other", [{"widths": (16, 24)}, {"kernel": 1}])
def test_a_plan_for_another_model_is_refused(job, other):
    plan, message = plan_prune(job, BLIND), r"made for another model, of 305,408 MACs and 6,186 parameters: model has"
    with pytest.raises(ConfigError, match=message):
        ApplyPlan(plan=plan).run(job.with_model(net_of(**other)))


@pytest.mark.parametrize(
    "content, message",
    [
        ("{", "is not valid JSON"),
        ("[]", "has the format 'list'"),
        ('{"format": "edgewright.run/1"}', "this version reads 'edgewright.prune-plan/1'"),
        ('{"format": "edgewright.prune-plan/1"}', r"holds no plan \(KeyError: 'plan'\)"),
        ('{"format": "edgewright.prune-plan/1", "plan": {"target": "macs"}}', r"holds no plan \(TypeError: "),
    ],
)
def test_a_damaged_plan_is_named(tmp_path, content, message):
    (tmp_path / "plan.json").write_text(content)
    with pytest.raises(DataError, match=message):
        read_plan(tmp_path / "plan.json")


NO_INDEX = {"name": "0", "num_classes": 4, "width": 1, "dropped": ["a"]}


@pytest.mark.parametrize("change", [{"target": "watts"}, {"groups": [NO_INDEX]}])
def test_a_plan_with_impossible_values_is_refused(job, tmp_path, change):
    content = {"format": "edgewright.prune-plan/1", "plan": {**plain(plan_prune(job, BLIND)), **change}}
    (tmp_path / "plan.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"holds no plan \(ValueError"):
        read_plan(tmp_path / "plan.json")


def test_a_missing_plan_says_what_writes_one(tmp_path):
    with pytest.raises(ConfigError, match=r"There is no plan .*none.json: a run of `edgewright prune` writes"):
        read_plan(tmp_path / "none.json")
