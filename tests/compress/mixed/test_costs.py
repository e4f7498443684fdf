"""What bits cost, by hand and against the rooms that count the same things."""

import pytest
import torch
from torch import nn

from edgewright.analyze import cost_of, profile
from edgewright.analyze.hardware import bit_operations, total_bit_operations
from edgewright.compress.quantize import Precision, plan_quantizers
from edgewright.compress.quantize.mixed import Limits, bit_costs
from edgewright.model import capture
from edgewright.types import Device

DEVICE = Device(
    name="d", title="d", kind="mcu", clock_hz=1e6, ram_bytes=1, flash_bytes=None,
    macs_per_cycle={"float32": 1, "int8": 4, "int4": 8}, bandwidth_bytes_s=1e12, overhead_s=0,
    pj_per_mac={"float32": 1}, pj_per_byte=1, round_to=8, runtimes=(),
)  # fmt: skip


@pytest.fixture(scope="module")
def chain():
    """Two convolutions on 4x4: 2 channels to 4 to 6."""
    layers = [nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 6, 1)]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = capture(nn.Sequential(*layers), (2, 4, 4))
    return net, plan_quantizers(net)


def test_a_chain_costs_what_a_pencil_says(chain):
    """72 and 24 weights; 16 * 72 and 16 * 24 MACs; 32, 64 and 96 values, two tensors alive at a time."""
    costs = bit_costs(*chain)
    first, second = costs.reads
    middle, last = list(costs.leader)[1:]
    spent = costs.spent(Precision(layers={first: 4, second: 3}, points={middle: 4}))
    assert spent.weight_bytes == 36 + 9
    assert spent.bit_operations == 16 * 72 * 4 * 8 + 16 * 24 * 3 * 4
    assert spent.activation_bytes == 32 + 96 and spent.latency_s is None
    assert costs.spent(Precision()).activation_bytes == 64 + 96
    assert costs.spent(Precision(points={last: 2})).activation_bytes == 32 + 64
    assert costs.weight_bytes_at(4.5) == 54


def test_latency_uses_only_types_that_the_device_has_kernels_for(chain):
    costs = bit_costs(*chain, device=DEVICE)
    for bits, read_bits, rate in ((8, 8, 4), (4, 8, 4), (4, 4, 8), (5, 4, 4)):
        spent = costs.spent(Precision(weights=bits, activations=read_bits))
        assert spent.latency_s == pytest.approx((1152 + 384) / rate / 1e6)
    assert costs.spent(Precision(activations=16)).latency_s == pytest.approx((1152 + 384) / 1e6)  # in float
    assert costs.spent(Precision()).latency_s == pytest.approx(cost_of(chain[0], DEVICE, "int8").latency_s)


def test_bit_operations_and_bytes_are_those_of_the_analysis_of_the_simulation(small):
    precision = Precision(weights=3, layers={next(iter(small.plan.layers)): 6}, activations=4)
    simulation = small.build(precision)
    counted = total_bit_operations(bit_operations(simulation, profile(simulation, dtype="int8")))
    spent = bit_costs(small.net, small.plan).spent(precision)
    assert spent.bit_operations == counted["bit_operations"]
    vectors = sum(4 * layer.out_channels for layer in simulation.modules() if isinstance(layer, nn.Conv2d)) + 4 * 3
    assert profile(simulation, dtype="int8").weight_bytes == spent.weight_bytes + 2 * vectors  # a bias and a scale each


def test_the_peak_of_activations_is_that_of_the_analysis(small):
    spent = bit_costs(small.net, small.plan).spent(Precision())
    floats = 3 * small.net.fc.out_features  # the outputs stay in float: 4 bytes each, where int8 counts 1
    assert profile(small.net, dtype="int8").peak_ram_bytes <= spent.activation_bytes
    assert spent.activation_bytes <= profile(small.net, dtype="int8").peak_ram_bytes + floats


def test_limits_that_are_set_have_names():
    assert Limits(weight_bytes=10, latency_s=0.5).given() == {"weight_bytes": 10, "latency_s": 0.5}
