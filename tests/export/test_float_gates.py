"""Gates as one operator in float: what OpenVINO and ExecuTorch are given, beside ONNX Runtime's parts in integers."""

import importlib.util

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from edgewright.compress.quantize import observe, plan_quantizers, ranges_of, simulate
from edgewright.compress.quantize.gates import expose_gates
from edgewright.export import export_executorch, export_openvino
from edgewright.export.gates import clip_hard_sigmoids, float_gates, join_gates, open_layers
from edgewright.model import capture
from edgewright.model.quantized import QuantizeActivation
from edgewright.types import Artifact
from edgewright.verify import ExecuTorchRunner, OpenVinoRunner
from edgewright.verify.formats import format_of
from edgewright.verify.openvino_runner import float_layers

GIVEN = {"name": "gated", "preprocess": {}}
X = torch.randn(8, 3, 12, 12, generator=torch.Generator().manual_seed(0))


class Block(nn.Module):
    """Hard-swish and SiLU behind convolutions, a squeeze-and-excite block whose gate is another tensor's."""

    def __init__(self):
        super().__init__()
        self.stem, self.squeeze, self.excite = nn.Conv2d(3, 16, 3), nn.Conv2d(16, 16, 1), nn.Conv2d(16, 16, 1)
        self.middle, self.last = nn.Conv2d(16, 16, 1), nn.Conv2d(16, 16, 1)

    def forward(self, x):
        x = F.hardswish(self.stem(x))
        gate = self.excite(F.relu(self.squeeze(x.mean((2, 3), keepdim=True))))
        return self.last(F.silu(self.middle(x * F.hardsigmoid(gate))))


@pytest.fixture(scope="module")
def simulation():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = expose_gates(capture(Block().eval(), (3, 12, 12)))
    plan = plan_quantizers(net)
    return simulate(net, plan, ranges_of(observe(net, plan, X), method="minmax"))


def num_quantizers(net):
    return sum(isinstance(each, QuantizeActivation) for each in net.modules())


def outputs(net):
    with torch.no_grad():
        return net(X)


def test_a_product_with_its_own_gate_is_one_operator_and_no_code_of_the_gate_is_left(simulation):
    joined = join_gates(simulation)
    assert float_gates(simulation) == {"hardsigmoid": 2, "sigmoid": 1}
    assert float_gates(joined) == {"hardsigmoid": 1, "hardswish": 1, "silu": 1}  # the block's gate is not its own
    assert num_quantizers(joined) == num_quantizers(simulation) - 2


def test_a_joined_gate_is_the_function_of_the_codes_before_it():
    """Hand-derived: codes of step 1/4, hard-swish(1.25) = 1.25 * 4.25 / 6, nothing rounded in between."""
    net = expose_gates(capture(nn.Sequential(nn.Conv2d(1, 1, 1), nn.Hardswish(), nn.Conv2d(1, 1, 1)), (1, 1, 1)))
    plan = plan_quantizers(net)
    simulated = simulate(net, plan, ranges_of(observe(net, plan, torch.ones(1, 1, 1, 1)), method="minmax"))
    joined = join_gates(simulated)
    gate = next(node for node in joined.graph.nodes if node.target is torch.ops.aten.hardswish.default)
    given = torch.tensor([1.25])
    assert gate.target(given).item() == pytest.approx(1.25 * 4.25 / 6)
    assert isinstance(joined.get_submodule(str(gate.args[0].target)), QuantizeActivation)


def test_a_gate_that_has_no_codes_is_joined_too():
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(576, 4), nn.Hardswish(), nn.Linear(4, 2))
    net = expose_gates(capture(net.eval(), (3, 12, 12)))
    joined = join_gates(net)
    assert float_gates(net) == {"hardsigmoid": 1} and float_gates(joined) == {"hardswish": 1}
    assert not any(node.target is torch.ops.aten.clamp_min.default for node in joined.graph.nodes)
    torch.testing.assert_close(outputs(joined), outputs(net), rtol=0, atol=1e-6)


def test_a_layer_before_gates_alone_keeps_its_integers_and_loses_the_codes_behind_it(simulation):
    opened = open_layers(join_gates(simulation))
    assert num_quantizers(opened) == num_quantizers(simulation) - 5  # two gates, and behind stem, excite and middle
    assert not any(node.target is torch.ops.aten.clamp_min.default for node in opened.graph.nodes)
    for path in ("stem", "excite", "middle"):
        kept, given = opened.get_submodule(path), simulation.get_submodule(path)
        assert torch.equal(kept.weight_codes(), given.weight_codes())
        assert torch.equal(kept.bias_codes(), given.bias_codes())


def test_a_tensor_that_something_else_reads_too_keeps_its_codes():
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1)

        def forward(self, x):
            x = self.a(x)
            return self.b(F.hardswish(x) + x)

    net = expose_gates(capture(Shared().eval(), (3, 12, 12)))
    plan = plan_quantizers(net)
    joined = join_gates(simulate(net, plan, ranges_of(observe(net, plan, X), method="minmax")))
    assert float_gates(joined) == {"hardswish": 1}
    assert num_quantizers(open_layers(joined)) == num_quantizers(joined)


def test_what_is_left_out_is_rounding_alone(simulation):
    """The results lie as near to the simulation's as its own rounding lets them: 30 dB is 3 % of the signal."""
    want = outputs(simulation)
    for net in (join_gates(simulation), open_layers(join_gates(simulation))):
        assert 20 * torch.log10(want.norm() / (outputs(net) - want).norm()) > 30


def test_clipped_hard_sigmoids_have_the_values_of_the_gate_and_leave_none_behind(simulation):
    joined = join_gates(simulation)
    clipped = clip_hard_sigmoids(joined)
    assert float_gates(joined)["hardsigmoid"] == 1 and "hardsigmoid" not in float_gates(clipped)
    assert torch.allclose(outputs(clipped), outputs(joined), rtol=0, atol=1e-6 * float(outputs(joined).abs().max()))


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed")
def test_openvino_computes_layers_in_integers_and_their_gates_inside_of_them(simulation, tmp_path):
    artifact = export_openvino(simulation, tmp_path / "a", **GIVEN)
    runner, want = OpenVinoRunner(artifact.model_path), outputs(simulation).numpy()
    found = runner.precisions()
    assert found[("Convolution", "u8")] == 5 and float_layers(found) == 0
    assert np.abs(runner(X.numpy()) - want).max() <= 0.05 * np.abs(want).max()
    assert_told(artifact)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(importlib.util.find_spec("executorch") is None, reason="executorch is not installed")
def test_executorch_takes_the_whole_gate_and_cuts_its_graph_at_none(simulation, tmp_path):
    artifact = export_executorch(simulation, tmp_path / "a", **GIVEN)
    want = outputs(join_gates(simulation))
    assert torch.allclose(ExecuTorchRunner(artifact.model_path)(X), want, atol=0.05 * float(want.abs().max()))
    portable = {each.partition(".")[0] for each in artifact.manifest["portable"]}
    assert not {"hardswish", "silu", "sigmoid", "hardsigmoid", "mul", "convolution", "_to_dim_order_copy"} & portable
    assert_told(artifact)


def assert_told(artifact: Artifact) -> None:
    assert artifact.manifest["float_gates"] == {"hardsigmoid": 1, "hardswish": 1, "silu": 1}
    told = {node.op: node for node in format_of(artifact.model_path).kernels(artifact).stayed_float}
    assert "in float between integers (1 times)" in told["silu"].reason and not told["silu"].heavy
