"""The float32 simulation and the integer reference differ by at most one step on every layer.

Every layer is fed the simulation's own codes, so that a difference is this layer's and not an earlier one's.
"""

import numpy as np
import pytest
import torch
from torch import fx, nn
from torch.nn import functional as F

from edgewright.compress.quantize import Precision, observe, plan_quantizers, ranges_of, simulate
from edgewright.model import capture, layer_of, watch
from edgewright.model.fold import fold_batch_norms
from edgewright.model.functions import CLAMPS
from edgewright.model.quantized import QuantConv2d, QuantizeActivation, QuantLinear
from edgewright.reference import integer

X = torch.randn(4, 3, 11, 9, generator=torch.Generator().manual_seed(0))
aten = torch.ops.aten


class Layers(nn.Module):
    """Every kind of layer that the reference defines."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU6())
        self.depthwise = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.BatchNorm2d(8), nn.ReLU())
        self.pointwise, self.dilated = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=2)
        self.hidden, self.fc = nn.Linear(8, 12), nn.Linear(12, 10)

    def forward(self, x):
        x = self.stem(x)
        x = x + self.pointwise(self.depthwise(x))
        x = F.relu(x + self.dilated(x))
        x = F.adaptive_avg_pool2d(x, 1).flatten(1)
        return self.fc(F.relu(self.hidden(x)))


def simulation(bits: int) -> fx.GraphModule:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Layers().train()
        with torch.no_grad():
            net(X)
        folded, _ = fold_batch_norms(capture(net.eval(), (3, 11, 9)))
    plan = plan_quantizers(folded, float_output=False)
    return simulate(
        folded,
        plan,
        ranges_of(observe(folded, plan, X), method="minmax", percentile=100.0),
        precision=Precision(weights=bits),
    )


class Values:
    """Every tensor of one run, and the codes of those that are on a grid."""

    def __init__(self, net: fx.GraphModule) -> None:
        self.net, self.of = net, {}
        watch(net, X, lambda node, value: self.of.__setitem__(node, value))

    def grid(self, node: fx.Node) -> QuantizeActivation:
        """The grid on which the values of a node lie; reshapes keep it."""
        while not isinstance(layer_of(self.net, node), QuantizeActivation):
            node = node.args[0]
        return layer_of(self.net, node)

    def codes(self, node: fx.Node) -> np.ndarray:
        return self.grid(node).codes(self.of[node]).numpy()


def reference_codes(values: Values, quantizer: fx.Node) -> np.ndarray:
    """What the integer reference makes of the operator before a quantizer."""
    out = values.grid(quantizer)
    node, low = quantizer.args[0], out.spec.low
    if node.target in CLAMPS:
        node, low = node.args[0], out.spec.zero_point[0]
    zero, scale, layer = out.spec.zero_point[0], out.spec.scale[0], layer_of(values.net, node)
    x = node.args[0]
    grid = values.grid(x).spec
    codes = values.codes(x)
    if layer is not None:
        weight, bias = layer.weight_codes().numpy(), layer.bias_codes()
        bias = np.zeros(len(weight), dtype=np.int64) if bias is None else bias.numpy()
        multipliers = grid.scale[0] * layer.weight_scale.double().numpy() / scale
        if isinstance(layer, QuantLinear):
            acc = integer.linear(codes, weight, bias, zero_point=grid.zero_point[0])
        else:
            assert isinstance(layer, QuantConv2d)
            acc = integer.conv2d(
                codes, weight, bias, zero_point=grid.zero_point[0], stride=layer.stride, padding=layer.padding,
                dilation=layer.dilation, groups=layer.groups,
            )  # fmt: skip
        return integer.requantize(acc, multipliers, zero_point=zero, low=low, high=out.spec.high)
    if node.target is aten.add.Tensor:
        other = values.grid(node.args[1]).spec
        return integer.add(
            codes, values.codes(node.args[1]), scales=(grid.scale[0], other.scale[0], scale),
            zero_points=(grid.zero_point[0], other.zero_point[0], zero), low=low, high=out.spec.high,
        )  # fmt: skip
    assert node.target is aten.adaptive_avg_pool2d.default
    grids = {"scales": (grid.scale[0], scale), "zero_points": (grid.zero_point[0], zero)}
    return integer.global_average(codes, **grids, low=low, high=out.spec.high)


@pytest.mark.parametrize("bits", [8, 4])
def test_every_layer_is_within_one_step_of_the_integer_reference(bits):
    net = simulation(bits)
    values = Values(net)
    compared = 0
    for node in net.graph.nodes:
        if isinstance(layer_of(net, node), QuantizeActivation) and node.args[0].op != "placeholder":
            got, want = values.codes(node), reference_codes(values, node)
            steps = np.abs(got - want)
            assert got.shape == want.shape and steps.max() <= 1, node.name
            assert (steps > 0).mean() < 0.01, node.name  # only where the exact value is a half: half up, half to even
            compared += 1
    assert compared == 9  # four convolutions, two sums, a mean, two linear layers
