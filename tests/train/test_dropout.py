"""Dropout and smoothed targets as settings of a training."""

import copy
import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from torch import nn

from edgewright.data import load_data
from edgewright.errors import ConfigError, ModelError
from edgewright.model import capture
from edgewright.tasks import Classify
from edgewright.train import Train, train_weights
from edgewright.train.dropout import begin_dropout
from edgewright.train.mixing import Mixing, smoothed

TASK, DIGITS = Classify(num_classes=10), load_data("digits")
QUICK = Train(epochs=1, batch_size=128, lr=0.01, augment="none", keep="last")


def plain_net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


def dropped(net: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """What the last layer is given in training mode."""
    seen = []
    last = net[-1]
    with last.register_forward_pre_hook(lambda _, given: seen.append(given[0])):
        net.train()(inputs)
    return seen[0]


def test_a_net_without_dropout_drops_what_its_head_is_given_in_training_only():
    net, inputs = plain_net(), torch.rand(64, 1, 8, 8)
    features = dropped(net, inputs)
    kept = net.eval()(inputs)
    begin_dropout(net, 0.4)
    fewer = dropped(net, inputs)
    is_zero = (fewer == 0) & (features != 0)
    assert is_zero.sum().item() / (features != 0).sum().item() == pytest.approx(0.4, abs=0.05)
    torch.testing.assert_close(fewer[~is_zero], features[~is_zero] / 0.6)
    assert torch.equal(net.eval()(inputs), kept)
    copied = copy.deepcopy(net)
    assert (dropped(copied, inputs) == 0).sum() > (features == 0).sum()


def test_the_nets_own_dropouts_take_the_share():
    net = nn.Sequential(nn.Dropout(0.1), nn.Linear(2, 2), nn.Dropout2d(0.2))
    begin_dropout(net, 0.5)
    assert (net[0].p, net[2].p) == (0.5, 0.5) and not net[1]._forward_pre_hooks
    begin_dropout(net, None)
    assert net[0].p == 0.5


def test_a_training_with_dropout_gives_back_a_net_without_it():
    net = capture(plain_net(), (1, 8, 8))
    settings = dataclasses.replace(QUICK, dropout=0.5)
    outcome = train_weights(net, task=TASK, data=DIGITS, settings=settings, seed=0)
    without = train_weights(net, task=TASK, data=DIGITS, settings=QUICK, seed=0)
    assert outcome.history[0].loss > without.history[0].loss
    assert not any(part._forward_pre_hooks for part in [*outcome.net.modules(), *net.modules()])
    again = train_weights(net, task=TASK, data=DIGITS, settings=settings, seed=0)
    assert again.history == outcome.history


def test_a_net_that_can_drop_nothing_is_told():
    with pytest.raises(ModelError, match="ends in no layer with weights"):
        begin_dropout(nn.Flatten(), 0.5)


@given(share=some.floats(0, 0.99), num_classes=some.integers(2, 20))
def test_smoothed_targets_sum_to_1_and_come_back_unchanged_without(share, num_classes):
    ids = torch.arange(num_classes)
    shares = smoothed(ids, share, num_classes=num_classes)
    if share == 0:
        assert shares is ids
        return
    torch.testing.assert_close(shares.sum(1), torch.ones(num_classes))
    torch.testing.assert_close(shares.diagonal(), torch.full((num_classes,), 1 - share + share / num_classes))
    torch.testing.assert_close(smoothed(torch.eye(num_classes), share, num_classes=num_classes), shares)


def test_smoothing_is_the_losses_own():
    logits, targets = torch.randn(4, 10), torch.tensor([1, 5, 0, 9])
    mixing = Mixing(Train(label_smoothing=0.1), num_classes=10, seed=0)
    _, soft = mixing(torch.zeros(4, 1, 8, 8), targets, epoch=1, batch=0)
    want = Classify(num_classes=10, label_smoothing=0.1).loss(logits, targets)
    torch.testing.assert_close(TASK.loss(logits, soft), want)


@pytest.mark.parametrize(
    ("task", "words"),
    [({"label_smoothing": 0.2}, r"=0.1 and Classify.label_smoothing=0.2 would add up: set one of them to 0"),
     ({"loss_name": "bce"}, r"'bce' asks yes or no for each class: set Classify.label_smoothing instead")],
)  # fmt: skip
def test_targets_are_not_smoothed_twice_nor_in_a_form_that_the_loss_does_not_have(task, words):
    settings = dataclasses.replace(QUICK, label_smoothing=0.1)
    with pytest.raises(ConfigError, match=words):
        train_weights(plain_net(), task=dataclasses.replace(TASK, **task), data=DIGITS, settings=settings, seed=0)


@pytest.mark.parametrize(("name", "value"), [("dropout", 1.0), ("dropout", -0.1), ("label_smoothing", 1.0)])
def test_shares_outside_their_range_are_refused(name, value):
    with pytest.raises(ConfigError, match=rf"Train.{name} must be in \[0, 1\), got {value}"):
        Train(**{name: value})
