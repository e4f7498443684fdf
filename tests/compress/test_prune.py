"""Pruning: exact costs, the choice of widths against trying everything, scores, and the stage."""

import importlib.util
import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from edgewright.analyze import profile
from edgewright.analyze.sensitivity import Sensitivity
from edgewright.compress.prune import (
    SCORES,
    Allocator,
    CutCost,
    Planner,
    Prune,
    PrunePlan,
    Scoring,
    apply_plan,
    plan_prune,
)  # fmt: skip
from edgewright.data import load_data
from edgewright.errors import BudgetError, ConfigError, LookupFailed
from edgewright.model import capture, cut, find_channels, fingerprint
from edgewright.tasks import Classify, evaluate
from edgewright.types import Device, Job, plain
from edgewright.zoo import resolve

BOARD = Device(
    name="board", title="A board for tests", kind="mcu", clock_hz=216e6, ram_bytes=320 * 1024, flash_bytes=1024 * 1024,
    macs_per_cycle={"float32": 0.4, "int8": 1.0}, bandwidth_bytes_s=400e6, overhead_s=1e-5,
    pj_per_mac={"float32": 50.0, "int8": 20.0}, pj_per_byte=10.0, round_to=4, runtimes=("onnx",),
)  # fmt: skip


def load_small_nets():
    """The nets that the tests of the model room use."""
    path = Path(__file__).parent.parent / "model" / "conftest.py"
    spec = importlib.util.spec_from_file_location("small_nets", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


NETS = load_small_nets()


# What a cut costs


def random_kept(options, seed: int) -> list[int]:
    draw = np.random.default_rng(seed)
    return [int(draw.integers(1, count + 1)) for count in options]


@pytest.mark.slow
@pytest.mark.parametrize("name", NETS.SMALL)
def test_costs_are_those_of_the_model_that_is_cut(name):
    net, channels = NETS.make_small(name), NETS.map_of(NETS.make_small(name))
    order = {group.name: np.random.default_rng(1).permutation(group.num_classes).tolist() for group in channels.free}
    cost = CutCost(net, channels, order)
    assert (cost.macs.at(cost.full), cost.params.at(cost.full)) == (profile(net).macs, profile(net).params)
    kept = random_kept(cost.full, seed=len(name))
    drop = {group: order[group][count:] for group, count in zip(order, kept, strict=True)}
    narrow = profile(cut(net, drop, channels=channels))
    assert (cost.macs.at(kept), cost.params.at(kept)) == (narrow.macs, narrow.params)


@pytest.mark.parametrize("name", ["padded", "transformer", "few_groups", "one_head", "halves"])
def test_varying_one_group_equals_asking_for_each_choice(name):
    net, channels = NETS.make_small(name), NETS.map_of(NETS.make_small(name))
    cost = CutCost(net, channels, {group.name: range(group.num_classes) for group in channels.free})
    for seed in range(3):
        kept = random_kept(cost.full, seed)
        for group, count in enumerate(cost.full):
            counts = np.arange(1, count + 1)
            want = [cost.macs.at([*kept[:group], each, *kept[group + 1 :]]) for each in counts.tolist()]
            assert cost.macs.vary(kept, group, counts).tolist() == want


# The choice of widths


class Product:
    """Layers in a row: the cost is the sum of products of neighbouring widths."""

    def __init__(self, factors):
        self.factors = factors

    def at(self, kept):
        widths = [3, *kept, 10]
        return int(sum(f * a * b for f, a, b in zip(self.factors, widths, widths[1:], strict=False)))

    def vary(self, kept, group, counts):
        return np.array([self.at([*kept[:group], int(count), *kept[group + 1 :]]) for count in counts])


def random_problem(seed: int, groups: int = 4, steps: int = 4):
    draw = np.random.default_rng(seed)
    options = [np.arange(1, steps + 1) * int(draw.integers(1, 9)) for _ in range(groups)]
    losses = [np.concatenate([np.cumsum(draw.exponential(1, steps - 1))[::-1], [0.0]]) for _ in range(groups)]
    return options, losses, Product(draw.integers(1, 100, groups + 1).tolist())


def loss_of(options, losses, kept) -> float:
    return sum(float(losses[g][list(options[g]).index(count)]) for g, count in enumerate(kept))


def best_of_all(options, losses, cost, limit) -> float:
    fitting = (kept for kept in itertools.product(*(each.tolist() for each in options)) if cost.at(kept) <= limit)
    return min(loss_of(options, losses, kept) for kept in fitting)


def test_the_choice_is_nearly_always_the_best_there_is():
    ratios = []
    for seed in range(60):
        options, losses, cost = random_problem(seed)
        allocator = Allocator(options, losses, cost)
        full = cost.at([int(each[-1]) for each in options])
        for share in (0.8, 0.5, 0.3):
            best = best_of_all(options, losses, cost, share * full)
            ratios.append(loss_of(options, losses, allocator.within(share * full)) / max(best, 1e-9))
    assert np.mean(np.array(ratios) <= 1 + 1e-9) >= 0.95  # of 180 problems
    assert max(ratios) < 1.1


@pytest.mark.parametrize("seed", range(10))
def test_the_choice_fits_and_leaves_no_room_for_a_wider_group(seed):
    options, losses, cost = random_problem(seed, groups=6, steps=6)
    limit = 0.4 * cost.at([int(each[-1]) for each in options])
    kept = Allocator(options, losses, cost).within(limit)
    assert cost.at(kept) <= limit
    for group, each in enumerate(options):
        wider = each[each > kept[group]]
        assert (cost.vary(list(kept), group, wider) > limit).all()


@pytest.mark.parametrize("seed", range(10))
def test_a_looser_limit_never_costs_more_loss(seed):
    options, losses, cost = random_problem(seed, groups=6, steps=6)
    allocator = Allocator(options, losses, cost)
    full = cost.at([int(each[-1]) for each in options])
    found = [loss_of(options, losses, allocator.within(share * full)) for share in np.linspace(0.2, 1, 17)]
    assert (np.diff(found) <= 1e-9).all() and found[-1] == 0


def test_the_choice_repeats_itself():
    first, second = (Allocator(*random_problem(3)).within(20_000) for _ in range(2))
    assert first == second


def test_a_limit_below_the_least_cost_is_refused():
    options, losses, cost = random_problem(0)
    with pytest.raises(BudgetError, match=r"The least cost of any choice is \d+, asked was 1"):
        Allocator(options, losses, cost).within(1)


# Widths


def group_of(channels: int):
    net = capture(nn.Sequential(nn.Conv2d(1, channels, 1), nn.Conv2d(channels, 2, 1)), (1, 4, 4))
    return find_channels(net).group("0")


@pytest.mark.parametrize(
    "channels, settings, widths",
    [
        (64, {}, [8, 16, 24, 32, 40, 48, 56, 64]),
        (16, {}, [4, 8, 12, 16]),  # 8 would leave two widths: halved until there are four
        (16, {"min_steps": 1}, [8, 16]),
        (8, {}, [2, 4, 6, 8]),
        (64, {"min_keep": 0.5}, [32, 40, 48, 56, 64]),
        (16, {"min_channels": 8}, [8, 12, 16]),
        (10, {}, [2, 4, 6, 8, 10]),
        (100, {}, [16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 100]),  # the full width needs no rounding
        (3, {}, [2, 3]),
        (1, {}, [1]),
    ],
)
def test_widths_are_multiples_of_what_the_device_likes(channels, settings, widths):
    assert Prune(**settings).widths(group_of(channels), 8).tolist() == widths


def test_classes_of_several_channels_are_rounded_by_their_channels():
    net = NETS.make_small("few_groups")  # 4 classes of 2 channels each
    group = find_channels(net).group("a")
    assert Prune(min_steps=1, min_channels=1).widths(group, 4).tolist() == [2, 4]
    assert Prune(min_steps=1, min_channels=1).widths(group, 2).tolist() == [1, 2, 3, 4]


BAD_SETTINGS = {
    "keep_macs": (0.0, r"Prune.keep_macs is a share in \(0, 1\], got 0.0"),
    "min_keep": (1.5, r"Prune.min_keep is a share in \(0, 1\], got 1.5"),
    "round_to": (0, "Prune.round_to is a whole number from 1, got 0"),
    "min_steps": (0, "Prune.min_steps is a whole number from 1, got 0"),
    "min_channels": (0, "Prune.min_channels is a whole number from 1, got 0"),
    "sensitivity_samples": (-1, "Prune.sensitivity_samples is a whole number from 0, got -1"),
    "norm_batches": (-1, "Prune.norm_batches is a whole number from 0, got -1"),
    "sensitivity_keeps": ((1.0,), r"Prune.sensitivity_keeps are shares between 0 and 1, got \(1.0,\)"),
}


@pytest.mark.parametrize("name", BAD_SETTINGS)
def test_settings_outside_their_range_are_refused(name):
    value, message = BAD_SETTINGS[name]
    with pytest.raises(ConfigError, match=message):
        Prune(**{name: value})


def test_an_unknown_score_offers_near_names():
    with pytest.raises(LookupFailed, match="Unknown score 'l3': did you mean"):
        Prune(score="l3")


# Scores


def scored(name: str, net, job=None, seed: int = 0):
    return SCORES[name](Scoring(net=net, channels=NETS.map_of(net), seed=seed, job=job))


def two_layers(rows, columns):
    """Four 1x1 filters with given norms, read by a layer with given column norms."""
    model = nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU(), nn.Conv2d(4, 1, 1), nn.Flatten())
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor(rows).view(4, 1, 1, 1))
        model[2].weight.copy_(torch.tensor(columns).view(1, 4, 1, 1))
    return capture(model, (1, 2, 2))


def test_magnitudes_add_rows_and_columns_of_each_layer_on_its_own_scale():
    net = two_layers([1.0, -2.0, 3.0, 0.0], [10.0, 10.0, -20.0, 0.0])
    assert scored("l1", net)["0"].tolist() == pytest.approx([2 / 3 + 1, 4 / 3 + 1, 2 + 2, 0])
    l2 = [4 / 14 + 400 / 600, 16 / 14 + 400 / 600, 36 / 14 + 1600 / 600, 0]
    assert scored("l2", net)["0"].tolist() == pytest.approx(l2)


def test_columns_are_read_with_the_batch_norm_behind_them():
    model = nn.Sequential(
        nn.Conv2d(1, 2, 1, bias=False), nn.Conv2d(2, 2, 1, bias=False), nn.BatchNorm2d(2), nn.Flatten()
    )
    with torch.no_grad():
        model[0].weight.fill_(1)
        model[1].weight.copy_(torch.tensor([[3.0, 1.0], [1.0, 3.0]]).view(2, 2, 1, 1))
        model[2].weight.copy_(torch.tensor([1.0, 0.0]))  # the second output is switched off
    net = capture(model, (1, 2, 2))
    assert scored("l1", net)["0"].tolist() == pytest.approx([1 + 6 / 4, 1 + 2 / 4])


def test_random_scores_depend_on_the_seed_alone():
    net = NETS.make_small("chain")
    assert torch.equal(scored("random", net)["a"], scored("random", net)["a"])
    assert not torch.equal(scored("random", net)["a"], scored("random", net, seed=1)["a"])


@pytest.mark.parametrize("name", NETS.SMALL)
@pytest.mark.parametrize("score", ["l2", "random"])
def test_every_score_ranks_every_class_of_every_net(name, score):
    net = NETS.make_small(name)
    values = scored(score, net)
    sizes = {group.name: group.num_classes for group in NETS.map_of(net).free}
    assert {group: len(each) for group, each in values.items()} == sizes
    assert all(torch.isfinite(each).all() and (each >= 0).all() for each in values.values())


# The stage


def small_net(seed: int = 0):
    """A residual net for the digits: depthwise, batch norm, flatten-to-linear."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.bn = nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
            self.depthwise, self.bn1 = nn.Conv2d(16, 16, 3, padding=1, groups=16, bias=False), nn.BatchNorm2d(16)
            self.pointwise, self.bn2 = nn.Conv2d(16, 16, 1, bias=False), nn.BatchNorm2d(16)
            self.wide, self.hidden, self.head = nn.Conv2d(16, 24, 3, 2, 1), nn.Linear(96, 32), nn.Linear(32, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = torch.relu(self.bn(self.stem(x)))
            x = torch.relu(x + self.bn2(self.pointwise(torch.relu(self.bn1(self.depthwise(x))))))
            x = torch.max_pool2d(torch.relu(self.wide(x)), 2)
            return self.head(torch.relu(self.hidden(torch.flatten(x, 1))))

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return capture(Net(), (1, 8, 8))


@pytest.fixture(scope="module")
def job() -> Job:
    data = load_data("digits")
    return Job(model=small_net(), task=Classify(num_classes=10), data=data, device=BOARD, model_name="small")


QUICK = Prune(sensitivity_samples=64, sensitivity_keeps=(0.5,), norm_batches=1)


@pytest.fixture(scope="module")
def planned(job) -> tuple[Planner, tuple[Sensitivity, ...]]:
    planner = Planner(job, QUICK)
    return planner, planner.scan()


def test_a_channel_that_never_changes_contributes_nothing(job):
    net = small_net()
    with torch.no_grad():
        net.wide.weight[3] = 0  # constant: its bias, or nothing after the ReLU
    values = scored("contribution", net, job)["wide"]
    assert values[3] == 0 and (values > 0).sum() > 12


def test_contribution_needs_images():
    with pytest.raises(ConfigError, match="'contribution' is measured on images and the job has no data: choose 'l2'"):
        scored("contribution", small_net())


@pytest.mark.parametrize("target", [0.9, 0.5, 0.2, 0.1])
def test_the_target_is_met_from_below_until_nothing_wider_fits(planned, target):
    planner, sensitivities = planned
    plan = planner.plan(target, sensitivities)
    narrow = profile(planner.apply(plan))
    assert (narrow.macs, narrow.params) == (plan.macs_after, plan.params_after)
    assert plan.keep_macs <= target
    kept = [group.num_classes - len(group.dropped) for group in plan.groups if group.name in planner.options]
    for place, options in enumerate(planner.options.values()):
        wider = options[options > kept[place]]
        assert (planner.cost.macs.vary(kept, place, wider) > target * planner.macs).all()


@pytest.mark.slow
@pytest.mark.parametrize("target", [0.7, 0.3])
def test_without_measurements_a_resnet_comes_within_two_percent_of_the_target(job, target):
    model = resolve("resnet20", num_classes=10).model
    planner = Planner(replace(job, model=capture(model, (3, 32, 32))), Prune(score="l2", sensitivity_samples=0))
    assert 0.98 * target < planner.plan(target).keep_macs <= target


def test_a_smaller_target_never_expects_less_loss(planned):
    planner, sensitivities = planned
    rises = [
        sum(group.rise for group in planner.plan(share, sensitivities).groups) for share in np.linspace(0.1, 1, 19)
    ]
    assert (np.diff(rises) <= 1e-9).all() and rises[-1] == 0


def test_the_scan_holds_the_whole_model_and_the_smallest_widths(planned):
    _, sensitivities = planned
    keeps = {row.keep for row in sensitivities if row.group == "wide"}
    assert keeps == {1.0, 0.5, 4 / 24} and {row.group for row in sensitivities} == {"stem", "wide", "hidden"}
    base = {row.loss for row in sensitivities if row.keep == 1.0}
    assert len(base) == 1


def test_widths_are_multiples_of_the_device(planned):
    planner, sensitivities = planned
    kept = {group.name: group.num_classes - len(group.dropped) for group in planner.plan(0.5, sensitivities).groups}
    assert all(count % BOARD.round_to == 0 for name, count in kept.items() if name in planner.options)


def test_groups_may_be_left_whole_by_name(job):
    settings = replace(QUICK, sensitivity_samples=0, score="l2", whole=["stem", "hid*"])
    plan = Planner(job, settings).plan(0.5)
    assert {group.name for group in plan.groups if group.dropped} == {"wide"}
    with pytest.raises(LookupFailed, match="Unknown channel group 'hiden': did you mean hidden"):
        Planner(job, replace(settings, whole=("hiden",)))


def test_a_module_that_is_not_captured_is_captured(job):
    plain_model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.Flatten(), nn.Linear(128, 10))
    plan = plan_prune(replace(job, model=plain_model), replace(QUICK, sensitivity_samples=0))
    assert plan.keep_macs <= 0.5 and isinstance(plain_model[0], nn.Conv2d)


def test_the_least_important_classes_leave(planned):
    planner, sensitivities = planned
    plan = planner.plan(0.4, sensitivities)
    values = SCORES["contribution"](Scoring(net=planner.net, channels=planner.channels, job=planner.job))
    for group in plan.groups:
        if group.dropped:
            stays = sorted(set(range(group.num_classes)) - set(group.dropped))
            assert values[group.name][list(group.dropped)].max() <= values[group.name][stays].min()


def test_a_plan_round_trips_through_json_and_does_the_same(planned):
    planner, sensitivities = planned
    plan = planner.plan(0.5, sensitivities)
    again = PrunePlan.from_plain(json.loads(json.dumps(plain(plan))))
    assert again == plan and plan.measured
    assert fingerprint(apply_plan(planner.net, again)) == fingerprint(planner.apply(plan))


def test_a_plan_for_another_model_is_refused(planned):
    planner, sensitivities = planned
    with pytest.raises(
        ConfigError, match=r"The plan was made for another model: group '.*' has \d+ classes in it and none"
    ):
        apply_plan(NETS.make_small("chain"), planner.plan(0.5, sensitivities))


def test_planning_with_an_earlier_scan_scans_no_more(job, planned):
    planner, sensitivities = planned
    blind = replace(job, task=None)  # a scan would fail
    assert plan_prune(blind, QUICK, sensitivities=sensitivities) == planner.plan(0.5, sensitivities)


def test_an_impossible_target_names_the_smallest_share(job, planned):
    planner, _ = planned
    with pytest.raises(
        BudgetError, match=rf"Cannot cut small to 0.001 of its MACs: .* {planner.smallest:.4g} \(widths in"
    ):
        replace(QUICK, keep_macs=0.001).run(replace(job, task=None))  # refused before anything is measured
    at_the_edge = planner.plan(planner.smallest)
    assert at_the_edge.keep_macs == planner.smallest


def test_the_stage_cuts_scores_and_explains(job):
    result = QUICK.run(job)
    before, after = profile(job.model), profile(result.model)
    assert 0.45 < after.macs / before.macs <= 0.5
    assert result.score == evaluate(result.model, job.task, job.data, "val")
    assert result.cost.macs == after.macs
    assert result.notes[0].endswith("widths by measured sensitivity.") and "asked: at most 50.0%" in result.notes[0]
    assert any("cannot be cut because they are the model's output" in note for note in result.notes)
    assert PrunePlan.from_plain(json.loads(json.dumps(result.details))["plan"]).keep_macs == after.macs / before.macs
    assert [Sensitivity(**row) for row in result.details["sensitivity"]]


def test_the_stage_leaves_its_model_alone_and_repeats_itself(job):
    before = fingerprint(job.model)
    first, second = QUICK.run(job), QUICK.run(job)
    assert fingerprint(job.model) == before
    assert fingerprint(first.model) == fingerprint(second.model)
    assert first.details == second.details


def test_without_a_scan_the_note_says_that_nothing_was_measured(job):
    result = replace(QUICK, sensitivity_samples=0, score="l2").run(job)
    assert result.details["sensitivity"] == [] and not result.details["plan"]["measured"]
    assert result.notes[0].endswith("widths by score alone, nothing was measured.")


def test_batch_norm_is_measured_afresh_after_a_cut(job):
    whole = QUICK.run(job).model.get_submodule("bn2").running_mean
    stale = replace(QUICK, norm_batches=0).run(job).model.get_submodule("bn2").running_mean
    assert torch.equal(stale, torch.zeros_like(stale)) and whole.abs().max() > 0
