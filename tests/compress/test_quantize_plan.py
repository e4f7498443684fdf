"""Where quantizers are placed."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from edgewright.compress.quantize import observe, plan_quantizers, ranges_of, simulate
from edgewright.model import capture, load_model, save_model
from edgewright.model.quantized import is_quantized, quant_specs, quantizers

X = torch.randn(8, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def net_of(forward, **layers):
    """A captured net with these layers and this forward(layers, x)."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleDict(layers)

        def forward(self, x):
            return forward(self.layers, x)

    torch.manual_seed(0)
    return capture(Net(), (3, 8, 8))


def conv(inputs=3, outputs=3):
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def quantized(net, method="minmax"):
    plan = plan_quantizers(net)
    return simulate(net, plan, ranges_of(observe(net, plan, X), method=method, percentile=99.0))


def test_a_relu_is_fused_one_quantizer_after_it_with_a_range_from_0():
    net = net_of(lambda m, x: F.relu6(m["a"](x)), a=conv())
    assert plan_quantizers(net).points == ("x", "relu6")
    spec = quantizers(quantized(net))["relu6_codes"].spec
    assert spec.zero_point == (-128,)


def test_the_input_and_every_convolution_output_are_quantized():
    net = net_of(lambda m, x: m["b"](m["a"](x)), a=conv(), b=conv())
    plan = plan_quantizers(net)
    assert plan.points == ("x", "layers_a", "layers_b")
    assert plan.layers == {"layers_a": "x", "layers_b": "layers_a"}


def test_a_last_linear_layer_stays_float_unless_told_otherwise():
    net = net_of(lambda m, x: m["fc"](m["a"](x).flatten(1)), a=conv(), fc=nn.Linear(192, 10))
    assert plan_quantizers(net).points[-1] == "layers_a"
    assert plan_quantizers(net, float_output=False).points[-1] == "layers_fc"


def test_pooling_and_reshapes_pass_the_grid_through():
    net = net_of(lambda m, x: m["fc"](F.max_pool2d(m["a"](x), 2).flatten(1)), a=conv(), fc=nn.Linear(48, 10))
    plan = plan_quantizers(net)
    assert plan.points == ("x", "layers_a") and plan.layers["layers_fc"] == "layers_a"


@pytest.mark.parametrize(
    ("name", "forward"),
    [
        ("add", lambda m, x: m["a"](x) + m["b"](x)),
        ("add_relu", lambda m, x: F.relu(m["a"](x) + m["b"](x))),
        ("mul", lambda m, x: m["a"](x) * m["b"](x)),
        ("cat", lambda m, x: torch.cat([m["a"](x), m["b"](x)], 1)),
        ("mean", lambda m, x: m["a"](x).mean((2, 3))),
        ("pool", lambda m, x: F.adaptive_avg_pool2d(m["a"](x), 1)),
        ("average", lambda m, x: F.avg_pool2d(m["a"](x), 2)),
        ("sigmoid", lambda m, x: torch.sigmoid(m["a"](x))),
        ("gate", lambda m, x: m["a"](x) * F.hardsigmoid(m["b"](x))),
    ],
)
def test_operators_that_follow_integers_are_integer(name, forward):
    net = net_of(forward, a=conv(), b=conv())
    plan = plan_quantizers(net)
    last = next(node for node in reversed(net.graph.nodes) if node.op == "output").args[0]
    assert last.name in plan.points
    assert set(plan.stays_float) <= {"hardsigmoid"}


def test_an_operator_without_integer_form_is_quantized_only_for_its_reader():
    net = net_of(lambda m, x: F.gelu(m["b"](F.gelu(m["a"](x)))), a=conv(), b=conv())
    plan = plan_quantizers(net)
    assert plan.points == ("x", "layers_a", "gelu", "layers_b")
    assert plan.stays_float == dict.fromkeys(["gelu", "gelu_1"], "there is no integer form of it")


def test_a_residual_stream_of_a_transformer_stays_float():
    def block(m, x):
        tokens = m["patch"](x).flatten(2).transpose(1, 2)
        return tokens + m["fc"](m["norm"](tokens))

    net = net_of(block, patch=nn.Conv2d(3, 16, 4, stride=4), norm=nn.LayerNorm(16), fc=nn.Linear(16, 16))
    plan = plan_quantizers(net)
    assert "add" not in plan.points and "layers_fc" not in plan.points
    assert "layers_norm" in plan.points


def test_inputs_that_only_a_concatenation_reads_share_its_grid():
    net = net_of(lambda m, x: torch.cat([m["a"](x), m["b"](x)], 1), a=conv(), b=conv())
    specs = {name: layer.spec for name, layer in quantizers(quantized(net)).items()}
    assert specs["layers_a_codes"] == specs["layers_b_codes"] == specs["cat_codes"]


def test_an_input_that_others_read_too_keeps_its_own_grid():
    def forward(m, x):
        a = m["a"](x)
        return torch.cat([a, 3 * m["b"](a)], 1), m["c"](a)

    plan = plan_quantizers(net_of(forward, a=conv(), b=conv(), c=conv()))
    assert plan.shared == (("cat", "mul"),)


def test_a_softmax_between_integers_covers_all_probabilities():
    def attend(m, x):
        return m["b"](x * torch.softmax(m["a"](x), 1))

    simulation = quantized(net_of(attend, a=conv(), b=conv()))
    spec = quantizers(simulation)["softmax_codes"].spec
    assert spec.zero_point == (-128,) and spec.scale[0] == pytest.approx(1 / 255)


def test_zero_padding_passes_integers_and_other_padding_does_not():
    zeros = plan_quantizers(net_of(lambda m, x: m["b"](F.pad(m["a"](x), (0, 1, 0, 1))), a=conv(), b=conv()))
    ones = plan_quantizers(net_of(lambda m, x: m["b"](F.pad(m["a"](x), (0, 1, 0, 1), value=1.0)), a=conv(), b=conv()))
    assert len(zeros.points) == 3 and len(ones.points) == 4


def test_a_layer_that_is_called_twice_gets_one_bias_grid_per_call():
    net = net_of(lambda m, x: m["a"](F.relu(m["a"](x)) * 3.0), a=conv())
    simulation = quantized(net)
    inputs = {layer.input_scale.item() for layer in simulation.modules() if hasattr(layer, "input_scale")}
    assert len(inputs) == 2


def test_the_simulation_is_close_to_the_float_model_and_leaves_it_untouched():
    def forward(m, x):
        a = F.relu(m["a"](x))
        return m["fc"](F.adaptive_avg_pool2d(torch.cat([a, m["b"](a) + a], 1), 1).flatten(1))

    net = net_of(forward, a=conv(), b=conv(), fc=nn.Linear(6, 10))
    before = net(X)
    simulation = quantized(net)
    assert is_quantized(simulation) and not is_quantized(net)
    assert torch.equal(net(X), before)
    assert (simulation(X) - before).norm() < 0.02 * before.norm()  # 8 bits: 1 % and a little


def test_a_quantized_model_saves_and_loads_with_the_same_outputs(tmp_path):
    net = net_of(lambda m, x: m["fc"](F.relu(m["a"](x)).flatten(1)), a=conv(), fc=nn.Linear(192, 10))
    simulation = quantized(net)
    save_model(simulation, tmp_path)
    loaded = load_model(tmp_path)
    assert torch.equal(loaded(X), simulation(X))
    assert quant_specs(loaded) == quant_specs(simulation)
