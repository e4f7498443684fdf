"""Folding batch normalization: exact where it is done, refused with a reason where it would not be."""

import pytest
import torch
from torch import nn

from edgewright.model import capture
from edgewright.model.fold import fold_batch_norms


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


PAIRS = {
    "convolution": nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)),
    "without bias": nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8)),
    "not affine": nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8, affine=False)),
    "depthwise": nn.Sequential(nn.Conv2d(3, 3, 3, groups=3), nn.BatchNorm2d(3)),
    "grouped": nn.Sequential(nn.Conv2d(3, 6, 3, groups=3), nn.BatchNorm2d(6)),
    "transposed": nn.Sequential(nn.ConvTranspose2d(3, 8, 3, stride=2), nn.BatchNorm2d(8)),
    "transposed in groups": nn.Sequential(nn.ConvTranspose2d(3, 6, 3, groups=3), nn.BatchNorm2d(6)),
    "linear": nn.Sequential(nn.Flatten(), nn.Linear(48, 8), nn.BatchNorm1d(8)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_folding_keeps_the_function_to_1e_5(name):
    net = capture(with_statistics(PAIRS[name]), (3, 4, 4))
    folded, report = fold_batch_norms(net)
    x = torch.randn(5, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        want, got = net(x), folded(x)
    assert (want - got).abs().max() <= 1e-5 * want.abs().max()
    assert len(report.folded) == 1 and not report.refused
    assert not any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in folded.modules())


class TwoReaders(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

    def forward(self, x):
        y = self.conv(x)
        return self.norm(y) + y


class SharedLayer(TwoReaders):
    def forward(self, x):
        return self.norm(self.conv(torch.relu(self.conv(x))))


class AlongTokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.norm = nn.Linear(4, 4), nn.BatchNorm1d(12)

    def forward(self, x):
        return self.norm(self.linear(x.flatten(1, 2)))


@pytest.mark.parametrize(
    ("net", "reason"),
    [
        (nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 1)), "not from a convolution"),
        (nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU(), nn.BatchNorm2d(3)), "aten.relu.default, not from a convolution"),
        (TwoReaders(), "also read by add"),
        (SharedLayer(), "is used 2 times"),
        (AlongTokens(), "last axis"),
    ],
)
def test_what_cannot_be_folded_exactly_stays_and_says_why(net, reason):
    captured = capture(with_statistics(net), (3, 4, 4))
    folded, report = fold_batch_norms(captured)
    assert not report.folded
    assert reason in next(iter(report.refused.values()))
    x = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    assert torch.equal(folded(x), captured(x))


def test_folding_leaves_its_input_untouched():
    net = capture(with_statistics(PAIRS["convolution"]), (3, 4, 4))
    before = {key: value.clone() for key, value in net.state_dict().items()}
    fold_batch_norms(net)
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
