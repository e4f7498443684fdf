"""`ClassSums`: what leaves with a class, against what a cut takes away."""

import copy

import pytest
import torch

from edgewright.compress.prune.scores import ClassSums
from edgewright.model import cut, find_channels

FAST = ("chain", "modern_block", "shared")


def numbered(net):
    """A copy whose parameters are distinct random numbers, and their values by name."""
    generator = torch.Generator().manual_seed(0)
    other = copy.deepcopy(net)
    with torch.no_grad():
        for each in other.parameters():
            each.copy_(torch.rand(each.shape, generator=generator))
    return other, {name: each.detach().double() for name, each in other.named_parameters()}


def total(net) -> float:
    return sum(float(each.detach().double().sum()) for each in net.parameters())


def check(nets, name, classes):
    net, values = numbered(nets.make_small(name))
    channels = find_channels(net)  # of the copy: a cut looks up its nodes
    sums = ClassSums(net, channels)(values)
    for group in channels.free:
        assert len(sums[group.name]) == group.num_classes
        for index in classes(group):
            narrow = cut(net, {group.name: [index]}, channels=channels)
            assert float(sums[group.name][index]) == pytest.approx(total(net) - total(narrow), abs=1e-3)


@pytest.mark.parametrize("name", FAST)
def test_a_class_holds_the_parameters_that_a_cut_takes_away(nets, name):
    check(nets, name, lambda group: [0])


@pytest.mark.slow
def test_that_holds_for_every_way_in_which_channels_are_coupled(nets):
    for name in nets.SMALL:
        check(nets, name, lambda group: [group.num_classes - 1])


def test_a_chain_by_hand(make_filters):
    """Two filters (1, 2) read with weights 1: a class holds its row and its column."""
    net = make_filters(1.0, 2.0)
    sums = ClassSums(net, find_channels(net))({name: each.detach() for name, each in net.named_parameters()})
    assert sums["0"].tolist() == [2, 3]


def test_sums_pass_gradients_to_every_parameter_of_the_class(nets):
    net = nets.make_small("residual")
    values = {name: torch.ones_like(each, requires_grad=True) for name, each in net.named_parameters()}
    sums = ClassSums(net, nets.map_of(net))(values)
    sum(each.sum() for each in sums.values()).backward()
    assert {name for name, each in values.items() if each.grad is None} == {"fc.bias"}  # the outputs stay
    assert values["b.weight"].grad.unique().tolist() == [1, 2]  # row and column of two classes, or of the same one


def test_parameters_that_are_not_named_count_nothing(nets):
    net = nets.make_small("chain")
    sums = ClassSums(net, nets.map_of(net))({"a.bias": torch.ones(4)})
    assert sums["a"].tolist() == [1] * 4 and sums["b"].tolist() == [0] * 6
