"""Capture: the graph computes what the model computes, for any batch size, whatever the model's code looks like."""

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from edgewright.errors import ModelError, UnsupportedError
from edgewright.model import capture, input_shape, is_captured, layer_of, rewrite, tensor_specs, watch

SHAPE = (3, 8, 8)


class Net(nn.Module):
    """A convolution `conv` (3 to 4 channels), a linear layer `fc` (4 to 2), and what a test adds."""

    def __init__(self, run: Callable[[nn.Module, torch.Tensor], object], **modules: nn.Module) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.fc = nn.Linear(4, 2)
        for name, module in modules.items():
            setattr(self, name, module)
        self.run = run

    def forward(self, x: torch.Tensor) -> object:
        return self.run(self, x)


def targets(net) -> list[str]:
    return [str(node.target) for node in net.graph.nodes if node.op not in ("placeholder", "output")]


def captured(run, **modules):
    """The captured model, after comparing it with the original on batches of 1 and 3."""
    model = Net(run, **modules).eval()
    net = capture(model, SHAPE, name="Net")
    for batch in (1, 3):
        images = torch.rand(batch, *SHAPE)
        with torch.no_grad():
            torch.testing.assert_close(net(images.clone()), model(images.clone()), rtol=1e-5, atol=1e-5)
    return net


def pieces(model, x):
    """Everything that is lifted to layers, and what is not."""
    return model.fc(F.relu(model.bn(model.conv(x))).mean((2, 3)))


def test_layers_keep_their_names_and_the_rest_becomes_aten_functions():
    net = captured(pieces, bn=nn.BatchNorm2d(4))
    assert targets(net) == ["conv", "bn", "aten.relu.default", "aten.mean.dim", "fc"]
    by_name = {node.name: layer_of(net, node) for node in net.graph.nodes}
    assert isinstance(by_name["bn"], nn.BatchNorm2d) and by_name["relu"] is None
    assert input_shape(net) == SHAPE and is_captured(net) and not is_captured(net.conv)


def test_the_model_stays_untouched():
    model = Net(pieces, bn=nn.BatchNorm2d(4)).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    net = capture(model, SHAPE)
    net.conv.weight.data.zero_()
    assert model.training and model.bn.training and not net.training
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_a_captured_model_is_captured_as_a_copy():
    net = captured(pieces, bn=nn.BatchNorm2d(4))
    again = capture(net, SHAPE)
    again.conv.weight.data.zero_()
    assert net.conv.weight.abs().sum() > 0


def test_every_lifted_layer_computes_the_same():
    def run(model, x):
        x = model.up(model.depthwise(model.dilated(x)))
        return model.ln(model.gn(model.plain_bn(x)))

    net = captured(
        run,
        dilated=nn.Conv2d(3, 4, 3, padding="same", dilation=2, bias=False),
        depthwise=nn.Conv2d(4, 4, (3, 1), stride=(1, 2), padding=(1, 0), groups=4),
        up=nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2, output_padding=1),
        plain_bn=nn.BatchNorm2d(6, affine=False, eps=1e-3),
        gn=nn.GroupNorm(3, 6),
        ln=nn.LayerNorm(10, bias=False),
    )
    assert targets(net) == ["dilated", "depthwise", "up", "plain_bn", "gn", "ln"]
    assert net.plain_bn.eps == 1e-3 and net.ln.bias is None and net.up.groups == 2


@pytest.mark.parametrize(
    "run",
    [
        lambda m, x: m.conv(x).relu_(),
        lambda m, x: F.relu(m.conv(x), inplace=True).add_(1).mul_(2),
        lambda m, x: (x.mul_(2), m.conv(x))[1],
    ],
    ids=["relu_", "chain", "of the input"],
)
def test_in_place_functions_become_pure(run):
    net = captured(run)
    assert not any(name.split(".")[1].endswith("_") for name in targets(net) if name.startswith("aten"))
    images = torch.rand(2, *SHAPE)
    before = images.clone()
    net(images)
    assert torch.equal(images, before)


def test_a_tensor_read_before_and_after_an_in_place_change_has_both_values():
    def run(model, x):
        y = model.conv(x)
        before = y * 2
        y += 1
        return before + y.mul_(3)

    captured(run)


def test_changes_through_views_are_followed():
    def set_channel(model, x):
        y = model.dropout(model.bn(model.conv(x)))
        y[:, 0] = 0
        y[:, 1:].relu_()
        return y

    net = captured(set_channel, bn=nn.BatchNorm2d(4), dropout=nn.Dropout(0.5))
    assert isinstance(net.bn, nn.BatchNorm2d)

    def copy_channel(model, x):
        y = model.conv(x)
        y[:, 1] = x.mean(1) * y[:, 2, :1]
        return y

    captured(copy_channel)(torch.rand(2, *SHAPE)).sum().backward()

    def read_alias(model, x):
        y = model.conv(x)
        flat = y.view(y.shape[0], -1)
        y.add_(1)
        return flat * 1

    captured(read_alias)


def test_a_layer_called_twice_stays_one_layer():
    net = captured(lambda m, x: m.same(m.same(x)), same=nn.Conv2d(3, 3, 3, padding=1))
    assert targets(net) == ["same", "same"]
    assert sum(value.numel() for value in net.parameters()) == 3 * 3 * 9 + 3


def test_one_weight_in_two_settings_gives_two_layers():
    net = captured(lambda m, x: (m.conv(x), F.conv2d(x, m.conv.weight, stride=2)))
    assert targets(net) == ["conv", "conv_2"]


def test_dropout_works_in_train_mode_only():
    net = captured(
        lambda m, x: m.drop(m.drop(F.dropout(m.conv(x), 0.25, m.training))), drop=nn.Dropout(0.5, inplace=True)
    )
    assert sorted(layer.p for layer in net.modules() if isinstance(layer, nn.Dropout)) == [0.25, 0.5, 0.5]
    ones = torch.ones(4, *SHAPE)
    assert torch.equal(net(ones), net(ones))
    net.train()
    assert (net(ones) == 0).float().mean() == pytest.approx(1 - 0.75 * 0.25, abs=0.05)


def test_batch_norm_learns_its_statistics_in_train_mode():
    net = captured(lambda m, x: m.bn(m.conv(x)), bn=nn.BatchNorm2d(4, momentum=0.5))
    net.train()(torch.rand(8, *SHAPE) + 5)
    assert not torch.equal(net.bn.running_mean, torch.zeros(4))


def test_masks_and_indices_are_stored_and_not_computed_again():
    def run(model, x):
        mask = torch.zeros(8, 8)
        for top in (0, 4):
            mask[top : top + 2] = top + 1
        scale = torch.tensor([1.0, 2.0, 3.0]).view(1, 3, 1, 1)
        return x * mask.t() * scale + torch.arange(8)

    net = captured(run)
    assert [name for name in targets(net) if "aten" in name] == ["aten.mul.Tensor"] * 2 + ["aten.add.Tensor"]
    assert sum(buffer.numel() for buffer in net.buffers()) == 64 + 3 + 8
    assert not list(net.parameters())


@pytest.mark.parametrize(
    "run",
    [
        lambda m, x: F.conv2d(x, (m.conv.weight - m.conv.weight.mean()) * 2, m.conv.bias, padding=1),
        lambda m, x: F.conv2d(x, m.conv.weight, torch.cat([m.conv.bias[:2], torch.zeros(2)])),
    ],
    ids=["weight standardization", "bias of parts"],
)
def test_weights_derived_from_parameters_become_a_layer(run):
    net = captured(run)
    assert [type(layer_of(net, node)) for node in net.graph.nodes if node.op == "call_module"] == [nn.Conv2d]
    assert targets(net) == ["conv"]
    assert sum(value.numel() for value in net.parameters()) == 4 * 3 * 9 + 4


def test_a_fixed_filter_becomes_a_layer_that_is_not_trained():
    class Blur(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("kernel", torch.ones(1, 1, 3, 3) / 9)

        def forward(self, x):
            return F.conv2d(F.conv2d(x, self.kernel.repeat(3, 1, 1, 1), groups=3)[:, :1], self.kernel)

    net = captured(lambda m, x: m.conv(m.blur(x).expand(-1, 3, -1, -1)), blur=Blur())
    layers = [layer_of(net, node) for node in net.graph.nodes if node.op == "call_module"]
    assert [type(layer) for layer in layers] == [nn.Conv2d] * 3
    assert [layer.weight.requires_grad for layer in layers] == [False, False, True]


def test_parametrized_weights_become_a_layer():
    net = captured(lambda m, x: m.normed(x), normed=nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3)))
    assert targets(net) == ["normed"] and net.normed.weight.shape == (4, 3, 3, 3)


def test_blocks_without_gradients_or_autocast_are_flattened():
    def run(model, x):
        with torch.no_grad():
            y = model.conv(x)
            z = y * 2
        with torch.autocast("cpu", enabled=False):
            return model.bn(y) + z

    assert targets(captured(run, bn=nn.BatchNorm2d(4))) == ["conv", "aten.mul.Tensor", "bn", "aten.add.Tensor"]


def test_any_batch_size_passes_through_reshapes():
    net = captured(lambda m, x: m.fc(m.conv(x).permute(0, 2, 3, 1).reshape(-1, 4)).view(x.shape[0], -1))
    assert net(torch.rand(7, *SHAPE)).shape == (7, 128)
    assert tensor_specs(net, batch=5)["view"].shape == (5, 128)


@pytest.mark.parametrize(
    ("run", "kind"),
    [
        (lambda m, x: {"out": m.conv(x)}, torch.Tensor),
        (lambda m, x: (m.conv(x),), torch.Tensor),
        (lambda m, x: (m.conv(x), None), torch.Tensor),
        (lambda m, x: (m.conv(x), [x + 1, x * 2]), tuple),
        (lambda m, x: {"out": m.conv(x), "aux": x + 1}, tuple),
    ],
    ids=["dict of one", "tuple of one", "none", "nested", "dict"],
)
def test_one_tensor_comes_alone_and_several_as_a_flat_tuple(run, kind):
    net = capture(Net(run), SHAPE)
    outputs = net(torch.rand(1, *SHAPE))
    assert isinstance(outputs, kind)
    assert kind is torch.Tensor or all(isinstance(each, torch.Tensor) for each in outputs)


def test_half_and_double_models_are_taken_as_float32():
    for model in (Net(pieces, bn=nn.BatchNorm2d(4)).half(), Net(pieces, bn=nn.BatchNorm2d(4)).double()):
        assert {value.dtype for value in capture(model, SHAPE).parameters()} == {torch.float32}


def test_specs_and_watch_see_the_same_tensors():
    net = captured(pieces, bn=nn.BatchNorm2d(4))
    seen = {}
    watch(net, torch.rand(2, *SHAPE), lambda node, value: seen.update({node.name: tuple(value.shape)}))
    assert seen == {name: spec.shape for name, spec in tensor_specs(net, batch=2).items()}
    assert {spec.dtype for spec in tensor_specs(net).values()} == {"float32"}


def test_rewrite_changes_a_copy():
    net = captured(pieces, bn=nn.BatchNorm2d(4))

    def drop_relu(copy):
        relu = next(node for node in copy.graph.nodes if node.name == "relu")
        relu.replace_all_uses_with(relu.args[0])

    without = rewrite(net, drop_relu)
    assert "aten.relu.default" in targets(net) and "aten.relu.default" not in targets(without)
    assert without(torch.rand(1, *SHAPE)).shape == (1, 2)


def refuse(error, words, run, shape=SHAPE, **modules):
    with pytest.raises(error, match=words) as caught:
        capture(Net(run, **modules), shape, name="My net")
    assert "\n" not in str(caught.value)


def test_what_cannot_be_captured_is_one_clear_sentence(capfd):
    refuse(UnsupportedError, "My net cannot be captured.*control flow", lambda m, x: m.conv(x) if x.sum() > 0 else x)
    refuse(UnsupportedError, "work for any number of images", lambda m, x: m.conv(x).view(2, -1))
    refuse(UnsupportedError, "My net gives other.*random numbers", lambda m, x: m.conv(x) + torch.rand(1, 4, 8, 8))
    assert capfd.readouterr().err == ""  # torch.export would print its half-made graph


def test_what_cannot_run_is_one_clear_sentence():
    refuse(
        ModelError, r"does not run on an input of shape \(2, 1, 8, 8\).*3 channels", lambda m, x: m.conv(x), (1, 8, 8)
    )
    refuse(ModelError, "does not run.*AttributeError: 'Net' object has no attribute 'head'", lambda m, x: m.head(x))
    refuse(ModelError, "does not run.*Kernel size", lambda m, x: m.wide(x), wide=nn.Conv2d(3, 1, 9))
    refuse(ModelError, "returns int, expected a tensor", lambda m, x: 3)


def test_old_weight_norm_is_named_with_its_remedy():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates it
        old = nn.utils.weight_norm(nn.Conv2d(3, 4, 3))
    refuse(ModelError, "My net cannot be copied.*remove_weight_norm", lambda m, x: m.old(x), old=old)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_named(value):
    model = Net(pieces, bn=nn.BatchNorm2d(4))
    model.bn.running_var[1] = value
    with pytest.raises(ModelError, match=r"Weight 'bn.running_var' of Net holds NaN or infinity"):
        capture(model, SHAPE, name="Net")


def test_capturing_draws_nothing_from_the_global_generator():
    model = Net(lambda net, x: net.fc(net.conv(x).mean((2, 3))))
    before = torch.get_rng_state()
    capture(model, SHAPE)
    assert torch.equal(torch.get_rng_state(), before)


def test_layers_of_one_module_stand_beside_each_other_and_not_inside():
    """What takes the place of `attention` must not take `attention.out_proj` along."""

    class Attends(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x):
            tokens = x.flatten(2).transpose(1, 2)
            return self.attention(tokens, tokens, tokens, need_weights=False)[0]

    net = capture(Attends().eval(), (8, 3, 3))
    paths = [str(node.target) for node in net.graph.nodes if node.op == "call_module"]
    assert paths == ["attention.in_proj", "attention.out_proj"]
