import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from torch import nn

from edgewright.reference.optimizers import elastic_net
from edgewright.tasks import Classify
from edgewright.train import Train, train_weights
from edgewright.train.optimizers import AdamToSgd, elastic_net_step, shrink, soft_threshold

FLOATS = some.floats(-10, 10)


def test_a_weight_within_the_threshold_becomes_exactly_zero():
    weights = torch.tensor([-2.0, -0.5, 0.0, 0.3, 3.0])
    assert soft_threshold(weights, 0.5).tolist() == [-1.5, 0, 0, 0, 2.5]


def test_the_ridge_half_of_the_elastic_net_divides():
    assert elastic_net_step(torch.tensor([3.0]), step=0.5, l1=2, l2=4).item() == pytest.approx((3 - 1) / (1 + 2))


@given(weight=FLOATS, step=some.floats(0.01, 2), l1=some.floats(0, 5), l2=some.floats(0, 5), other=FLOATS)
def test_no_other_weight_is_better(weight, step, l1, l2, other):
    """It minimizes step (l1 |x| + l2/2 x^2) + (x - w)^2/2."""

    def cost(x):
        return step * (l1 * abs(x) + l2 / 2 * x**2) + (x - weight) ** 2 / 2

    best = elastic_net_step(torch.tensor([weight], dtype=torch.float64), step=step, l1=l1, l2=l2).item()
    assert cost(best) <= cost(other) + 1e-9
    assert best == pytest.approx(float(elastic_net(np.array([weight]), step=step, l1=l1, l2=l2)[0]), abs=1e-12)


@given(weight=FLOATS, l1=some.floats(0, 10))
def test_a_coordinate_of_the_lasso_is_zero_exactly_where_the_slope_at_zero_is_within_lambda(weight, l1):
    """The smooth part (x - w)^2/2 has the gradient -w at 0."""
    found = soft_threshold(torch.tensor([weight], dtype=torch.float64), l1).item()
    assert (found == 0) == (abs(weight) <= l1)


def test_kernels_shrink_by_the_rate_of_their_group_and_biases_do_not():
    slow, fast, bias = nn.Parameter(torch.ones(1, 2)), nn.Parameter(torch.ones(2, 1)), nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([{"params": [slow], "lr": 0.1}, {"params": [fast, bias], "lr": 0.5}], lr=1.0)
    for weight in (slow, fast, bias):
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    shrink(optimizer, 0.4)
    assert slow.flatten().tolist() == pytest.approx([0.96, 0.96])
    assert fast.flatten().tolist() == pytest.approx([0.8, 0.8])
    assert bias.tolist() == [1, 1]


def test_after_the_switch_weights_shrink_by_the_rate_of_sgd():
    weight = nn.Parameter(torch.ones(1, 2))
    optimizer = AdamToSgd([{"params": [weight], "weight_decay": 0}], lr=0.1, momentum=0.0, after_epoch=1, sgd_lr=0.02)

    def shrunk():
        weight.grad = torch.zeros_like(weight)
        optimizer.step()
        before = weight.detach().clone()
        shrink(optimizer, 0.5)
        return (before - weight.detach()).flatten().tolist()

    assert shrunk() == pytest.approx([0.05, 0.05])
    optimizer.end_epoch(1, 50.0)
    assert shrunk() == pytest.approx([0.01, 0.01])


def zeros_after(net, data, **settings):
    recipe = Train(
        epochs=2, batch_size=64, optimizer="sgd", momentum=0, lr=0.1, augment="none", keep="last", **settings
    )
    trained = train_weights(net, task=Classify(num_classes=10), data=data, settings=recipe, seed=0).net
    kernels = [each for each in trained.parameters() if each.dim() > 1]
    return sum(int((each == 0).sum()) for each in kernels) / sum(each.numel() for each in kernels)


def test_the_proximal_step_makes_weights_exactly_zero_and_decay_does_not(net, digits):
    assert zeros_after(net, digits, l1=0.05, weight_decay=0) > 0.3
    assert zeros_after(net, digits, weight_decay=0.05) == 0
