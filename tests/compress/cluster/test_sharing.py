"""Shared weights: which values, zeros that stay, gradients that add up, and plain weights again."""

import copy

import numpy as np
import pytest
import torch

from edgewright.compress.cluster import cluster_layers, shared_twin, unshared

BITS = {"conv": 4, "linear": 3}


@pytest.fixture
def sharings(net):
    return cluster_layers(net, bits=BITS, init="linear", generator=np.random.default_rng(0))


def test_each_layer_takes_at_most_two_to_the_bits_values(net, sharings):
    plain = unshared(net, shared_twin(net, sharings))
    found = {each.layer: (each.kind, len(torch.unique(plain.get_submodule(each.layer).weight))) for each in sharings}
    assert found == {"conv": ("conv", 16), "depthwise": ("conv", 16), "fc": ("linear", 8)}
    assert [each.num_values for each in sharings] == [16, 16, 8]


def test_zeros_stay_zero_and_nothing_else_becomes_zero(net, sharings):
    plain = unshared(net, shared_twin(net, sharings))
    assert torch.equal(plain.fc.weight == 0, net.fc.weight == 0)
    assert sharings[2].sparsity == pytest.approx(float((net.fc.weight == 0).float().mean()))
    assert not torch.signbit(plain.fc.weight[plain.fc.weight == 0]).any()  # -0.0 would be a value of its own


def test_a_weight_by_hand():
    """-2, 0, 1, 3 and 5 in two bits: zero and three centroids, -2, 2 and 5."""
    from torch import nn

    from edgewright.model import capture

    class One(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(5, 1)
            self.fc.weight.data = torch.tensor([[-2.0, 0, 1, 3, 5]])

        def forward(self, x):
            return self.fc(x.flatten(1))

    (sharing,) = cluster_layers(
        capture(One(), (1, 1, 5)), bits={"conv": 2, "linear": 2}, init="linear", generator=np.random.default_rng(0)
    )
    assert sharing.codebook_K.tolist() == [-2, 2, 5]
    assert sharing.indices.tolist() == [[1, 0, 2, 2, 3]]
    assert sharing.error == pytest.approx(2 / 39)  # 1 and 3 are off by one; 4 + 1 + 9 + 25


def test_the_gradient_of_a_value_is_the_sum_over_its_weights(net, sharings):
    plain = unshared(net, shared_twin(net, sharings)).train()
    twin = shared_twin(net, sharings).train()
    inputs = torch.randn(4, 1, 8, 8)
    for each in (plain, twin):
        each(inputs).square().sum().backward()
    for each in sharings:
        by_weight = plain.get_submodule(each.layer).weight.grad
        by_value = twin.get_submodule(each.layer).parametrizations.weight.original.grad
        sums = [float(by_weight[each.indices == number + 1].sum()) for number in range(len(each.codebook_K))]
        assert by_value.tolist() == pytest.approx(sums, rel=1e-4, abs=1e-4)


def test_a_twin_computes_what_its_plain_weights_do(net, sharings):
    twin = shared_twin(net, sharings)
    inputs = torch.randn(4, 1, 8, 8)
    before = copy.deepcopy(net.state_dict())
    assert torch.equal(unshared(net, twin)(inputs), twin(inputs))
    assert net.state_dict().keys() == unshared(net, twin).state_dict().keys()
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_a_layer_of_zeros_is_left_alone(net):
    net.fc.weight.data.zero_()
    sharings = cluster_layers(net, bits=BITS, init="linear", generator=np.random.default_rng(0))
    assert sharings[2].num_values == 1 and sharings[2].error == 0
    assert not unshared(net, shared_twin(net, sharings)).fc.weight.any()


def test_more_bits_lose_less(net):
    errors = [
        [each.error for each in cluster_layers(
            net, bits=dict.fromkeys(BITS, bits), init="linear", generator=np.random.default_rng(0))]
        for bits in (2, 4, 8)
    ]  # fmt: skip
    for few, some, many in zip(*errors, strict=True):
        assert few > some > many
    assert max(errors[2]) < 1e-4
