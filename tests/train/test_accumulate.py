import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgewright.errors import ConfigError
from edgewright.losses import cross_entropy
from edgewright.tasks import Classify
from edgewright.train import Train, train_weights
from edgewright.train.accumulate import accumulate_gradients, num_parts, parts_of

TASK = Classify(num_classes=10)


def smooth_net() -> nn.Module:
    """Without batch norm and dropout, in float64."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4), nn.Tanh(), nn.Flatten(), nn.Linear(144, 10)
        ).double()  # fmt: skip


def gradients(net: nn.Module) -> torch.Tensor:
    return torch.cat([parameter.grad.flatten() for parameter in net.parameters()])  # type: ignore[union-attr]


def test_unequal_parts_count_by_their_images():
    weight = torch.ones((), requires_grad=True)
    parts = [(torch.tensor(values), torch.tensor(values)) for values in ([1.0, 2.0, 3.0], [10.0])]
    value = accumulate_gradients(lambda inputs, _: (weight * inputs).mean(), parts)
    assert value.item() == 4.0  # the mean of means is 6
    assert weight.grad is not None and weight.grad.item() == 4.0


@settings(max_examples=15, deadline=None)
@given(num_images=st.integers(2, 21), count=st.integers(1, 10), seed=st.integers(0, 1000))
def test_any_number_of_parts_gives_the_gradient_of_the_whole_batch(num_images, count, seed):
    draw = torch.Generator().manual_seed(seed)
    inputs = torch.randn(num_images, 1, 8, 8, dtype=torch.float64, generator=draw)
    targets = torch.randint(10, (num_images,), generator=draw)
    net = smooth_net()
    whole = cross_entropy(net(inputs), targets)
    whole.backward()
    want = gradients(net)
    net.zero_grad()
    parts = list(parts_of(inputs, targets, num_parts(num_images, asked=count)))
    got = accumulate_gradients(lambda x, y: cross_entropy(net(x), y), parts)
    assert abs(got.item() - whole.item()) < 1e-12
    assert (gradients(net) - want).abs().max() < 1e-12  # sums of at most 21 terms of size 1, in float64


def test_a_share_of_a_batch_gives_its_share_of_the_gradient():
    weight = torch.ones((), requires_grad=True)
    shares = [[1.0, 2.0, 3.0], [10.0]]
    for share in shares:  # as two processes would
        values = torch.tensor(share)
        accumulate_gradients(lambda inputs, _: (weight * inputs).mean(), [(values, values)], num_images=4)
    assert weight.grad is not None and weight.grad.item() == 4.0


def test_parts_hold_two_images_or_more_in_order():
    assert [num_parts(n, asked=4) for n in (1, 2, 3, 4, 8, 9)] == [1, 1, 1, 2, 4, 4]
    sizes = [len(y) for _, y in parts_of(torch.zeros(10, 1), torch.arange(10), 4)]
    assert sizes == [3, 3, 2, 2]
    assert torch.equal(torch.cat([y for _, y in parts_of(torch.zeros(10, 1), torch.arange(10), 4)]), torch.arange(10))


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_training_in_parts_ends_with_the_weights_of_training_whole(optimizer, digits):
    net = smooth_net().float()
    how = {"epochs": 1, "batch_size": 64, "epoch_images": 500, "optimizer": optimizer, "lr": 0.01}
    whole, parts = (
        train_weights(net, task=TASK, data=digits, settings=Train(**how, accumulate=count), seed=0).net
        for count in (1, 4)
    )
    for ours, theirs in zip(parts.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)  # 8 steps of Adam, which divides by small roots


def test_more_parts_than_pairs_of_images_are_refused():
    with pytest.raises(ConfigError, match="parts of 2 images or more, got 17 parts of 32 images: use 16 at most"):
        Train(batch_size=32, accumulate=17)
    assert Train(batch_size=32, accumulate=16).accumulate == 16
