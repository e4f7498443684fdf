"""Gates, numbers and short codes in the file: the integers that the simulation says, and no operator in float."""

import pytest
import torch
from torch import nn

from edgewright.compress.quantize import Precision, observe, plan_quantizers, ranges_of, simulate
from edgewright.compress.quantize.gates import expose_gates
from edgewright.export import export_onnx
from edgewright.export.freeze import freeze
from edgewright.verify import kernels, parity, read_expected

pytestmark = pytest.mark.slow  # every test exports and runs files


class Gated(nn.Module):
    """A squeeze-and-excite block between hard-swish and SiLU, with numbers."""

    def __init__(self):
        super().__init__()
        self.stem, self.squeeze, self.excite = nn.Conv2d(3, 16, 3), nn.Conv2d(16, 8, 1), nn.Conv2d(8, 16, 1)
        self.last = nn.Conv2d(16, 16, 1)

    def forward(self, x):
        x = nn.functional.hardswish(2 * self.stem(x) - 0.5)
        gate = self.excite(nn.functional.silu(self.squeeze(x.mean((2, 3), keepdim=True))))
        return self.last(x * nn.functional.hardsigmoid(gate))


def simulation_of(nets, bits):
    net = expose_gates(nets.captured(nets.seeded(Gated), (3, 12, 12)))
    plan, precision = plan_quantizers(net), Precision(activations=bits)
    ranges = ranges_of(observe(net, plan, nets.x), method="minmax", precision=precision)
    return simulate(net, plan, ranges, precision=precision)


@pytest.mark.parametrize("bits", [8, 5])
def test_every_code_of_the_file_is_that_of_the_simulation_within_a_step(nets, tmp_path, bits):
    simulation = simulation_of(nets, bits)
    artifact = export_onnx(simulation, tmp_path / "a", name="gated", preprocess={}, samples_BCHW=nets.x)
    rows = parity(artifact.model_path, read_expected(artifact))
    assert rows and all(row.max_steps <= 2 and row.mean_steps < 0.05 for row in rows)


def test_no_gate_or_number_is_computed_in_float(nets, tmp_path):
    artifact = export_onnx(simulation_of(nets, 8), tmp_path / "a", name="gated", preprocess={})
    found = kernels(artifact.model_path)
    assert found.stayed_float == ()
    assert (
        found.integer["QLinearAdd"] == 3 and found.integer["QLinearMul"] == 4 and found.integer["QLinearSigmoid"] == 1
    )


def test_the_frozen_form_computes_the_simulation(nets):
    simulation = simulation_of(nets, 8)
    torch.testing.assert_close(freeze(simulation)(nets.x), simulation(nets.x), rtol=0, atol=0.02)


def test_a_maximum_over_maps_padded_with_minus_infinity_is_taken_of_codes(nets, tmp_path):
    class Padded(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 16, 3), nn.Conv2d(16, 16, 1)

        def forward(self, x):
            return self.b(nn.functional.max_pool2d(nn.functional.pad(self.a(x), (0, 1, 1, 0), value=-torch.inf), 3, 2))

    simulation = nets.quantized(nets.captured(nets.seeded(Padded), (3, 12, 12)))
    artifact = export_onnx(simulation, tmp_path / "a", name="padded", preprocess={}, samples_BCHW=nets.x)
    assert kernels(artifact.model_path).stayed_float == ()
    assert all(row.max_steps <= 1 for row in parity(artifact.model_path, read_expected(artifact)))
