"""The method of least measured error, tensor by tensor."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from edgewright.compress.quantize import Precision, observe, plan_quantizers, simulate
from edgewright.compress.quantize.ranges import RANGE_METHODS
from edgewright.compress.quantize.ranges.best import PER_TENSOR, best_ranges, candidate_ranges, sqnr_db
from edgewright.model import capture
from edgewright.model.quantized import QuantizeActivation, affine_spec

X = torch.randn(16, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    """Convolution, residual sum, pooling, concatenation, linear layer."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 1)
        self.fc = nn.Linear(8 * 16, 5)

    def forward(self, x):
        x = F.relu(self.a(x))
        x = F.max_pool2d(F.relu(self.b(x) + x), 2)
        return self.fc(torch.cat([self.c(x), self.b(x)], 1).flatten(1))


@pytest.fixture(scope="module")
def subject():
    torch.manual_seed(0)
    net = capture(Net(), (3, 8, 8))
    plan = plan_quantizers(net)
    return net, plan, observe(net, plan, X)


def test_the_mixture_is_never_worse_at_the_output_than_any_method_alone(subject):
    net, plan, observations = subject
    precision = Precision(activations=4)
    chosen = best_ranges(net, plan, candidate_ranges(observations, precision=precision), X, precision=precision)
    assert set(chosen.output_sqnr_db) == {PER_TENSOR, *RANGE_METHODS}
    assert chosen.output_sqnr_db[chosen.method] == max(chosen.output_sqnr_db.values())
    got = sqnr_db([net(X)], [simulate(net, plan, chosen.ranges, precision=precision)(X)])
    assert got == pytest.approx(chosen.output_sqnr_db[chosen.method], abs=1e-4)


def test_ranges_are_those_of_the_methods_named(subject):
    net, plan, observations = subject
    candidates = candidate_ranges(observations)
    chosen = best_ranges(net, plan, candidates, X)
    assert set(chosen.methods) == set(plan.points)
    assert all(chosen.ranges[name] == candidates[method][name] for name, method in chosen.methods.items())
    for group in plan.shared:
        assert len({chosen.ranges[name] for name in group}) == 1


def test_the_error_is_measured_behind_the_clamp_of_the_reader():
    """relu(a - 5) reads x: a range that clips all below 5 costs nothing, though it is far from x."""
    torch.manual_seed(0)
    net = capture(nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU()), (1, 4, 4))
    net.get_submodule("0").weight.data.fill_(1.0)
    net.get_submodule("0").bias.data.fill_(-5.0)
    plan, images = plan_quantizers(net), torch.linspace(-100, 10, 16).reshape(1, 1, 4, 4)
    candidates = {
        "whole": {name: (-100.0, 10.0) for name in plan.points},
        "upper": {name: (0.0, 10.0) for name in plan.points},
    }
    chosen = best_ranges(net, plan, candidates, images)
    assert chosen.methods[plan.points[0]] == "upper"
    want = F.relu(images - 5)
    for method, (low, high) in (("whole", (-100.0, 10.0)), ("upper", (0.0, 10.0))):
        got = F.relu(QuantizeActivation.of(affine_spec(low, high))(images) - 5)
        ratio = ((got - want).pow(2).sum() / want.pow(2).sum()).item()
        assert chosen.noise[plan.points[0]][method] == pytest.approx(ratio, rel=1e-4)


def test_the_error_of_a_tensor_is_summed_over_its_readers(subject):
    net, plan, observations = subject
    chosen = best_ranges(net, plan, candidate_ranges(observations), X)
    layers, pooled = dict(net.named_modules()), F.relu(observations_of(net, "add"))
    quantize = QuantizeActivation.of(affine_spec(observations["relu_1"].minimum, observations["relu_1"].maximum))
    x, rounded = F.max_pool2d(pooled, 2), F.max_pool2d(quantize(pooled), 2)
    ratios = [
        ((layers[each](rounded) - layers[each](x)).pow(2).sum() / layers[each](x).pow(2).sum()).item()
        for each in ("c", "b")
    ]
    assert chosen.noise["relu_1"]["minmax"] == pytest.approx(sum(ratios), rel=1e-4)


def observations_of(net, name):
    from edgewright.model import watch

    found = {}
    watch(net, X, lambda node, value: found.setdefault(node.name, value))
    return found[name]


def test_the_net_is_left_untouched_and_few_images_are_used(subject):
    net, plan, observations = subject
    before, calls = net(X), []
    handle = net.get_submodule("a").register_forward_hook(lambda _, inputs, __: calls.append(inputs[0]))
    many = X.repeat(10, 1, 1, 1)
    best_ranges(net, plan, candidate_ranges(observations), many)
    handle.remove()
    assert torch.equal(net(X), before)
    images = sum(len(each) for each in calls if len(each) > 1)  # one run without data finds the shapes
    assert 64 <= images <= 64 * (1 + len(RANGE_METHODS) + 1)  # as it is, with each grid of its input, for the output


def test_the_ratio_of_signal_to_noise_in_decibels():
    one = torch.tensor([3.0, 4.0])
    assert sqnr_db([one], [one + torch.tensor([0.0, 0.5])]) == pytest.approx(20.0)
    assert sqnr_db([one], [one]) == math.inf
    assert sqnr_db([0 * one], [one]) == -math.inf
