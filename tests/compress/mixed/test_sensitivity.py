"""One part at a time on its grid: nothing else changes, and nothing stays changed."""

import math

import pytest
import torch
from torch.autograd.functional import hessian
from torch.func import functional_call

from edgewright.compress.quantize import Precision, observe, plan_quantizers, ranges_of, simulate
from edgewright.compress.quantize.mixed import (
    Part,
    Probe,
    curvature_rows,
    mean_traces,
    output_error,
    score_lost,
    sensitivities,
    task_loss,
)
from edgewright.errors import ConfigError
from edgewright.model import capture
from edgewright.tasks import Classify

TASK = Classify(num_classes=3)


@pytest.fixture
def probe(small):
    return Probe(small.net, small.plan, small.build)


def test_a_probe_computes_what_the_net_does_before_and_after(small, probe):
    want = small.net(small.x)
    for part in (*probe.parts("weights"), *probe.parts("activations")):
        with probe.at(part, 2) as net:
            assert not torch.equal(net(small.x), want)
    assert torch.equal(probe.net(small.x), want)


def test_a_layer_in_the_probe_has_the_weights_of_the_simulation_and_all_others_are_exact(small, probe):
    simulation = small.build(Precision(weights=3))
    for name in small.plan.layers:
        with probe.at(Part(kind="weights", name=name), 3):
            for other, layer in probe.layers.items():
                path = next(str(node.target) for node in small.net.graph.nodes if node.name == other)
                rounded = simulation.get_submodule(path).rounded_weight()
                assert torch.equal(layer.weight, rounded if other == name else small.net.get_submodule(path).weight)


def test_all_points_in_one_grid_at_once_are_the_simulation_of_activations(small, probe):
    """Every switch on, weights exact: a simulation whose weights have the float values."""
    for name, switch in probe.switches.items():
        switch.quantizer = probe.quantizer(name, 4)
    got = probe.net(small.x)
    simulation = small.build(Precision(weights=8, activations=4))
    for layer in simulation.modules():
        if hasattr(layer, "rounded_weight"):
            layer.rounded_weight = lambda own=layer: own.weight
            layer.rounded_bias = lambda own=layer: own.bias
    assert torch.equal(got, simulation(small.x))


def test_points_that_share_a_grid_are_one_part(small, probe):
    names = [part.name for part in probe.parts("activations")]
    shared = [group for group in small.plan.shared if group]
    assert shared and all(group[0] in names and not set(group[1:]) & set(names) for group in shared)


def test_the_error_of_the_outputs_is_their_mean_square(small, probe):
    rows = sensitivities(probe, output_error(probe.net, small.x), bits={"weights": (3, 8)}, title="mse")
    with probe.at(probe.parts("weights")[0], 3) as net:
        want = (net(small.x) - small.net(small.x)).square().mean().item()
    assert [row.bits for row in rows] == [8, 3] * len(small.plan.layers)
    assert rows[1].rise == pytest.approx(want, rel=1e-5) and rows[1].measure == "mse"


def test_fewer_bits_make_the_outputs_worse_and_every_part_is_measured(small, probe):
    wanted = {"weights": (8, 4, 2), "activations": (8, 4, 2)}
    rows = sensitivities(probe, output_error(probe.net, small.x), bits=wanted)
    for part in (*probe.parts("weights"), *probe.parts("activations")):
        rises = [row.rise for row in rows if (row.kind, row.name) == (part.kind, part.name)]
        assert len(rises) == 3 and 0 <= rises[0] < rises[1] < rises[2]


def test_loss_and_score_are_those_of_the_task(small, probe):
    want = sum(TASK.loss(small.net(x), y).item() for x, y in small.batches) / 2
    assert task_loss(TASK, small.batches)(small.net) == pytest.approx(want)
    right = (small.net(small.x).argmax(1) == small.y).float().mean().item()
    assert score_lost(TASK, small.batches)(small.net) == pytest.approx(100 - 100 * right)


def test_nothing_to_measure_is_refused(probe):
    with pytest.raises(ConfigError, match="nothing to measure"):
        sensitivities(probe, lambda net: 0.0, bits={})


# --- curvature ------------------------------------------------------------------------------------------------------


class Half:
    """Half the sum of squared outputs, the mean over images: for y = W x its Hessian by W is the mean of x x'."""

    def loss(self, outputs, targets):
        return 0.5 * outputs.square().sum() / len(outputs)


def test_the_trace_of_a_diagonal_hessian_is_exact_in_one_draw():
    """Images with one pixel of 2 and all others 0: x x' is diagonal, and so is the Hessian."""
    x = 2 * torch.eye(4).reshape(4, 1, 2, 2)
    net = capture(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 3, bias=False)), (1, 2, 2))
    plan = plan_quantizers(net)
    ranges = ranges_of(observe(net, plan, x), method="minmax", percentile=100.0)
    probe = Probe(net, plan, lambda precision: simulate(net, plan, ranges, precision=precision))
    (part,) = probe.parts("weights")
    traces = mean_traces(probe, Half(), [(x, torch.zeros(4))], num_draws=1)
    assert traces[part] == pytest.approx(4 / 4, rel=1e-6)  # 2^2 in each image, and each pixel is set in one of four
    rows = curvature_rows(probe, traces, [(x, torch.zeros(4))], bits={"weights": (3,)})
    error = (probe.rounded_weight(part.name, 3) - net.get_submodule("1").weight).square().sum().item()
    assert rows[0].rise == pytest.approx(error, rel=1e-5)


def test_traces_are_those_of_the_whole_hessian(small, probe):
    traces = mean_traces(probe, TASK, small.batches, num_draws=100)
    named = dict(small.net.named_parameters())
    paths = {node.name: f"{node.target}.weight" for node in small.net.graph.nodes if node.op == "call_module"}
    for name in small.plan.layers:
        weight = named[paths[name]].detach()

        def loss(value, path=paths[name]):
            return TASK.loss(functional_call(small.net, {path: value}, (small.x,)), small.y)

        whole = hessian(loss, weight).reshape(weight.numel(), weight.numel())
        want = whole.trace().item() / weight.numel()
        assert traces[Part(kind="weights", name=name)] == pytest.approx(want, rel=0.3)  # 200 draws


def test_activations_have_a_curvature_too_and_it_follows_the_seed(small, probe):
    kinds = ("weights", "activations")
    first, second, other = (
        mean_traces(probe, TASK, small.batches, kinds=kinds, num_draws=4, seed=seed) for seed in (0, 0, 1)
    )
    assert first == second and first != other
    rows = curvature_rows(probe, first, small.batches, bits={"weights": (4,), "activations": (8, 4)})
    assert len(rows) == len(small.plan.layers) + 2 * len(probe.parts("activations"))
    assert all(row.rise >= 0 and math.isfinite(row.rise) for row in rows)
    assert all(switch.offset is None for switch in probe.switches.values())
