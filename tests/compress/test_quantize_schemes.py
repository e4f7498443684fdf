"""Schemes: which combinations exist, and what each makes of a small network."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from edgewright.compress.quantize.placement import plan_quantizers
from edgewright.compress.quantize.precision import Precision
from edgewright.compress.quantize.schemes import (
    Scheme,
    simulate_dynamic,
    simulate_floats,
    simulate_weight_only,
    with_tensor_scales,
)
from edgewright.compress.quantize.simulate import simulate
from edgewright.errors import ConfigError
from edgewright.model import capture, fingerprint, load_model, save_model, watch
from edgewright.model.dynamic import DynamicConv2d, DynamicLinear
from edgewright.model.floats import RoundActivation
from edgewright.model.fold import fold_batch_norms
from edgewright.model.quantized import IntegerWeights, quantizers, scheme_of
from edgewright.model.weight_only import GroupedWeights, WeightOnlyConv2d, WeightOnlyLinear

X = torch.randn(8, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    """A plain and a depthwise convolution, a transposed one, and a linear layer."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.depthwise, self.up = nn.Conv2d(8, 8, 3, groups=8), nn.ConvTranspose2d(8, 4, 2, stride=2)
        self.fc = nn.Linear(4, 5)

    def forward(self, x):
        x = self.up(F.relu(self.depthwise(F.relu(self.norm(self.conv(x))))))
        return self.fc(x.mean((2, 3)))


@pytest.fixture(scope="module")
def net():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return fold_batch_norms(capture(Net().eval(), (3, 8, 8)))[0]


@pytest.fixture(scope="module")
def plan(net):
    return plan_quantizers(net)


@pytest.fixture(scope="module")
def ranges(net):
    found = {}
    watch(net, X, lambda node, value: found.update({node.name: (value.min().item(), value.max().item())}))
    return found


def error(net, other):
    """Difference of the outputs, relative."""
    with torch.no_grad():
        return ((net(X) - other(X)).norm() / net(X).norm()).item()


IMPOSSIBLE = {
    "mode": ({"mode": "lazy"}, r"Scheme\.mode is one of static, dynamic, weight-only, got 'lazy'"),
    "format": ({"format": "fp4"}, r"Scheme\.format is one of int, fp16, bf16, fp8-e4m3, fp8-e5m2, got 'fp4'"),
    "dynamic floats": ({"mode": "dynamic", "format": "fp16"}, "A dynamic scheme has integers, got format fp16"),
    "float zero points": ({"mode": "weight-only", "format": "bf16", "symmetric": False}, "no granularity and no zero"),
    "static affine": ({"symmetric": False}, "Affine weights exist in a weight-only scheme of int"),
    "dynamic groups": ({"mode": "dynamic", "granularity": "group", "group_size": 8}, "Weights in groups exist in"),
    "no group size": ({"mode": "weight-only", "granularity": "group"}, "granularity group and group size None"),
    "no groups": ({"mode": "weight-only", "group_size": 8}, "granularity channel and group size 8"),
    "tiny group": ({"mode": "weight-only", "granularity": "group", "group_size": 1}, "2 weights or more, got 1"),
    "unsigned": ({"mode": "weight-only", "signed": False}, "Symmetric weights are signed"),
}  # fmt: skip


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_a_combination_that_no_arithmetic_computes_is_refused_in_one_sentence(case):
    asked, message = IMPOSSIBLE[case]
    with pytest.raises(ConfigError, match=message):
        Scheme(**asked)


def test_a_simulation_wants_its_own_mode(net, plan):
    with pytest.raises(ConfigError, match="needs a weight-only scheme, got static"):
        simulate_weight_only(net, scheme=Scheme())
    with pytest.raises(ConfigError, match="needs a dynamic scheme, got weight-only"):
        simulate_dynamic(net, plan, scheme=Scheme(mode="weight-only"))


def test_weight_only_stores_every_layer_and_leaves_activations_alone(net):
    stored = simulate_weight_only(net, precision=Precision(weights=8, layers={"fc": 4}))
    bits = {path: layer.bits for path, layer in stored.named_modules() if isinstance(layer, GroupedWeights)}
    assert bits == {"conv": 8, "depthwise": 8, "up": 8, "fc": 4}
    assert not quantizers(stored) and scheme_of(stored) == "weight-only" and scheme_of(net) is None
    assert 0 < error(net, simulate_weight_only(net)) < 0.01


def test_finer_grids_come_closer(net):
    def loss(bits=4, **asked):
        scheme = Scheme(mode="weight-only", **asked)
        stored = simulate_weight_only(net, scheme=scheme, precision=Precision(weights=bits))
        layers = [layer for layer in stored.modules() if isinstance(layer, GroupedWeights)]
        return sum((layer.rounded_weight() - layer.weight).pow(2).sum().item() for layer in layers)

    grouped = {"granularity": "group", "group_size": 4}
    assert loss(**grouped, symmetric=False) < loss(**grouped) < loss()
    assert loss(bits=8) < loss(bits=8, granularity="tensor")
    assert loss(symmetric=False, signed=False) == pytest.approx(loss(symmetric=False), rel=1e-5)


def test_dynamic_computes_linear_layers_in_integers_and_stores_the_rest(net, plan):
    kinds = {type(layer) for layer in simulate_dynamic(net, plan).modules()}
    assert DynamicLinear in kinds and WeightOnlyConv2d in kinds and DynamicConv2d not in kinds
    both = simulate_dynamic(net, plan, convolutions=True)
    assert isinstance(both.get_submodule("conv"), DynamicConv2d)
    assert isinstance(both.get_submodule("depthwise"), WeightOnlyConv2d)  # in groups no kernel is fast
    assert scheme_of(both) == "dynamic" and 0 < error(net, both) < 0.02


def test_a_dynamic_range_follows_the_input(net, plan, ranges):
    """Images a hundred times brighter than any calibration image saturate a static model, not a dynamic one."""
    bright = X * 100
    static, dynamic = simulate(net, plan, ranges), simulate_dynamic(net, plan, convolutions=True)
    with torch.no_grad():
        want = net(bright)
        assert ((static(bright) - want).norm() / want.norm()).item() > 0.5
        assert ((dynamic(bright) - want).norm() / want.norm()).item() < 0.02


@pytest.mark.parametrize(
    ("form", "low", "high"),
    [("fp16", 1e-5, 2e-3), ("bf16", 1e-4, 1e-2), ("fp8-e4m3", 1e-3, 0.1), ("fp8-e5m2", 1e-2, 0.2)],
)
def test_a_short_float_rounds_weights_and_the_points_of_the_plan(net, plan, ranges, form, low, high):
    short = simulate_floats(net, plan, format=form, ranges=ranges)
    rounds = [layer for layer in short.modules() if isinstance(layer, RoundActivation)]
    assert len(rounds) == len(plan.points) and scheme_of(short) == "static"
    assert low < error(net, short) < high
    weights = simulate_weight_only(net, scheme=Scheme(mode="weight-only", format=form))
    assert error(net, weights) < error(net, short)


def test_an_8_bit_float_needs_ranges(net, plan):
    with pytest.raises(ConfigError, match="fp8-e4m3 scales each tensor by its largest magnitude: give the ranges"):
        simulate_floats(net, plan, format="fp8-e4m3")
    with pytest.raises(ConfigError, match="A float format is one of"):
        simulate_floats(net, plan, format="int")


def test_tensor_scales_are_equal_for_all_channels_and_cost_accuracy(net, plan, ranges):
    channel = simulate(net, plan, ranges, precision=Precision(weights=4))
    tensor = with_tensor_scales(channel)
    layers = [layer for layer in tensor.modules() if isinstance(layer, IntegerWeights)]
    assert layers and all(layer.weight_scale.unique().numel() == 1 for layer in layers)
    assert error(net, tensor) > error(net, channel)


def test_every_scheme_is_saved_and_loaded_as_it_was(net, plan, ranges, tmp_path):
    grouped = Scheme(mode="weight-only", granularity="group", group_size=5, symmetric=False, signed=False)
    made = {
        "grouped": simulate_weight_only(net, scheme=grouped, precision=Precision(weights=3)),
        "half": simulate_weight_only(net, scheme=Scheme(mode="weight-only", format="fp16")),
        "dynamic": simulate_dynamic(net, plan, convolutions=True),
        "bf16": simulate_floats(net, plan, format="bf16"),
        "fp8": simulate_floats(net, plan, format="fp8-e5m2", ranges=ranges),
    }
    for name, simulation in made.items():
        (tmp_path / name).mkdir()
        save_model(simulation, tmp_path / name)
        again = load_model(tmp_path / name)
        with torch.no_grad():
            assert torch.equal(again(X), simulation(X)), name
        assert fingerprint(again) == fingerprint(simulation)


def test_the_input_model_stays_as_it_was(net, plan):
    before = fingerprint(net)
    simulate_weight_only(net)
    simulate_dynamic(net, plan)
    simulate_floats(net, plan, format="fp16")
    assert fingerprint(net) == before and not isinstance(net.get_submodule("fc"), WeightOnlyLinear)
