"""Scores of weights and scales: values that can be written down, and oracles."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from torch import nn

from edgewright.errors import ConfigError
from edgewright.model import capture

SQUARE = (3, 8, 8)


# Batch norm scales


def test_the_scale_of_batch_norm_is_the_score(scored, make_filters):
    net = make_filters(1.0, 2.0, 3.0, 4.0, norm=(1.0, -3.0, 2.0, 0.0))
    assert scored("bn-scale", net)["0"].tolist() == [1, 3, 2, 0]


def test_coupled_batch_norms_count_with_their_mean(scored, nets):
    def run(m, x):
        return m.fc(nets.pooled(torch.relu(m.bn1(m.a(x)) + m.bn2(m.b(x)))))

    parts = {"a": nets.conv(3, 4), "b": nets.conv(3, 4), "bn1": nn.BatchNorm2d(4), "bn2": nn.BatchNorm2d(4)}
    model = nets.Small(run, **parts, fc=nn.Linear(4, 2))
    with torch.no_grad():
        model.bn1.weight.copy_(torch.tensor([1.0, 2.0, 0.0, -4.0]))
        model.bn2.weight.copy_(torch.tensor([3.0, 2.0, 0.0, 0.0]))
    assert scored("bn-scale", capture(model, SQUARE))["a"].tolist() == [2, 2, 0, 2]


def test_a_group_without_batch_norm_is_ranked_by_l2_and_counts_as_average(scored, nets):
    def run(m, x):
        return m.fc(nets.pooled(torch.relu(m.b(torch.relu(m.bn(m.a(x)))))))

    model = nets.Small(run, a=nets.conv(3, 4), bn=nn.BatchNorm2d(4), b=nets.conv(4, 6), fc=nn.Linear(6, 2))
    with torch.no_grad():
        model.bn.weight.fill_(0.5)
    net = capture(model, SQUARE)
    found, by_size = scored("bn-scale", net), scored("l2", net)
    assert found["a"].tolist() == [0.5] * 4 and float(found["b"].mean()) == pytest.approx(0.5)
    assert found["b"].argsort().tolist() == by_size["b"].argsort().tolist()


def test_a_model_without_batch_norm_has_no_scales(scored, nets):
    with pytest.raises(ConfigError, match=r"'bn-scale' reads the scales of batch norm, and no group .*: choose 'l2'"):
        scored("bn-scale", nets.make_small("chain"))


# Geometric median


def test_the_filter_nearest_to_all_others_leaves_first(scored, make_filters):
    """Distances of 0, 1, 2, 10 to all others: 13, 11, 11, 27, in the mean 15.5. The smallest norm is not the least."""
    net = make_filters(0.0, 1.0, 2.0, 10.0)
    assert scored("geometric-median", net)["0"].tolist() == pytest.approx([13 / 15.5, 11 / 15.5, 11 / 15.5, 27 / 15.5])


def test_distances_are_those_of_scipy(scored, nets):
    net = nets.make_small("chain")
    for group, path in (("a", "a"), ("b", "b")):
        rows = net.get_submodule(path).weight.detach().double().flatten(1).numpy()
        want = cdist(rows, rows).sum(axis=1)
        np.testing.assert_allclose(scored("geometric-median", net)[group], want / want.mean(), rtol=1e-12)


def test_coupled_layers_add_their_distances(scored, nets):
    net = nets.make_small("residual")
    want = 0
    for path in ("a", "b"):
        rows = net.get_submodule(path).weight.detach().double().flatten(1).numpy()
        distances = cdist(rows, rows).sum(axis=1)
        want = want + distances / distances.mean()
    np.testing.assert_allclose(scored("geometric-median", net)["a"], want, rtol=1e-12)


@pytest.mark.parametrize("factor", [0.1, 7.0])
def test_the_unit_of_a_layer_does_not_matter(scored, make_filters, factor):
    weights = (0.3, -1.0, 2.0, 0.5)
    plain, scaled = (scored("geometric-median", make_filters(*(f * w for w in weights))) for f in (1.0, factor))
    torch.testing.assert_close(plain["0"], scaled["0"], rtol=1e-6, atol=0)
