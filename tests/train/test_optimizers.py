import pytest
import torch
from torch import nn

from edgewright.errors import ModelError
from edgewright.train.optimizers import make_optimizer

# f(p) = p^2 / 2 from p = 1 with lr .1: the gradient is p. Values after 1, 2, 3 steps.
WORKED = {
    ("sgd", 0.0, 0.9): [0.81, 0.5751, 0.327321],  # Nesterov
    ("sgd", 0.0, 0.0): [0.9, 0.81, 0.729],
    ("adamw", 0.0, 0.9): [0.9, 0.800412, 0.701586],
    ("adamw", 0.1, 0.9): [0.89, 0.781572, 0.675101],
}


@pytest.mark.parametrize("case", WORKED)
def test_worked_steps(case):
    name, weight_decay, momentum = case
    weight = nn.Parameter(torch.ones(1, 1, dtype=torch.float64))
    optimizer = make_optimizer([weight], name=name, lr=0.1, weight_decay=weight_decay, momentum=momentum)
    path = []
    for _ in range(3):
        optimizer.zero_grad()
        (weight**2 / 2).sum().backward()
        optimizer.step()
        path.append(weight.item())
    assert path == pytest.approx(WORKED[case], abs=1e-6)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_norms_and_biases_are_not_decayed(name):
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4))
    optimizer = make_optimizer(net.parameters(), name=name, lr=0.1, weight_decay=0.5, momentum=0.9)
    decay = {id(each): group["weight_decay"] for group in optimizer.param_groups for each in group["params"]}
    assert decay == {id(net[0].weight): 0.5, id(net[0].bias): 0, id(net[1].weight): 0, id(net[1].bias): 0}


def test_frozen_parameters_are_left_out():
    net = nn.Linear(2, 2)
    net.weight.requires_grad_(False)
    optimizer = make_optimizer(net.parameters(), name="sgd", lr=0.1, weight_decay=0, momentum=0)
    assert [group["params"] for group in optimizer.param_groups] == [[net.bias]]


def test_a_model_without_parameters_cannot_be_trained():
    with pytest.raises(ModelError, match="The model has no trainable parameters: nothing can be learnt"):
        make_optimizer(nn.ReLU().parameters(), name="sgd", lr=0.1, weight_decay=0, momentum=0)
