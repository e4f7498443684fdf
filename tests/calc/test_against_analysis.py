"""The closed forms count as the analysis of a model does: every activation, normalization and pool of the tables."""

from __future__ import annotations

import pytest
from torch import nn

from edgewright import calc
from edgewright.analyze import profile
from edgewright.analyze.work import AFFINE, BATCH_NORM, NORM
from edgewright.calc.activations import PER_VALUE
from edgewright.calc.elementwise import NORM_PER_VALUE

CHANNELS, SIZE = 6, (8, 5)
MAP = {"channels": CHANNELS, "size": SIZE}

ACTIVATIONS = {
    "relu": nn.ReLU(), "relu6": nn.ReLU6(), "leaky-relu": nn.LeakyReLU(), "prelu": nn.PReLU(), "sigmoid": nn.Sigmoid(),
    "hard-sigmoid": nn.Hardsigmoid(), "tanh": nn.Tanh(), "swish": nn.SiLU(), "hard-swish": nn.Hardswish(),
    "gelu": nn.GELU(), "dropout": nn.Dropout(),
}  # fmt: skip

LAYERS = {
    "batch norm": (nn.BatchNorm2d(CHANNELS), calc.batch_norm(**MAP)),
    "layer norm": (nn.LayerNorm((CHANNELS, *SIZE)), calc.layer_norm(shape=(CHANNELS, *SIZE))),
    "group norm": (nn.GroupNorm(3, CHANNELS), calc.group_norm(**MAP, groups=3)),
    "max pool": (nn.MaxPool2d(3, 2), calc.pool(**MAP, kernel=3, stride=2)),
    "average pool": (nn.AvgPool2d((2, 3)), calc.pool(**MAP, kernel=(2, 3), kind="average")),
    "mean of all": (nn.AdaptiveAvgPool2d(1), calc.chain(size=SIZE, channels=CHANNELS, layers=["global-pool"])),
    "slope per channel": (nn.PReLU(CHANNELS), calc.activation(kind="prelu", **MAP, per_channel=True)),
}


def counted(layer):
    """Operations and parameters of one layer by the analysis."""
    found = profile(nn.Sequential(layer).eval(), input_shape=(CHANNELS, *SIZE))
    assert found.macs == 0
    return sum(row.elementwise for row in found.rows), found.params


def test_every_activation_of_the_table_has_a_layer_here():
    assert set(ACTIVATIONS) == set(PER_VALUE)


@pytest.mark.parametrize("kind", PER_VALUE)
def test_an_activation_costs_what_the_analysis_counts(kind):
    closed = calc.activation(kind=kind, **MAP).result
    assert counted(ACTIVATIONS[kind]) == (closed["elementwise"], closed["params"])
    assert closed["elementwise"] == PER_VALUE[kind] * CHANNELS * SIZE[0] * SIZE[1]


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_costs_what_the_analysis_counts(name):
    layer, worked = LAYERS[name]
    operations, params = counted(layer)
    assert operations == worked.result["elementwise"]
    assert params == worked.result["params"]


def test_the_costs_of_a_normalization_per_value_are_one_number():
    values = CHANNELS * SIZE[0] * SIZE[1]
    assert NORM_PER_VALUE == NORM + AFFINE
    assert calc.batch_norm(**MAP).result["elementwise"] == BATCH_NORM * values
