"""One observation per tensor: its moments, its merging, and what bad input does to it."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgewright.compress.quantize import Precision, observe, plan_quantizers, ranges_of, simulate
from edgewright.compress.quantize.ranges import RANGE_METHODS, Observation
from edgewright.errors import ConfigError, DataError, ModelError
from edgewright.model import capture
from edgewright.model.quantized import affine_spec

VALUES = st.lists(st.floats(-1000, 1000, width=32), min_size=1, max_size=30)
X = torch.randn(8, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def seen(*batches):
    observation = Observation("values")
    for batch in batches:
        observation.see(torch.as_tensor(batch, dtype=torch.float32))
    return observation


@settings(max_examples=30)
@given(VALUES, VALUES)
def test_merged_observations_equal_one_of_all_values(first, second):
    merged, whole = Observation.merged([seen(first), seen(second)]), seen(first + second)
    assert torch.equal(merged.histogram.counts, whole.histogram.counts)
    facts = [(each.minimum, each.maximum, each.count, each.num_zero) for each in (merged, whole)]
    assert facts[0] == facts[1]
    for moment in ("mean", "std", "mean_square"):  # sums in another order
        assert getattr(merged, moment) == pytest.approx(getattr(whole, moment), rel=1e-5, abs=1e-3)


@settings(max_examples=40)
@given(VALUES)
def test_moments_are_those_of_the_values(values):
    observation, x = seen(values), torch.tensor(values, dtype=torch.float64)
    scale = x.abs().max().item() + 1e-20
    assert observation.mean == pytest.approx(x.mean().item(), abs=1e-6 * scale)
    assert observation.std == pytest.approx(x.std(correction=0).item(), abs=1e-6 * scale)
    assert observation.mean_square == pytest.approx(x.pow(2).mean().item(), rel=1e-5, abs=1e-6 * scale**2)
    deviation = (x - x.mean()).abs().mean().item()
    assert observation.mean_abs_deviation == pytest.approx(deviation, abs=observation.histogram.width + 1e-6 * scale)


def test_the_moving_average_is_over_images_and_weighs_the_newest_most():
    images = torch.tensor([[-1.0, 2.0], [-3.0, 4.0], [-2.0, 9.0]])
    weights = [0.99**2, 0.99, 1.0]
    low = -sum(w * v for w, v in zip(weights, (1, 3, 2), strict=True)) / sum(weights)
    high = sum(w * v for w, v in zip(weights, (2, 4, 9), strict=True)) / sum(weights)
    for split in (1, 2, 3):
        assert seen(*images.split(split)).average_bounds == pytest.approx((low, high), rel=1e-12)


def test_a_percentile_cuts_one_outlier_off_and_minmax_keeps_it():
    observations = {"x": seen(torch.cat([torch.linspace(0, 1, 100_000), torch.tensor([50.0])]))}
    assert ranges_of(observations, method="minmax")["x"] == (0.0, 50.0)
    low, high = ranges_of(observations, method="percentile", percentile=99.9)["x"]
    assert 0 <= low < 0.01 and 0.99 < high < 1.02


@pytest.mark.parametrize("method", RANGE_METHODS)
@pytest.mark.parametrize("bits", [2, 4, 8, 16])
@pytest.mark.parametrize("value", [0.0, 3.0, -7.25, 1e-30])
def test_a_constant_tensor_has_a_range_that_holds_it(value, bits, method):
    precision = Precision(activations=bits)
    low, high = ranges_of({"x": seen(torch.full((4, 5), value))}, method=method, precision=precision)["x"]
    assert min(low, 0.0) <= value <= max(high, 0.0)
    assert affine_spec(low, high, bits=bits).scale[0] > 0


@pytest.mark.parametrize("method", RANGE_METHODS)
@settings(max_examples=15)
@given(values=VALUES, bits=st.sampled_from([2, 4, 8]))
def test_no_range_is_wider_than_the_values_and_zero(method, values, bits):
    low, high = ranges_of({"x": seen(values)}, method=method, precision=Precision(activations=bits))["x"]
    slack = 1e-6 * max(map(abs, values))
    assert min(0.0, *values) - slack <= low <= high <= max(0.0, *values) + slack


@pytest.mark.parametrize("method", RANGE_METHODS)
def test_a_range_without_zero_and_its_widened_form_give_one_grid(method):
    low, high = ranges_of({"x": seen(torch.linspace(1, 5, 1000))}, method=method)["x"]
    assert affine_spec(low, high) == affine_spec(0.0, high)


@pytest.mark.parametrize("method", RANGE_METHODS)
@pytest.mark.parametrize("factor", [0.125, 64.0])
def test_values_in_another_unit_have_their_range_in_that_unit(method, factor):
    values = torch.randn(4, 500, generator=torch.Generator().manual_seed(5)) ** 3
    one, other = (ranges_of({"x": seen(each)}, method=method)["x"] for each in (values, factor * values))
    assert other == pytest.approx([factor * bound for bound in one], rel=1e-6)


def test_bits_matter_to_each_tensor_on_its_own():
    observations = dict.fromkeys(["a", "b"], seen(torch.randn(5000, generator=torch.Generator().manual_seed(1))))
    ranges = ranges_of(observations, method="mse", precision=Precision(points={"b": 3}))
    assert ranges["b"][1] < 0.8 * ranges["a"][1]


def net_of(layers):
    torch.manual_seed(0)
    return capture(layers, (3, 8, 8))


@pytest.mark.parametrize("method", RANGE_METHODS)
def test_one_image_is_enough(method):
    net = net_of(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3)))
    plan = plan_quantizers(net)
    simulation = simulate(net, plan, ranges_of(observe(net, plan, X[:1]), method=method))
    assert (simulation(X[:1]) - net(X[:1])).norm() < 0.1 * net(X[:1]).norm()


def test_tensors_that_share_a_grid_share_an_observation():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 1)

        def forward(self, x):
            return torch.cat([self.a(x), self.b(x)], 1)

    net = net_of(Net())
    plan = plan_quantizers(net)
    observations = observe(net, plan, X)
    assert observations["a"] is observations["b"] is observations["cat"]
    assert observations["cat"].maximum == net(X).max().item()


def test_a_tensor_that_is_not_finite_is_named():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 2, 1), nn.Conv2d(2, 2, 1)

        def forward(self, x):
            return self.b(torch.log(self.a(x)))

    net = net_of(Net())
    with pytest.raises(ModelError, match="Tensor 'log' holds NaN or infinity on the calibration images"):
        observe(net, plan_quantizers(net), X)


def test_no_calibration_image_is_an_error_with_a_remedy():
    net = net_of(nn.Sequential(nn.Conv2d(3, 4, 3)))
    with pytest.raises(DataError, match=r"0 calibration images, .* at least 1: give some, or quantize the weights"):
        observe(net, plan_quantizers(net), X[:0])


def test_an_unknown_method_is_answered_with_the_known_ones():
    with pytest.raises(ConfigError, match="by minmax, moving-average, percentile, mse, kl, aciq, got 'magic'"):
        ranges_of({}, method="magic")
