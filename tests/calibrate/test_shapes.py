"""The plan: the same seed draws the same networks, and they cover what models are made of."""

import numpy as np
import pytest
import torch

from edgewright.calibrate.nets import BUILDERS, weighted
from edgewright.calibrate.shapes import MOST_MACS, OVERHEADS, plan

NETS = plan(np.random.default_rng(0))


def test_the_same_seed_draws_the_same_networks():
    assert plan(np.random.default_rng(0)) == NETS
    assert plan(np.random.default_rng(1)) != NETS


def test_names_are_unique_and_every_baseline_is_planned():
    names = [net.name for net in NETS]
    assert len(set(names)) == len(names)
    assert set(OVERHEADS) <= set(names)
    for nets in (NETS, plan(np.random.default_rng(0), quick=True)):
        assert {net.baseline for net in nets if net.baseline} <= {net.name for net in nets}


def test_a_quick_plan_is_at_most_six_tenths():
    assert len(plan(np.random.default_rng(0), quick=True)) < 0.6 * len(NETS)


def test_every_builder_is_used():
    assert {layer.build for net in NETS for layer in net.layers} == set(BUILDERS)


@pytest.mark.parametrize(
    "name", ["conv_grouped 14 1", "odd 7 0", "function squeeze", "function attention 14", "linear_vector 1"]
)
def test_a_planned_network_runs(name):
    net = next(each for each in NETS if each.name == name)
    module = net.module()
    with torch.no_grad():
        assert torch.isfinite(module(torch.zeros(1, *net.input_shape))).all()
    assert len(weighted(module)) >= len(net.layers) // 2


def test_a_network_with_a_baseline_has_its_guards():
    by_name = {net.name: net for net in NETS}
    for net in NETS:
        if net.baseline:
            guards = [
                [(i, layer) for i, layer in enumerate(each.layers) if layer.is_guard]
                for each in (net, by_name[net.baseline])
            ]
            assert guards[0] == guards[1]


def test_no_operator_takes_longer_than_a_fraction_of_a_second():
    """At 1 G/s, slower than any core that runs such a model; kernels of 5x5 may triple what 3x3 is allowed."""
    from edgewright.analyze import profile
    from edgewright.model import capture

    net = next(each for each in NETS if each.name == "conv 14 0")
    rows = profile(capture(net.module(), net.input_shape)).rows
    assert max(row.macs for row in rows) <= 3 * MOST_MACS
