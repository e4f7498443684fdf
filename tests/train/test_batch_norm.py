import copy

import pytest
import torch
from torch import nn

from edgewright.errors import ConfigError
from edgewright.train import reestimate_batch_norm


def test_the_statistics_are_the_mean_over_batches(digits):
    net = nn.Sequential(nn.BatchNorm2d(1), nn.Dropout(0.5), nn.Flatten(), nn.Linear(64, 10))
    size = len(digits.split("train"))
    got = reestimate_batch_norm(net, digits, num_batches=1, batch_size=size, seed=0)[0]
    pixels = torch.cat([inputs for inputs, _ in digits.batches("train", batch_size=size)])
    assert got.running_mean.item() == pytest.approx(pixels.mean().item(), abs=1e-5)
    assert got.running_var.item() == pytest.approx(pixels.var().item(), rel=1e-4)


def test_every_batch_counts_the_same(digits):
    net = nn.Sequential(nn.BatchNorm2d(1), nn.Flatten())
    got = reestimate_batch_norm(net, digits, num_batches=3, batch_size=100, seed=0)[0]
    assert got.num_batches_tracked == 3
    assert abs(got.running_mean.item()) < 0.05  # the images are normalized; a moving mean would stay near its start


def test_the_input_model_stays_and_the_momentum_returns(net, digits):
    before = copy.deepcopy(net.state_dict())
    got = reestimate_batch_norm(net, digits, num_batches=2, seed=0)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    norm = next(layer for layer in got.modules() if isinstance(layer, nn.BatchNorm2d))
    assert norm.momentum == 0.1
    assert not any(layer.training for layer in got.modules())
    assert not torch.equal(norm.running_mean, torch.zeros(8))


def test_the_same_seed_gives_the_same_statistics(net, digits):
    first, again, other = (
        reestimate_batch_norm(net, digits, num_batches=2, seed=seed).state_dict() for seed in (0, 0, 1)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_augmented_batches_give_other_statistics(net, digits):
    plain, moved = (
        reestimate_batch_norm(net, digits, num_batches=2, seed=0, augment=name).state_dict()
        for name in ("none", "shift")
    )
    assert any(not torch.equal(plain[name], moved[name]) for name in plain)


def test_a_model_without_batch_norm_comes_back_as_it_was(digits):
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    got = reestimate_batch_norm(net, digits, num_batches=2, seed=0)
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in got.state_dict().items())


def test_no_batches_are_refused(net, digits):
    with pytest.raises(ConfigError, match="re-estimated from 1 batch or more, got 0"):
        reestimate_batch_norm(net, digits, num_batches=0, seed=0)
