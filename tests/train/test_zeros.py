import pytest
import torch
from torch import nn

from edgewright.tasks import Classify
from edgewright.train import Train, train_weights
from edgewright.train.zeros import put_zeros, zeros_of

TASK = Classify(num_classes=10)


def train(net, data, settings, **others):
    return train_weights(net, task=TASK, data=data, settings=settings, seed=0, **others)


@pytest.fixture
def sparse(net):
    """The net of these tests with every second weight of its first convolution removed."""
    with torch.no_grad():
        next(value for value in net.parameters() if value.dim() > 1).flatten()[::2] = 0
    return net


def test_zeros_are_those_of_weights_and_never_a_whole_layer_or_a_bias():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[0.0, 1.0], [2.0, -0.0]]))
        net[0].bias.zero_()
        net[1].weight.zero_()
    zeros = zeros_of(net)
    assert {name: where.tolist() for name, where in zeros.items()} == {"0.weight": [[True, False], [False, True]]}
    with torch.no_grad():
        net[0].weight.fill_(3)
    put_zeros(net, zeros)
    assert net[0].weight.tolist() == [[0, 3], [3, 0]]


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_weights_that_are_zero_stay_zero_and_all_others_learn(optimizer, sparse, digits):
    settings = Train(epochs=1, batch_size=256, optimizer=optimizer, ema_decay=0.9, keep="last", keep_zeros=True)
    before, after = dict(sparse.named_parameters()), train(sparse, digits, settings).net
    zeros = zeros_of(sparse)
    assert zeros
    for name, where in zeros.items():
        weight = after.get_parameter(name)
        assert bool((weight[where] == 0).all())
        assert bool((weight[~where] != before[name][~where]).all())


def test_without_being_asked_training_fills_the_zeros(sparse, digits):
    after = train(sparse, digits, Train(epochs=1, batch_size=256, keep="last")).net
    assert not set(zeros_of(after)) & set(zeros_of(sparse))


def test_the_last_weights_are_kept_when_asked_for_though_none_scored_better(net, digits):
    hopeless = {"epochs": 2, "batch_size": 256, "lr": 3.0, "optimizer": "sgd", "warmup_epochs": 0, "clip_norm": 1.0}
    good = train(net, digits, Train(epochs=2, batch_size=64)).net
    best, last = (train(good, digits, Train(**hopeless, keep=keep)) for keep in ("best", "last"))
    assert (best.best_epoch, last.best_epoch) == (0, 2)
    assert torch.equal(next(best.net.parameters()), next(good.parameters()))
    assert not torch.equal(next(last.net.parameters()), next(good.parameters()))


def test_after_each_step_the_caller_sees_number_weights_and_gradients(net, digits):
    seen = []

    def look(copied: nn.Module, number: int) -> None:
        weight = next(copied.parameters())
        assert copied is not net and weight.grad is not None
        seen.append(number)
        with torch.no_grad():
            weight.fill_(number)

    settings = Train(epochs=2, batch_size=512, keep="last")
    after = train(net, digits, settings, after_step=look).net
    steps = 2 * digits.num_batches("train", batch_size=512)
    assert seen == list(range(1, steps + 1))
    assert bool((next(after.parameters()) == steps).all())
