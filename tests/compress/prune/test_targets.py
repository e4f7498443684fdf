"""What a cut can aim at: forecasts against the model that is cut, and shares that are used to 98 %, or it is said."""

import functools
import importlib.util
import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgewright.analyze import cost_of
from edgewright.compress.prune import NEAR, QUANTITIES, Allocator, CutCost, Planner, Prune, plan_prune
from edgewright.compress.prune.forecast import Forecaster
from edgewright.devices import device
from edgewright.errors import BudgetError, ConfigError
from edgewright.model import capture, cut
from edgewright.types import Job, LatencyTable
from edgewright.zoo import resolve

BLIND = Prune(score="l2", sensitivity_samples=0, norm_batches=0)
FORECAST = 5e-3  # of the value: tensors that are views of parts are taken for as large as the whole they lie in


def small_nets():
    """The nets that the tests of the model room use."""
    path = Path(__file__).parents[2] / "model" / "conftest.py"
    spec = importlib.util.spec_from_file_location("small_nets_for_targets", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


NETS = small_nets()


def in_blocks() -> LatencyTable:
    """A machine that computes whole blocks of 8 channels: 10 ns per MAC of padded convolutions, 50 us a call."""
    shapes = itertools.product((4, 8, 12, 16, 24, 32, 64), (4, 8, 12, 16, 24, 32, 64), (64, 256, 1024), (1, 9))
    points = {"conv": [], "conv_1x1": []}
    for made, read, area, kernel in shapes:
        macs = float(made * read * area * kernel)
        padded = 8 * math.ceil(made / 8) * 8 * math.ceil(read / 8) * area * kernel
        kind = "conv" if kernel > 1 else "conv_1x1"
        points[kind].append((macs, float(read), float(made), float(area), float(kernel), 1.0, 1e-8 * padded))
    table = {name: tuple(each[:: 1 + len(each) // 60]) for name, each in points.items()}
    return LatencyTable(
        runtime="a runtime", machine="a machine", threads=1, call_overhead_s=5e-5, points={"float32": table}
    )


TARGETED = {
    "board": (device("stm32f746"), "float32"),
    "board, int8": (device("stm32f746"), "int8"),
    "computer": (device("generic-x86"), "float32"),
    "computer with a table": (replace(device("generic-x86"), latency_table=in_blocks()), "float32"),
}


def job_for(net, machine=TARGETED["computer"][0], name: str = "net") -> Job:
    return Job(model=net, task=None, data=None, device=machine, model_name=name)


def counted(planner: Planner, plan, name: str) -> float:
    """The share of a quantity that stays, as `analyze` counts it on the model that was cut."""
    after, before = (
        cost_of(net, planner.job.device, planner.settings.dtype) for net in (planner.apply(plan), planner.net)
    )
    return QUANTITIES[name].of(after) / QUANTITIES[name].of(before)


# Forecasts


def forecast_errors(name: str, machine, dtype: str) -> dict[str, float]:
    """How far each forecast of one random cut is off."""
    net, channels = NETS.make_small(name), NETS.map_of(NETS.make_small(name))
    order = {group.name: range(group.num_classes) for group in channels.free}
    cost = CutCost(net, channels, order)
    draw = np.random.default_rng(len(name))
    kept = [int(draw.integers(min(2, count), count + 1)) for count in cost.full]  # an axis of size 1 makes copies views
    drop = {group: list(order[group])[count:] for group, count in zip(order, kept, strict=True)}
    exact = cost_of(cut(net, drop, channels=channels), machine, dtype)
    forecasts = Forecaster(cost, machine, dtype)
    return {each: abs(Q.forecast(forecasts).at(kept) / Q.of(exact) - 1) for each, Q in QUANTITIES.items()}


@pytest.mark.parametrize("name", ["residual", "padded", "few_groups", "squeeze_excite"])
def test_a_forecast_is_what_analyze_counts_on_the_model_that_is_cut(name):
    assert max(forecast_errors(name, *TARGETED["computer"]).values()) < FORECAST


@pytest.mark.slow
@pytest.mark.parametrize("where", TARGETED)
def test_forecasts_hold_on_every_small_net(where):
    for name in NETS.SMALL:
        assert max(forecast_errors(name, *TARGETED[where]).values()) < FORECAST, name


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_varying_one_group_forecasts_what_each_choice_does(quantity):
    net = NETS.make_small("residual")
    cost = CutCost(net, NETS.map_of(net), {group.name: range(group.num_classes) for group in NETS.map_of(net).free})
    forecast = QUANTITIES[quantity].forecast(Forecaster(cost, *TARGETED["computer"]))
    kept = [max(1, count // 2) for count in cost.full]
    for group, count in enumerate(cost.full):
        counts = np.arange(1, count + 1)
        want = [forecast.at([*kept[:group], each, *kept[group + 1 :]]) for each in counts.tolist()]
        np.testing.assert_allclose(forecast.vary(kept, group, counts), want, rtol=1e-9)


def test_latency_by_hand():
    """Two convolutions of 100 positions, 8 -> c -> 8 channels: 1,600 c MACs at 1 a microsecond, 2 x 10 us to start."""
    machine = replace(
        device("stm32f746"), clock_hz=1e6, macs_per_cycle={"float32": 1.0}, bandwidth_bytes_s=1e12, overhead_s=1e-5
    )
    net = capture(nn.Sequential(nn.Conv2d(8, 32, 1), nn.Conv2d(32, 8, 1)), (8, 10, 10))
    planner = Planner(job_for(net, machine), BLIND)
    forecast = QUANTITIES["latency"].forecast(Forecaster(planner.cost, machine, "float32"))
    for count in (8, 16, 32):
        assert planner.value("latency", [count]) == pytest.approx(1600e-6 * count + 2e-5)
        assert forecast.at([count]) == pytest.approx(1600e-6 * count + 2e-5)
    least = planner.plan(0.5, target="latency").keep
    assert least == pytest.approx((1600 * 12 + 20) / (1600 * 32 + 20))  # in steps of 4; 16 channels are 0.5002


# Targets that are hit


@pytest.fixture(scope="module")
def resnet8():
    built = resolve("resnet8", num_classes=10, channels=1, image_size=16)
    return capture(built.model, built.input_shape)


@pytest.mark.slow
@pytest.mark.parametrize("where", TARGETED)
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_every_share_is_used_to_98_percent_or_said_to_be_missed(resnet8, quantity, where):
    """Peak RAM of a board is two tensors of up to 16 channels, in steps of 4; time in blocks of 8 jumps, too."""
    machine, dtype = TARGETED[where]
    planner = Planner(job_for(resnet8, machine), replace(BLIND, round_to=4, dtype=dtype))
    for keep in (0.7, 0.4):
        plan = planner.plan(keep, target=quantity, near=NEAR)
        share = counted(planner, plan, quantity)
        assert 0.75 * keep <= share <= keep
        assert plan.keep == pytest.approx(share, abs=1e-12)
        assert plan.is_near == (share >= (1 - NEAR) * keep)
        assert plan.is_near or quantity in ("latency", "ram")


@pytest.mark.slow
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_the_stage_aims_at_each_quantity(resnet8, quantity):
    asked = replace(BLIND, round_to=4).aiming_at(quantity, 0.5)
    plan = plan_prune(job_for(resnet8), asked)
    assert (plan.target, plan.target_keep) == (quantity, 0.5)
    assert 0.49 <= counted(Planner(job_for(resnet8), asked), plan, quantity) <= 0.5
    assert plan.counted == ("" if quantity in ("macs", "params") else "generic-x86, float32")


@functools.cache
def library_net(name: str):
    return capture(resolve(f"torchvision:{name}", num_classes=10).model, (3, 64, 64))


@pytest.mark.slow
@pytest.mark.parametrize("unit", [8, 16, 32])
@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2"])
def test_widths_of_library_models_are_whole_simd_lanes_and_hit_the_target(name, unit):
    planner = Planner(job_for(library_net(name)), replace(BLIND, round_to=unit, min_steps=1))
    for quantity in ("macs", "params"):
        plan = planner.plan(0.5, target=quantity, near=NEAR)
        narrowed = [group for group in plan.groups if group.dropped and group.num_classes * group.width >= unit]
        assert narrowed
        assert all((each.num_classes - len(each.dropped)) * each.width % unit == 0 for each in narrowed)
        assert 0.49 <= counted(planner, plan, quantity) <= 0.5


# Targets that cannot be hit


def two_widths(wide: int = 16):
    """One group that has 8 or 16 channels: half of everything, or all of it."""
    return capture(nn.Sequential(nn.Conv2d(1, wide, 1), nn.Conv2d(wide, 4, 1), nn.Flatten()), (1, 4, 4))


@pytest.mark.parametrize("quantity", ["macs", "bytes"])
def test_a_share_between_two_widths_is_missed_from_below_and_said(quantity):
    planner = Planner(job_for(two_widths()), replace(BLIND, round_to=8, min_steps=1))
    half = planner.value(quantity, [8]) / planner.value(quantity)
    plan = planner.plan(0.5 * (half + 1), target=quantity, near=NEAR)
    assert plan.keep == half and not plan.is_near


def test_the_stage_says_that_a_share_was_missed():
    from edgewright.compress.prune.stage import plan_notes

    planner = Planner(job_for(two_widths()), replace(BLIND, round_to=8, min_steps=1))
    missed, hit = (plan_notes(planner.plan(keep, near=NEAR)) for keep in (0.75, 0.5))
    assert missed[1].startswith("No choice of widths was found that keeps 98% to 100% of the asked share: what stays")
    assert not any("No choice" in note for note in hit)


@pytest.mark.parametrize(
    "quantity, title",
    [("macs", "MACs"), ("params", "parameters"), ("bytes", "bytes"), ("latency", "latency"), ("ram", "peak RAM")],
)
def test_a_share_below_the_smallest_names_the_smallest(quantity, title):
    planner = Planner(job_for(two_widths(), name="two"), replace(BLIND, round_to=8, min_steps=1))
    smallest = planner.smallest_of(quantity)
    with pytest.raises(
        BudgetError, match=rf"Cannot cut two to 0.01 of its {title}: the smallest share is {smallest:.4g}"
    ):
        planner.plan(0.01, target=quantity)
    assert planner.plan(smallest, target=quantity).keep == smallest


@pytest.mark.parametrize(
    "asked, message",
    [
        ({"keep_macs": 0.5, "keep_ram": 0.5}, "Prune aims at one share, got keep_macs and keep_ram"),
        ({"keep_latency": 0.0}, r"Prune.keep_latency is a share in \(0, 1\], got 0.0"),
        ({"keep_bytes": 1.5}, r"Prune.keep_bytes is a share in \(0, 1\], got 1.5"),
        ({"keep_bytes": 0.5, "dtype": "int3"}, "Prune.dtype is one of float32, float16, int8, int4, got 'int3'"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(asked, message):
    with pytest.raises(ConfigError, match=message):
        Prune(**asked)


def test_half_of_the_macs_is_what_nothing_said_means():
    assert (Prune().keep_macs, Prune().target) == (0.5, ("macs", 0.5))
    assert Prune(keep_ram=0.3).target == ("ram", 0.3) and Prune(keep_ram=0.3).keep_macs is None
    assert Prune().aiming_at("bytes", 0.2) == Prune(keep_bytes=0.2)


# The choice near a limit


class Weighted:
    """A cost that is a weighted sum of what is kept."""

    def __init__(self, weights):
        self.weights = np.asarray(weights, dtype=float)

    def at(self, kept):
        return float(self.weights @ np.asarray(kept))

    def vary(self, kept, group, counts):
        return self.at(kept) + self.weights[group] * (np.asarray(counts) - kept[group])


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.floats(0.3, 0.95))
def test_near_finds_the_least_loss_in_the_band_where_any_choice_lies_in_it(seed, share):
    draw = np.random.default_rng(seed)
    options = [np.sort(draw.choice(np.arange(1, 12), size=4, replace=False)) for _ in range(3)]
    losses = [np.concatenate([np.cumsum(draw.exponential(1, 3))[::-1], [0.0]]) for _ in range(3)]
    cost = Weighted(draw.uniform(1, 5, 3))
    limit = share * cost.at([int(each[-1]) for each in options])
    every = list(itertools.product(*(range(4) for _ in options)))
    price = {each: cost.at([options[g][i] for g, i in enumerate(each)]) for each in every}
    if min(price.values()) > limit:
        return
    kept = Allocator(options, losses, cost).within(limit, near=NEAR)
    loss = {each: sum(losses[g][i] for g, i in enumerate(each)) for each in every}
    band = [each for each in every if (1 - NEAR) * limit <= price[each] <= limit]
    chosen = tuple(list(options[g]).index(count) for g, count in enumerate(kept))
    assert price[chosen] <= limit
    assert not band or chosen in band
    if band and chosen not in band:
        assert loss[chosen] == pytest.approx(min(loss[each] for each in band))


def test_many_choices_are_led_towards_the_limit_by_swaps():
    """10^6 choices: groups in coarse steps, and one in fine steps that minds a cut most."""
    options = [np.arange(1, 11) * 10 for _ in range(5)] + [np.arange(91, 101)]
    losses = [np.linspace(1e-3, 0, 10) for _ in range(5)] + [np.linspace(5, 0, 10)]
    cost = Weighted([1.0] * 6)
    limit = 309.5  # 100 + 200 loses least, and is 3 % below
    wide = Allocator(options, losses, cost).within(limit)
    near = Allocator(options, losses, cost).within(limit, near=NEAR)
    assert cost.at(wide) < (1 - NEAR) * limit <= cost.at(near) <= limit
