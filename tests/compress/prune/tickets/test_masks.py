"""Masks: survivors by the rate, the smallest leave, and initial zeros are not taken for removed weights."""

import copy
from functools import cache

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from edgewright.compress.prune.tickets import (
    ALIVE,
    count_left,
    keep_of,
    masked,
    masks_of,
    shuffled,
    smaller,
    whole,
)
from edgewright.model import capture
from edgewright.seeding import torch_generator
from edgewright.train.zeros import zeros_of


def net_of(*layers: nn.Module, shape=(4,)):
    return capture(nn.Sequential(*layers), shape)


@cache
def captured_layers():
    net = net_of(nn.Linear(4, 2), nn.ReLU(), nn.Linear(2, 2))
    with torch.no_grad():
        net.get_parameter("0.weight").copy_(torch.tensor([[0.1, -0.9, 0.3, 0.5], [-0.2, 0.8, 0.05, -0.4]]))
        net.get_parameter("2.weight").copy_(torch.tensor([[3.0, -4.0], [1.0, 2.0]]))
    return net


def two_layers():
    return copy.deepcopy(captured_layers())


@pytest.mark.parametrize(("rounds", "left"), [(5, 0.3277), (10, 0.1074), (15, 0.0352), (20, 0.0115)])
def test_a_fifth_a_round_leaves_the_survivors_of_the_paper(rounds, left):
    assert count_left(1_000_000, 0.2, rounds) / 1e6 == pytest.approx(left, abs=5e-5)


@given(st.integers(1, 10**7), st.floats(0.01, 0.9), st.integers(1, 40))
def test_rounding_never_adds_up_over_rounds(total, rate, rounds):
    left = count_left(total, rate, rounds)
    assert left >= 1 and (left == 1 or abs(left - total * (1 - rate) ** rounds) <= 0.5 + 1e-6 * total)
    assert left <= count_left(total, rate, rounds - 1)


def test_the_smallest_of_each_layer_leave():
    masks = smaller(whole(two_layers()), two_layers(), {("0",): 4, ("2",): 3})
    assert masks["0"].tolist() == [[False, True, False, True], [False, True, False, True]]
    assert masks["2"].tolist() == [[True, True], [False, True]]
    assert keep_of(masks) == 7 / 12


def test_layers_that_compete_with_each_other_lose_unequally_but_never_all():
    masks = smaller(whole(two_layers()), two_layers(), {("0", "2"): 4})
    assert [int(left.sum()) for left in masks.values()] == [1, 3]
    masks = smaller(whole(two_layers()), two_layers(), {("0", "2"): 1})
    assert [int(left.sum()) for left in masks.values()] == [1, 1]


def test_what_was_removed_stays_removed_however_large_it_has_become():
    masks = whole(two_layers())
    masks["0"][0, 1] = False  # of -0.9, the largest
    again = smaller(masks, two_layers(), {("0",): 2, ("2",): 4})
    assert again["0"].nonzero().tolist() == [[0, 3], [1, 1]]


@given(st.integers(0, 10**6), st.integers(1, 8))
def test_a_smaller_mask_lies_within_the_one_before(seed, count):
    torch_seed = torch_generator(seed, "test")
    net = two_layers()
    with torch.no_grad():
        net.get_parameter("0.weight").copy_(torch.randn(2, 4, generator=torch_seed))
    before = smaller(whole(net), two_layers(), {("0",): 8 - count + 1, ("2",): 4})
    after = smaller(before, net, {("0",): max(1, 8 - count), ("2",): 4})
    assert not bool((after["0"] & ~before["0"]).any())
    assert int(after["0"].sum()) == max(1, 8 - count)


def test_the_random_mask_leaves_as_many_of_each_layer_and_others_than_the_smallest():
    net = net_of(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10), shape=(64,))
    masks = smaller(whole(net), net, {("0",): 200, ("2",): 50})
    drawn = [shuffled(masks, torch_generator(seed, "test")) for seed in (0, 0, 1)]
    for each in drawn:
        assert [int(left.sum()) for left in each.values()] == [200, 50]
        assert not torch.equal(each["0"], masks["0"])
    assert torch.equal(drawn[0]["0"], drawn[1]["0"])
    assert not torch.equal(drawn[0]["0"], drawn[2]["0"])


def test_weights_that_start_at_zero_are_not_taken_for_removed_ones():
    net = two_layers()
    with torch.no_grad():
        net.get_parameter("0.weight")[1] = 0  # by chance
        net.get_parameter("2.weight").zero_()  # by design
    masks = whole(net)
    masks["0"][0, :2] = masks["2"][0, 0] = False
    ticket = masked(net, masks)
    for found in (masks_of(ticket), {name.removesuffix(".weight"): ~where for name, where in zeros_of(ticket).items()}):
        assert all(torch.equal(found[name], left) for name, left in masks.items())
    assert torch.equal(ticket.get_parameter("0.weight")[1], torch.full((4,), ALIVE))
    assert bool((net.get_parameter("2.weight") == 0).all()), "the net itself is left as it was"
    images = torch.randn(5, 4, generator=torch_generator(0, "test"))
    with torch.no_grad():
        net.get_parameter("0.weight")[0, :2] = 0
        torch.testing.assert_close(ticket(images), net(images), rtol=0, atol=1e-18)  # 1e-20 is lost


def test_zeros_of_other_weights_are_lifted_unless_all_are_zero():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 4)
            self.some, self.none = nn.Parameter(torch.eye(4)), nn.Parameter(torch.zeros(4, 4))

        def forward(self, x):
            return self.fc(x) @ self.some + x @ self.none

    net = capture(Net(), (4,))
    assert set(zeros_of(net)) == {"some"}
    assert zeros_of(masked(net, whole(net))) == {}
