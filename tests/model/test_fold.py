"""Folding batch normalization: exact where it is done, refused with a reason where it would not be."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from edgewright.model import capture
from edgewright.model.fold import fold_batch_norms
from joined_nets import Net


def with_statistics(net: nn.Module) -> nn.Module:
    """Random statistics, as after training: fresh ones are the identity and would hide every mistake."""
    generator = torch.Generator().manual_seed(0)
    for layer in net.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.running_mean = torch.randn(layer.num_features, generator=generator)
            layer.running_var = 0.1 + torch.rand(layer.num_features, generator=generator)
            if layer.affine:
                layer.weight.data = torch.randn(layer.num_features, generator=generator)
                layer.bias.data = torch.randn(layer.num_features, generator=generator)
    return net.eval()


def tokens_then_norm(m, x):
    """As LeViT writes it: features of all tokens are normalized as rows."""
    y = m.linear(x.flatten(2).transpose(1, 2))
    return m.norm(y.flatten(0, 1)).reshape_as(y)


def shared_head(m, x):
    return m.norm(m.conv(x)), m.norm(m.conv(F.max_pool2d(x, 2)))


PAIRS = {
    "convolution": nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)),
    "without bias": nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8)),
    "not affine": nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8, affine=False)),
    "depthwise": nn.Sequential(nn.Conv2d(3, 3, 3, groups=3), nn.BatchNorm2d(3)),
    "grouped": nn.Sequential(nn.Conv2d(3, 6, 3, groups=3), nn.BatchNorm2d(6)),
    "transposed": nn.Sequential(nn.ConvTranspose2d(3, 8, 3, stride=2), nn.BatchNorm2d(8)),
    "transposed in groups": nn.Sequential(nn.ConvTranspose2d(3, 6, 3, groups=3), nn.BatchNorm2d(6)),
    "linear": nn.Sequential(nn.Flatten(), nn.Linear(48, 8), nn.BatchNorm1d(8)),
    "1-D": nn.Sequential(nn.Flatten(2), nn.Conv1d(3, 8, 3, padding=1), nn.BatchNorm1d(8)),
    "3-D": nn.Sequential(nn.Unflatten(1, (1, 3)), nn.Conv3d(1, 4, 3, padding=1), nn.BatchNorm3d(4)),
    "behind a flattened map": nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(2), nn.BatchNorm1d(8)),
    "tokens as rows": Net(tokens_then_norm, linear=nn.Linear(3, 8), norm=nn.BatchNorm1d(8)),
    "tokens transposed": Net(
        lambda m, x: m.norm(m.linear(x.flatten(2).transpose(1, 2)).transpose(1, 2)),
        linear=nn.Linear(3, 8), norm=nn.BatchNorm1d(8),
    ),
    "ahead": nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 8, 3)),
    "ahead without bias": nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 8, 1, bias=False)),
    "ahead in groups": nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 6, 3, groups=3)),
    "ahead linear": nn.Sequential(nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(48, 8)),
    "ahead past dropout": nn.Sequential(nn.Flatten(), nn.BatchNorm1d(48), nn.Dropout(0.5), nn.Linear(48, 8)),
    "ahead of two readers": Net(
        lambda m, x: m.a(m.norm(x)) + m.b(m.norm(x)),
        norm=nn.BatchNorm2d(3), a=nn.Conv2d(3, 4, 1), b=nn.Conv2d(3, 4, 1),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_folding_keeps_the_function_to_1e_5(name):
    net = capture(with_statistics(PAIRS[name]), (3, 4, 4))
    folded, report = fold_batch_norms(net)
    x = torch.randn(5, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        want, got = net(x), folded(x)
    assert (want - got).abs().max() <= 1e-5 * want.abs().max()
    assert report.folded and not report.refused
    assert not any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in folded.modules())


def test_a_head_that_levels_share_with_its_normalization_is_folded_once():
    net = capture(with_statistics(Net(shared_head, conv=nn.Conv2d(3, 4, 1), norm=nn.BatchNorm2d(4))), (3, 4, 4))
    folded, report = fold_batch_norms(net)
    x = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(folded(x), net(x))
    assert len(report.folded) == 2


def test_a_folded_weight_by_hand():
    net = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1, eps=0.0)).eval()
    net[0].weight.data.fill_(3.0), net[0].bias.data.fill_(1.0)
    net[1].running_mean.fill_(5.0), net[1].running_var.fill_(4.0)
    net[1].weight.data.fill_(6.0), net[1].bias.data.fill_(7.0)
    folded, _ = fold_batch_norms(capture(net, (1, 2, 2)))
    conv = next(layer for layer in folded.modules() if isinstance(layer, nn.Conv2d))
    assert (conv.weight.item(), conv.bias.item()) == (9.0, -5.0)  # 6/2 * 3 and 6/2 * (1 - 5) + 7


CONV, NORM = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)
REFUSED = [
    (nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3, padding=1)), "which reads it, pads with zeros"),
    (nn.Sequential(nn.BatchNorm2d(3), nn.ConvTranspose2d(3, 4, 3)), "is no layer that could take it over"),
    (nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 4, 1)), "relu, which reads it, is no layer"),
    (nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU(), nn.BatchNorm2d(3)), "aten.relu.default, not from a convolution"),
    (Net(lambda m, x: m.norm(m.conv(x)) + m.conv(x), conv=CONV, norm=NORM), "is used 2 times|also read by add"),
    (Net(lambda m, x: (lambda y: m.norm(y) + y)(m.conv(x)), conv=CONV, norm=NORM), "also read by add"),
    (Net(lambda m, x: m.norm(m.conv(torch.relu(m.conv(x)))), conv=CONV, norm=NORM), "is used 2 times"),
    (Net(lambda m, x: m.norm(m.f(x.flatten(1, 2))), f=nn.Linear(4, 4), norm=nn.BatchNorm1d(12)), "last axis"),
    (Net(lambda m, x: m.f(m.norm(x)), norm=nn.BatchNorm2d(3), f=nn.Linear(4, 2)), "reads its channels on another"),
]


@pytest.mark.parametrize(("net", "reason"), REFUSED)
def test_what_cannot_be_folded_exactly_stays_and_says_why(net, reason):
    captured = capture(with_statistics(net), (3, 4, 4))
    folded, report = fold_batch_norms(captured)
    assert not report.folded
    with pytest.raises(ValueError, match=reason):
        raise ValueError(next(iter(report.refused.values())))
    x = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    assert torch.equal(folded(x), captured(x))


def test_zeros_that_are_padded_stay_zeros_when_the_normalization_shifts_nothing():
    net = with_statistics(nn.Sequential(nn.BatchNorm2d(3, affine=False), nn.Conv2d(3, 4, 3, padding=1)))
    net[0].running_mean.zero_()
    captured = capture(net, (3, 4, 4))
    folded, report = fold_batch_norms(captured)
    x = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(folded(x), captured(x))
    assert report.folded


def test_a_normalization_in_front_of_a_relu_becomes_a_depthwise_convolution_when_asked():
    net = nn.Sequential(nn.MaxPool2d(2), nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 4, 1))
    captured = capture(with_statistics(net), (3, 4, 4))
    folded, report = fold_batch_norms(captured, absorb=True)
    x = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(folded(x), captured(x))
    assert len(report.absorbed) == 1 and not report.refused and not report.folded
    depthwise = next(layer for layer in folded.modules() if isinstance(layer, nn.Conv2d) and layer.groups == 3)
    assert depthwise.weight.shape == (3, 1, 1, 1)


@pytest.mark.slow
@settings(max_examples=20)
@given(seed=st.integers(0, 2**16), kernel=st.sampled_from([1, 2]), groups=st.sampled_from([1, 2]), back=st.booleans())
def test_any_pair_keeps_its_function(seed, kernel, groups, back):
    torch.manual_seed(seed)
    conv = nn.Conv2d(4, 4, kernel, groups=groups, stride=1 + seed % 2)
    captured = capture(with_statistics(nn.Sequential(*([conv, nn.BatchNorm2d(4)][:: 1 if back else -1]))), (4, 4, 4))
    folded, report = fold_batch_norms(captured)
    x = torch.randn(2, 4, 4, 4)
    with torch.no_grad():
        want = captured(x)
        assert (folded(x) - want).abs().max() <= 1e-5 * want.abs().max().clamp_min(1.0)
    assert len(report.folded) == 1


def test_folding_leaves_its_input_untouched():
    net = capture(with_statistics(PAIRS["convolution"]), (3, 4, 4))
    before = {key: value.clone() for key, value in net.state_dict().items()}
    fold_batch_norms(net)
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
