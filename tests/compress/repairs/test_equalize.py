"""Cross-layer equalization, and the two steps around it."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from edgewright.compress.quantize.repairs import absorb_high_biases, equalize, loosen_clamps
from edgewright.errors import ConfigError, DataError
from edgewright.model.quantized import symmetric_spec


def layer(net, name):
    node = next(node for node in net.graph.nodes if node.name == name)
    return net.get_submodule(node.target)


def drawn(net, seed, spread=1.0):
    """The net with random weights whose channels have scales from 1/spread to spread."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in net.parameters():
        scale = spread ** (2 * torch.rand(len(parameter), generator=generator) - 1)
        values = torch.randn(parameter.shape, generator=generator) * scale.reshape(-1, *[1] * (parameter.dim() - 1))
        parameter.data.copy_(0.3 * values)
    return net


def test_two_channels_by_hand(captured):
    net = captured(nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(), nn.Conv2d(2, 1, 1)), (1, 2, 2))
    first, second = (module for module in net.modules() if isinstance(module, nn.Conv2d))
    first.weight.data = torch.tensor([8.0, -2.0]).reshape(2, 1, 1, 1)
    first.bias.data = torch.tensor([4.0, 1.0])
    second.weight.data = torch.tensor([2.0, 8.0]).reshape(1, 2, 1, 1)
    equal, report = equalize(net)
    first, second = (module for module in equal.modules() if isinstance(module, nn.Conv2d))
    assert first.weight.flatten().tolist() == [4.0, -4.0]  # s = sqrt(8/2) = 2 and sqrt(2/8) = 1/2
    assert first.bias.tolist() == [2.0, 2.0]
    assert second.weight.flatten().tolist() == [4.0, 4.0]
    assert [each.tolist() for each in report.factors.values()] == [[0.5, 2.0]]


@pytest.mark.parametrize("kind", ["chain", "depthwise", "grouped", "flat", "residual"])
@pytest.mark.slow
@settings(max_examples=10)
@given(seed=st.integers(0, 2**16), spread=st.sampled_from([1.0, 10.0, 100.0]))
def test_the_function_stays_the_same(captured, images, kind, seed, spread):
    net = drawn(captured(kind), seed, spread)
    equal, report = equalize(net)
    with torch.no_grad():
        want, got = net(images[:4]), equal(images[:4])
    assert report.pairs
    assert (want - got).abs().max() <= 1e-5 * want.abs().max()


@pytest.mark.parametrize(
    ("kind", "pairs"),
    [
        ("chain", [("a", "b"), ("b", "fc")]),
        ("depthwise", [("a", "dw"), ("dw", "p")]),
        ("grouped", [("a", "b"), ("b", "t")]),
        ("flat", [("a", "f1"), ("f1", "f2")]),
        ("residual", [("b", "c")]),
    ],
)
def test_links_are_found_on_the_graph(captured, kind, pairs):
    assert list(equalize(captured(kind))[1].pairs) == pairs


def test_both_sides_of_every_link_of_a_depthwise_row_end_equal(captured):
    equal, report = equalize(drawn(captured("depthwise"), 3, 100.0), iterations=500, tolerance=1e-5)
    a, dw, p = (layer(equal, name).weight.detach().abs() for name in ("a", "dw", "p"))
    assert report.change <= 1 + 1e-5
    torch.testing.assert_close(a.amax((1, 2, 3)), dw.amax((1, 2, 3)), rtol=1e-4, atol=0)
    torch.testing.assert_close(dw.amax((1, 2, 3)), p.amax((0, 2, 3)), rtol=1e-4, atol=0)


def rounded_per_tensor(net):
    rounded = copy.deepcopy(net)
    for module in rounded.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            scale = symmetric_spec(module.weight.abs().max().item()).scale[0]
            module.weight = nn.Parameter((module.weight.detach() / scale).round() * scale)
    return rounded


def test_equalization_shrinks_the_error_of_one_scale_per_tensor_when_channels_differ_100_times(captured, images):
    net = drawn(captured("chain"), 0)
    for name, spread in (("a", torch.logspace(-1, 1, 6)), ("b", torch.logspace(1, -1, 6))):  # the function is tame
        weight = layer(net, name).weight.data
        weight.mul_(spread.reshape((-1, 1, 1, 1) if name == "a" else (1, -1, 1, 1)))
    equal, _ = equalize(net)
    with torch.no_grad():
        want = net(images)
        errors = [(rounded_per_tensor(each)(images) - want).pow(2).mean().item() for each in (net, equal)]
    assert errors[1] < 0.1 * errors[0]


def bounded(m, x):
    return m.b(F.relu6(m.a(x)))


REASONS = {
    "relu6": (bounded, "relu6 is not homogeneous: its bound 6 would become another one in each channel"),
    "hardswish": (lambda m, x: m.b(F.hardswish(m.a(x))), "hardswish is not homogeneous"),
    "shift": (lambda m, x: m.b(m.a(x) + 1), "add is not homogeneous"),
    "sum": (lambda m, x: m.b(m.a(x) + x), "a meets another tensor in add"),
    "branch": (lambda m, x: m.b(m.a(x)) + m.b(x), "used 2 times"),
    "output": (lambda m, x: (m.b(x), m.a(x))[1], "a is an output of the net"),
    "positions": (lambda m, x: m.f(m.a(x)), "reads the channels of a as positions"),
}


@pytest.mark.parametrize("name", REASONS)
def test_what_cannot_take_scales_says_why(captured, name):
    from_page = type("Net", (nn.Module,), {"forward": lambda self, x: REASONS[name][0](self, x)})
    net = from_page()
    net.a, net.b, net.f = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1), nn.Linear(8, 2)
    report = equalize(captured(net))[1]
    assert REASONS[name][1] in report.refused["a"]
    assert "a" not in report.factors


def test_a_dead_channel_is_left_alone(captured, images):
    net = captured("chain")
    layer(net, "a").weight.data[2] = 0
    equal, report = equalize(net)
    assert report.factors["a"][2] == 1
    torch.testing.assert_close(equal(images), net(images), rtol=1e-5, atol=1e-5)


def test_settings_out_of_range_are_refused(captured):
    with pytest.raises(ConfigError, match="at least 1 iteration and a tolerance above 0, got 0"):
        equalize(captured("chain"), iterations=0)


# -- around it --------------------------------------------------------------------------------------------------------
def test_a_bound_that_no_value_reaches_is_taken_away_and_one_that_some_reach_stays(captured, images):
    net = captured(relu6_net())
    loose, report = loosen_clamps(net, 0.1 * images)
    assert report.loosened == {"relu6": 0.0} and torch.equal(loose(0.1 * images), net(0.1 * images))
    assert equalize(loose)[1].pairs == (("a", "b"),)
    tight = loosen_clamps(net, 100 * images)[1]
    assert "of its values lie above its bound 6" in tight.refused["relu6"]


def relu6_net():
    torch.manual_seed(0)
    net = type("Net", (nn.Module,), {"forward": bounded})()
    net.a, net.b = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
    return net


def test_a_high_bias_moves_behind_the_relu_and_changes_next_to_nothing(captured, images):
    torch.manual_seed(0)
    net = captured(nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 2, 1)))
    first = next(module for module in net.modules() if isinstance(module, nn.Conv2d))
    first.bias.data = torch.tensor([20.0, 0.0, 0.0, 10.0])
    absorbed, report = absorb_high_biases(net, images)
    after = next(module for module in absorbed.modules() if isinstance(module, nn.Conv2d))
    assert after.bias[0] < 4 and after.bias[3] < 4 and torch.equal(after.bias[1:3], first.bias[1:3])
    assert next(iter(report.absorbed.values())) > 15
    with torch.no_grad():
        want, got = net(images), absorbed(images)
    assert (want - got).abs().mean() < 1e-3 * want.abs().mean()


def test_a_padded_layer_takes_no_high_bias(captured, images):
    report = absorb_high_biases(captured("chain"), images)[1]
    assert "b pads with zeros" in report.refused["a"]


def test_images_of_another_shape_are_refused(captured, images):
    with pytest.raises(DataError, match=r"calibration images of shape \(3, 8, 8\), got \(64, 3, 4, 8\)"):
        loosen_clamps(captured("chain"), images[:, :, :4])
    with pytest.raises(DataError, match="pass at least one image"):
        absorb_high_biases(captured("chain"), images[:0])
