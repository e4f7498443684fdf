"""Norms of random shapes against PyTorch's autograd, and numbers that can be followed by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from torch import nn
from torch.nn import functional

from autograd_oracle import check, torch_gradients
from edgewright.model import capture
from edgewright.model.fold import fold_batch_norms
from edgewright.reference import normalization as norm
from edgewright.reference.convolution import conv2d
from edgewright.reference.dropout import dropout, standard_dropout
from edgewright.reference.linear import linear
from edgewright.reference.windows import Window

RNG = np.random.default_rng(0)


@some.composite
def maps(draw):
    """(x, gain, shift, groups) with 0 to 3 axes of places, at least two values a channel of a group."""
    groups = draw(some.integers(1, 3))
    channels = groups * draw(some.integers(1, 3))
    places = draw(some.lists(some.integers(2, 4), max_size=3))
    rng = np.random.default_rng(draw(some.integers(0, 99)))
    x = 3 * rng.standard_normal((draw(some.integers(2, 4)), channels, *places)) + 1
    return x, rng.standard_normal(channels), rng.standard_normal(channels), groups


@given(maps())
@settings(max_examples=40)
def test_batch_norm_is_pytorchs(case):
    x, gain, shift, _ = case
    y, dy, wanted = torch_gradients(
        lambda x, g, s: functional.batch_norm(x, None, None, g, s, training=True), (x, gain, shift)
    )
    found, done = norm.batch_norm(x, gain, shift)
    check([found], [y])
    check(norm.batch_norm_backward(dy, gain, done), wanted)


@given(maps(), some.sampled_from([0.1, 0.7, None]))
@settings(max_examples=30)
def test_running_statistics_and_inference_are_pytorchs(case, momentum):
    x, gain, shift, _ = case
    kind = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}[x.ndim]
    layer = kind(len(gain), momentum=momentum, dtype=torch.float64)
    layer.load_state_dict({"weight": torch.tensor(gain), "bias": torch.tensor(shift)}, strict=False)
    running = norm.RunningStatistics(mean_C=np.zeros(len(gain)), var_C=np.ones(len(gain)))
    for batch in (x, 2 * x + 1, x - 5):
        layer(torch.tensor(batch))
        running = running.after(batch, momentum=momentum)
    check([running.mean_C, running.var_C], [layer.running_mean.numpy(), layer.running_var.numpy()])
    assert running.num_batches == layer.num_batches_tracked == 3
    got = norm.batch_norm_inference(x, gain, shift, running)
    check([got], [layer.eval()(torch.tensor(x)).detach().numpy()])
    alone = norm.batch_norm_inference(x[:1], gain, shift, running)
    np.testing.assert_array_equal(alone, got[:1])


@given(maps())
@settings(max_examples=40)
def test_group_norm_is_pytorchs(case):
    x, gain, shift, groups = case
    if x[0].size == groups:
        return  # a single value: PyTorch refuses
    y, dy, wanted = torch_gradients(lambda x, g, s: functional.group_norm(x, groups, g, s), (x, gain, shift))
    found, done = norm.group_norm(x, gain, shift, groups=groups)
    check([found], [y])
    check(norm.group_norm_backward(dy, gain, done), wanted)


@given(some.lists(some.integers(1, 4), max_size=2), some.lists(some.integers(2, 4), min_size=1, max_size=2))
@settings(max_examples=30)
def test_layer_norm_is_pytorchs(leading, shape):
    arrays = [RNG.standard_normal((*leading, *shape)), RNG.standard_normal(shape), RNG.standard_normal(shape)]
    y, dy, wanted = torch_gradients(lambda x, g, s: functional.layer_norm(x, shape, g, s), arrays)
    found, done = norm.layer_norm(*arrays)
    check([found], [y])
    check(norm.layer_norm_backward(dy, arrays[1], done), wanted)


def test_instance_norm_is_pytorchs_and_a_group_norm_of_as_many_groups_as_channels():
    x, gain, shift = RNG.standard_normal((2, 4, 3, 5)), RNG.standard_normal(4), RNG.standard_normal(4)
    y, dy, wanted = torch_gradients(lambda x, g, s: functional.instance_norm(x, None, None, g, s), (x, gain, shift))
    found, done = norm.instance_norm(x, gain, shift)
    check([found], [y])
    check(norm.group_norm_backward(dy, gain, done), wanted)


def test_group_norm_of_one_group_is_layer_norm_over_channels_and_places():
    x = RNG.standard_normal((2, 4, 3, 5))
    grouped, _ = norm.group_norm(x, np.ones(4), np.zeros(4), groups=1)
    layered, _ = norm.layer_norm(x, np.ones((4, 3, 5)), np.zeros((4, 3, 5)))
    np.testing.assert_allclose(grouped, layered, rtol=0, atol=1e-12)


DATA = np.array([[1.0], [2], [3], [4]])


def test_1_2_3_4_is_normalized_by_the_biased_variance_and_remembered_by_the_unbiased():
    y, _ = norm.batch_norm(DATA, np.ones(1), np.zeros(1), eps=0)
    assert y[:, 0] == pytest.approx([-1.341641, -0.447214, 0.447214, 1.341641], abs=1e-6)
    after = norm.RunningStatistics(mean_C=np.zeros(1), var_C=np.ones(1)).after(DATA)
    assert (after.mean_C[0], after.var_C[0]) == (pytest.approx(0.25), pytest.approx(1.0666667))


def test_gain_and_shift_can_give_back_what_came_in():
    y, _ = norm.batch_norm(DATA, np.sqrt(DATA.var(0) + 1e-5), DATA.mean(0))
    np.testing.assert_allclose(y, DATA, rtol=1e-12)


def test_the_gradient_has_no_part_along_the_mean_and_none_along_the_values():
    done = norm.standardize(RNG.standard_normal((7, 3)), (0,), eps=0)
    dx = norm.standardize_backward(RNG.standard_normal((7, 3)), done)
    np.testing.assert_allclose(dx.sum(0), 0, atol=1e-12)
    np.testing.assert_allclose((dx * done.unit).sum(0), 0, atol=1e-12)


def test_shards_join_to_the_statistics_of_all_and_their_mean_variance_does_not():
    mean, var = norm.joined_statistics(np.array([2, 2]), np.array([[1.0], [11]]), np.array([[1.0], [1]]))
    assert (mean[0], var[0]) == (6, 26)
    values = RNG.standard_normal((10, 3))
    parts = np.split(values, [3, 4])
    joined = norm.joined_statistics(
        np.array([len(part) for part in parts]),
        np.array([part.mean(0) for part in parts]),
        np.array([part.var(0) for part in parts]),
    )
    check(joined, [values.mean(0), values.var(0)])


@pytest.mark.parametrize("groups", [1, 2])
def test_a_folded_convolution_is_convolution_and_batch_norm(groups):
    x, weight, bias = RNG.standard_normal((2, 4, 5, 5)), RNG.standard_normal((6, 4 // groups, 3, 3)), RNG.random(6)
    scale = RNG.standard_normal(6), RNG.standard_normal(6)
    running = norm.RunningStatistics(mean_C=RNG.standard_normal(6), var_C=RNG.random(6))
    window = Window.square(3, padding=1)
    apart = norm.batch_norm_inference(conv2d(x, weight, bias, window=window, groups=groups), *scale, running)
    together = conv2d(x, *norm.folded(weight, bias, scale, running), window=window, groups=groups)
    np.testing.assert_allclose(together, apart, atol=1e-12)
    rows = RNG.standard_normal((3, 9))
    flat = weight.reshape(6, -1)[:, :9]
    apart = norm.batch_norm_inference(linear(rows, flat, bias), *scale, running)
    np.testing.assert_allclose(linear(rows, *norm.folded(flat, bias, scale, running)), apart, atol=1e-12)


def test_the_products_folding_is_the_references():
    layers = nn.Conv2d(4, 6, 3, padding=1, groups=2), nn.BatchNorm2d(6)
    conv, norm_layer = (layer.double() for layer in layers)
    norm_layer.weight.data.uniform_(0.5, 2)
    norm_layer.bias.data.normal_()
    norm_layer.running_mean.normal_()
    norm_layer.running_var.uniform_(0.5, 2)
    net, folding = fold_batch_norms(capture(nn.Sequential(conv, norm_layer).eval().float(), (4, 5, 5)))
    running = norm.RunningStatistics(
        mean_C=norm_layer.running_mean.double().numpy(), var_C=norm_layer.running_var.double().numpy()
    )
    arrays = {name: value.detach().double().numpy() for name, value in nn.Sequential(*layers).state_dict().items()}
    wanted = norm.folded(arrays["0.weight"], arrays["0.bias"], (arrays["1.weight"], arrays["1.bias"]), running)
    assert len(folding.folded) == 1
    found = [value.detach().numpy() for value in net.parameters()]
    for ours, theirs in zip(wanted, found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)  # the product's are float32


def test_dropout_keeps_the_mean_and_has_the_variance_of_its_formula():
    x, drop, count = 3.0, 0.4, 200_000
    y, mask = dropout(np.full(count, x), drop, np.random.default_rng(1))
    np.testing.assert_array_equal(y, x * mask)
    var = x**2 * drop / (1 - drop)
    assert y.mean() == pytest.approx(x, abs=4 * np.sqrt(var / count))
    assert y.var() == pytest.approx(var, rel=0.02)
    plain = standard_dropout(np.full(count, x), drop, np.random.default_rng(1))
    np.testing.assert_allclose(plain, y * (1 - drop), atol=1e-12)


def test_dropout_and_relu_change_places_exactly_and_dropout_and_sigmoid_do_not():
    x = RNG.standard_normal(50)
    _, mask = dropout(x, 0.5, np.random.default_rng(2))
    np.testing.assert_array_equal(np.maximum(x * mask, 0), np.maximum(x, 0) * mask)
    sigmoid = lambda z: 1 / (1 + np.exp(-z))  # noqa: E731
    assert np.abs(sigmoid(x * mask) - sigmoid(x) * mask).max() > 0.1
