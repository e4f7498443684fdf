"""Bias correction, measured and from batch normalization; the moments that the latter knows."""

import copy
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from edgewright.compress.quantize.repairs import (
    Moments,
    batch_norm_moments,
    correct_bias,
    correct_bias_analytic,
    duplicated,
    equalize,
    scaled,
)
from edgewright.compress.quantize.repairs.moments import propagate
from edgewright.compress.quantize.repairs.stepping import Stepper, channel_mean
from edgewright.errors import DataError, ModelError
from edgewright.model.fold import fold_batch_norms


def one(mean, std=1.0):
    return Moments(mean_C=torch.tensor([mean]).double(), std_C=torch.tensor([std]).double())


# -- moments ----------------------------------------------------------------------------------------------------------
def test_a_relu_of_a_standard_gaussian_has_mean_0_3989_and_deviation_0_5838():
    after = one(0.0).clamped(0.0, None)
    assert after.mean_C.item() == pytest.approx(1 / math.sqrt(2 * math.pi))
    assert after.std_C.item() == pytest.approx(math.sqrt(0.5 - 1 / (2 * math.pi)))


@given(mean=st.floats(-5, 8), std=st.floats(0.01, 4), high=st.sampled_from([None, 1.0, 6.0]))
def test_moments_of_a_clamped_gaussian_equal_those_of_its_quantiles(mean, std, high):
    shares = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
    values = (mean + std * torch.special.ndtri(shares)).clamp(0.0, high)
    after = one(mean, std).clamped(0.0, high)
    assert after.mean_C.item() == pytest.approx(values.mean().item(), abs=2e-3 * std)
    assert after.std_C.item() == pytest.approx(values.std().item(), abs=5e-3 * std)


def test_a_constant_channel_stays_one():
    assert one(2.0, 0.0).clamped(0.0, 6.0).mean_C.item() == pytest.approx(2.0)
    assert one(-2.0, 0.0).clamped(0.0, None).mean_C.item() == pytest.approx(0.0, abs=1e-9)


class Normed(nn.Module):
    """Residuals, padding of channels, concatenation, pooling between batch normalizations."""

    def __init__(self):
        super().__init__()
        self.a, self.na = nn.Conv2d(3, 6, 1), nn.BatchNorm2d(6)
        self.b, self.nb = nn.Conv2d(6, 6, 1), nn.BatchNorm2d(6)
        self.c, self.nc = nn.Conv2d(14, 4, 1), nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        x = F.relu(self.na(self.a(x)))
        y = F.pad(x + self.nb(self.b(x)), (0, 0, 0, 0, 1, 1))
        z = self.nc(self.c(torch.cat([y, x], 1)))
        return self.fc(F.relu6(z).mean((2, 3)))


@pytest.fixture(scope="module")
def normed(captured, images):
    """A net whose batch normalizations hold exactly what the images give, with scales and shifts of their own."""
    torch.manual_seed(0)
    net = captured(Normed())
    steps = Stepper(net, [images])
    for node in net.graph.nodes:
        norm = net.get_submodule(node.target) if node.op == "call_module" else None
        if isinstance(norm, nn.BatchNorm2d):
            flat = steps.inputs(node.name)[0].transpose(0, 1).flatten(1)
            norm.running_mean.copy_(flat.mean(1)), norm.running_var.copy_(flat.var(1, correction=0))
            norm.weight.data.uniform_(0.5, 1.5), norm.bias.data.uniform_(-1, 1)
    return net


def test_moments_follow_sums_padded_channels_concatenations_and_averages(normed, images):
    folded, _ = fold_batch_norms(normed)
    found = propagate(folded, batch_norm_moments(normed))
    steps = Stepper(folded, [images])
    for name in ("relu", "b", "add", "cat", "c"):
        node = next(node for node in folded.graph.nodes if node.name == name)
        measured = channel_mean(steps.outputs(node.name), 1)
        assert (found[name].mean_C - measured).abs().max() < 0.1, name  # values are near Gaussian
    assert found["pad" if "pad" in found else "constant_pad_nd"].mean_C[[0, -1]].tolist() == [0, 0]
    assert "mean" in found and "x" not in found


def test_moments_are_scaled_and_doubled_with_their_channels():
    moments = {"a": Moments(mean_C=torch.tensor([1.0, 2.0]), std_C=torch.tensor([3.0, 4.0])), "b": one(0.0)}
    twice = scaled(moments, {"a": torch.tensor([2.0, 0.5])})
    assert twice["a"].mean_C.tolist() == [2.0, 1.0] and twice["a"].std_C.tolist() == [6.0, 2.0]
    assert duplicated(moments, {"a": torch.tensor([0, 1, 1])})["a"].std_C.tolist() == [3.0, 4.0, 4.0]


# -- measured ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["chain", "depthwise", "grouped", "flat", "residual"])
def test_every_layer_keeps_the_channel_means_of_the_float_net(captured, images, simulated, kind):
    net = captured(kind)
    corrected, report = correct_bias(simulated(net, weights=3), net, images)
    exact, steps = Stepper(net, [images]), Stepper(corrected, [images])
    for name in report.shifts:
        want, got = exact.outputs(name)[0], steps.outputs(name)[0]
        axis = 1 if want.dim() == 4 else -1
        error_C = (channel_mean([want], axis) - channel_mean([got], axis)).abs()
        layer = next(corrected.get_submodule(node.target) for node in corrected.graph.nodes if node.name == name)
        assert (error_C <= 0.51 * layer.bias_scale).all()  # the rounding of the bias itself is left
    assert max(report.shifts.values()) > 0.01 and not report.refused


def test_a_shift_by_hand(captured, simulated, images):
    net = captured(nn.Sequential(nn.Flatten(), nn.Linear(2, 1)), (2, 1, 1))
    layer = next(module for module in net.modules() if isinstance(module, nn.Linear))
    layer.weight.data = torch.tensor([[1.0, 0.3]])
    points = torch.tensor([[2.0, 4.0], [4.0, 8.0]]).reshape(2, 2, 1, 1)
    simulation = integers(net, points, weights=2)  # codes -1, 0, 1 of scale 1: 0.3 becomes 0
    corrected, report = correct_bias(simulation, net, points)
    assert next(iter(report.shifts.values())) == pytest.approx(0.3 * 6, rel=0.01)  # mean of the second input: 6
    assert corrected(points).mean().item() == pytest.approx(net(points).mean().item(), rel=5e-3)


def integers(net, images, **bits):
    from edgewright.compress.quantize import Precision, observe, plan_quantizers, simulate

    plan = plan_quantizers(net)
    ranges = {name: (seen.minimum, seen.maximum) for name, seen in observe(net, plan, images).items()}
    return simulate(net, plan, ranges, precision=Precision(**bits), weight_method="minmax")


def test_a_layer_without_bias_gets_one_and_the_inputs_stay_untouched(captured, images):
    torch.manual_seed(0)
    net = captured(nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.ReLU(), nn.Conv2d(4, 2, 1, bias=False)))
    simulation = integers(net, images, weights=2)
    before = copy.deepcopy(simulation.state_dict())
    corrected, _ = correct_bias(simulation, net, images)
    assert simulation.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[key]) for key, value in simulation.state_dict().items())
    assert all(layer.bias is not None for layer in corrected.modules() if hasattr(layer, "weight_scale"))
    assert (corrected(images) - net(images)).mean().abs() < (simulation(images) - net(images)).mean().abs()


# -- from batch normalization -----------------------------------------------------------------------------------------
def test_the_analytic_shift_is_near_the_measured_one(normed, images, simulated):
    folded, _ = fold_batch_norms(normed)
    simulation = simulated(folded, weights=3)
    corrected, report = correct_bias_analytic(simulation, folded, batch_norm_moments(normed))
    assert set(report.shifts) == {"b", "c", "fc"} and "its input x does not follow" in report.refused["a"]
    errors = []
    for net in (simulation, corrected):
        steps, exact = Stepper(net, [images]), Stepper(folded, [images])
        errors.append([(steps.outputs(n)[0] - exact.outputs(n)[0]).mean((0, 2, 3)).abs().mean() for n in ("b", "c")])
    assert errors[1][0] < 0.5 * errors[0][0] and errors[1][1] < errors[0][1]


def test_the_analytic_shift_knows_what_was_equalized(normed, simulated):
    folded, _ = fold_batch_norms(normed)
    equal, report = equalize(folded)
    moments = scaled(batch_norm_moments(normed), report.factors)
    torch.testing.assert_close(
        propagate(equal, moments)["relu"].mean_C, propagate(folded, batch_norm_moments(normed))["relu"].mean_C
    )
    assert correct_bias_analytic(simulated(equal, weights=3), equal, moments)[1].shifts


# -- errors -----------------------------------------------------------------------------------------------------------
def test_no_images_and_foreign_nets_are_refused(captured, images, simulated):
    net = captured("chain")
    with pytest.raises(DataError, match=r"calibration images of shape \(3, 8, 8\), got \(0, 3, 8, 8\)"):
        correct_bias(simulated(net), net, images[:0])
    with pytest.raises(ModelError, match="layer b is missing in the float net; pass the folded net"):
        correct_bias(simulated(net), captured("flat"), images)
