"""Gates taken apart, and what the plan makes of them and of numbers."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from edgewright.compress.quantize import observe, plan_quantizers, ranges_of, simulate
from edgewright.compress.quantize.gates import expose_gates
from edgewright.model import capture
from edgewright.model.quantized import quantizers

X = 4 * torch.randn(8, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    def __init__(self, activation):
        super().__init__()
        self.a, self.b, self.activation = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 3, 3), activation

    def forward(self, x):
        return self.b(self.activation(self.a(x)))


def net_of(activation):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return capture(Net(activation), (3, 8, 8))


def by_hand(x):
    return x * F.relu6(x + 3) / 6


ACTIVATIONS = {
    "hardswish": nn.Hardswish(), "silu": nn.SiLU(), "relu6 by hand": by_hand,
    "hardsigmoid by hand": lambda x: x * (F.relu6(x + 3) / 6), "hardsigmoid": nn.Hardsigmoid(),
}  # fmt: skip


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_gate_taken_apart_is_the_same_function(name):
    net = net_of(ACTIVATIONS[name])
    torch.testing.assert_close(expose_gates(net)(X), net(X))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_no_part_of_a_gate_stays_in_float(name):
    plan = plan_quantizers(expose_gates(net_of(ACTIVATIONS[name])))
    assert plan.stays_float == {}


def test_the_net_itself_stays_as_it_was():
    net = net_of(nn.Hardswish())
    before = net.code
    expose_gates(net)
    assert net.code == before


def test_no_code_is_spent_below_minus_3_where_hard_swish_is_0():
    net = expose_gates(net_of(nn.Hardswish()))
    plan = plan_quantizers(net)
    simulation = simulate(net, plan, ranges_of(observe(net, plan, 10 * X), method="minmax"))
    spec = quantizers(simulation)["clamp_min_default_codes"].spec
    lowest = spec.scale[0] * (spec.low - spec.zero_point[0])
    assert lowest == pytest.approx(-3, abs=spec.scale[0] / 2)


def test_what_a_sum_reads_too_is_not_clipped_below_minus_3():
    net = expose_gates(net_of(lambda x: F.hardswish(x) + x))
    assert not [node for node in net.graph.nodes if "clamp" in node.name]


def test_numbers_follow_integers():
    plan = plan_quantizers(net_of(lambda x: 2 * (x - 1) / 3 + 0.5))
    assert plan.stays_float == {} and len(plan.points) == 7


@pytest.mark.parametrize("function", [lambda x: x * 0.0, lambda x: x / x.exp(), lambda x: x - x.exp()])
def test_sums_and_products_without_integer_form_stay_in_float(function):
    assert plan_quantizers(net_of(function)).stays_float


@settings(max_examples=10, deadline=None)
@given(st.floats(-9, -0.1), st.floats(0.1, 9))
def test_any_clamp_around_0_is_a_range(low, high):
    plan = plan_quantizers(net_of(lambda x: x.clamp(low, high)))
    assert "clamp" in plan.points and "a" not in plan.points


def test_a_clamp_away_from_0_is_no_range():
    assert "a" in plan_quantizers(net_of(lambda x: x.clamp(1.0, 2.0))).points
