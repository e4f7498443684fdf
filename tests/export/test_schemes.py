"""Files of the other schemes: what they compute, what ONNX Runtime makes of them, and how many bytes they take."""

from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, numpy_helper
from torch import nn

from edgewright.compress.quantize.placement import plan_quantizers
from edgewright.compress.quantize.precision import Precision
from edgewright.compress.quantize.schemes import Scheme, simulate_dynamic, simulate_floats, simulate_weight_only
from edgewright.compress.quantize.simulate import simulate
from edgewright.errors import UnsupportedError
from edgewright.export import export_onnx
from edgewright.export.freeze import freeze
from edgewright.model import capture, watch
from edgewright.model.fold import fold_batch_norms
from edgewright.model.weight_only import GroupedWeights
from edgewright.verify.parity import parity

IMAGES = torch.randn(4, 3, 12, 12, generator=torch.Generator().manual_seed(0))

pytestmark = pytest.mark.slow  # every test exports and runs files


class Tokens(nn.Module):
    """A transposed convolution and linear layers on tokens: weights that a file stores transposed."""

    def __init__(self):
        super().__init__()
        self.up, self.mix, self.head = nn.ConvTranspose2d(3, 8, 2, stride=2), nn.Linear(8, 8), nn.Linear(8, 4)

    def forward(self, x):
        x = self.up(x).flatten(2).transpose(1, 2)
        return self.head(torch.relu(self.mix(x)).mean(1))


@pytest.fixture(scope="module")
def subjects(nets):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tokens = capture(Tokens().eval(), (3, 12, 12))
    return {"small": fold_batch_norms(nets.float)[0], "tokens": tokens}


@pytest.fixture(scope="module")
def float_operators(subjects, tmp_path_factory):
    """What ONNX Runtime runs of each subject's float file."""
    return {name: exported(net, IMAGES, tmp_path_factory.mktemp(name))[1] for name, net in subjects.items()}


def session(path, tmp_path):
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath, options.log_severity_level = str(tmp_path / "optimized.onnx"), 3
    made = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    operators = Counter(node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node)
    return made, operators


def exported(net, x, tmp_path):
    """The artifact, the operators that run, and how far the file is from the simulation, relative."""
    artifact = export_onnx(net, tmp_path / "artifact", name="net", preprocess={})
    made, operators = session(artifact.model_path, tmp_path)
    with torch.no_grad():
        want = net(x)
    got = torch.from_numpy(made.run(None, {"image": x.numpy()})[0])
    return artifact, operators, ((got - want).abs().max() / want.abs().max()).item()


STORED = {
    "8 bits": (Scheme(mode="weight-only"), 8),
    "4 bits in groups of 7": (Scheme(mode="weight-only", granularity="group", group_size=7), 4),
    "3 bits, affine": (Scheme(mode="weight-only", symmetric=False), 3),
    "5 bits in groups of 4, unsigned": (
        Scheme(mode="weight-only", granularity="group", group_size=4, symmetric=False, signed=False), 5
    ),
    "2 bits, one scale": (Scheme(mode="weight-only", granularity="tensor"), 2),
    "fp16": (Scheme(mode="weight-only", format="fp16"), 8),
    "bf16": (Scheme(mode="weight-only", format="bf16"), 8),
}  # fmt: skip


@pytest.mark.parametrize(
    ("subject", "case"), [*(("small", case) for case in STORED), ("tokens", "3 bits, affine"), ("tokens", "fp16")]
)
def test_stored_weights_compute_the_simulation_with_the_operators_of_the_float_file(
    subject, case, subjects, float_operators, tmp_path
):
    net, (scheme, bits) = subjects[subject], STORED[case]
    simulation = simulate_weight_only(net, scheme=scheme, precision=Precision(weights=bits))
    artifact, operators, difference = exported(simulation, IMAGES, tmp_path)
    assert difference < 1e-6  # the same weights to the bit; float sums in another order
    assert operators == float_operators[subject]  # what widens the weights is computed once, on loading
    large = [t for t in onnx.load(artifact.model_path).graph.initializer if t.name.endswith(".weight")]
    short = {TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.INT8, TensorProto.UINT8}
    assert large and {tensor.data_type for tensor in large} <= short


@pytest.mark.parametrize("case", [case for case in STORED if "fp" not in case and "bf" not in case])
def test_the_bytes_of_stored_weights_are_those_of_the_formula(case, subjects, tmp_path):
    scheme, bits = STORED[case]
    simulation = simulate_weight_only(subjects["small"], scheme=scheme, precision=Precision(weights=bits))
    artifact = export_onnx(simulation, tmp_path / "artifact", name="net", preprocess={})
    held = Counter()
    for tensor in onnx.load(artifact.model_path).graph.initializer:
        path, _, kind = tensor.name.rpartition(".weight")
        if kind in ("", ".scales", ".zero_points") and path:
            held[path] += numpy_helper.to_array(tensor).nbytes
    layers = {path: layer for path, layer in simulation.named_modules() if isinstance(layer, GroupedWeights)}
    assert held == {path: layer.stored_bytes for path, layer in layers.items()}
    assert artifact.manifest["weight_bits"] == dict.fromkeys(layers, bits)


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("subject", ["small", "tokens"])
def test_dynamic_linear_layers_become_one_integer_kernel_each(subject, bits, subjects, tmp_path):
    net = subjects[subject]
    simulation = simulate_dynamic(net, plan_quantizers(net), precision=Precision(weights=bits))
    _, operators, difference = exported(simulation, IMAGES, tmp_path)
    linear = sum(isinstance(layer, nn.Linear) for layer in net.modules())
    assert operators["DynamicQuantizeMatMul"] == linear and not operators["MatMulInteger"]
    assert difference < 1 / 127  # a value at a half may fall to the other side: one step of the last layer's input


def test_dynamic_convolutions_are_integer_sums(subjects, tmp_path):
    net = subjects["small"]
    simulation = simulate_dynamic(net, plan_quantizers(net), convolutions=True)
    artifact, operators, difference = exported(simulation, IMAGES, tmp_path)
    dense = sum(isinstance(layer, nn.Conv2d) and layer.groups == 1 for layer in net.modules())
    assert operators["ConvInteger"] == dense and difference < 1 / 127
    kinds = {tensor.name: tensor.data_type for tensor in onnx.load(artifact.model_path).graph.initializer}
    assert kinds["stem.0.weight"] == TensorProto.UINT8  # with int8 the runtime's kernel is four times as slow


def test_the_frozen_form_computes_the_simulation(subjects):
    net = subjects["small"]
    for simulation in (simulate_dynamic(net, plan_quantizers(net), convolutions=True), simulate_weight_only(net)):
        with torch.no_grad():
            torch.testing.assert_close(freeze(simulation)(IMAGES), simulation(IMAGES), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("form", ["fp16", "bf16"])
def test_a_short_float_rounds_in_the_file_as_in_the_simulation(form, subjects, tmp_path):
    net = subjects["small"]
    plan = plan_quantizers(net)
    artifact, operators, difference = exported(simulate_floats(net, plan, format=form), IMAGES, tmp_path)
    assert operators["Cast"] == 2 * len(plan.points)
    assert difference < 2 ** -(8 if form == "fp16" else 5)  # a few ulp: sums at a half fall to either side
    plain = export_onnx(net, tmp_path / "plain", name="net", preprocess={})
    weights = sum(
        p.numel() for layer in net.modules() if isinstance(layer, (nn.Conv2d, nn.Linear)) for p in layer.parameters()
    )
    saved = plain.model_path.stat().st_size - artifact.model_path.stat().st_size
    casts = artifact.model_path.stat().st_size  # the operators themselves take some bytes in so small a net
    assert 0 < 2 * weights - saved < 0.35 * casts


@pytest.mark.parametrize("where", ["everywhere", "every second tensor"])
def test_16_bit_activations_are_the_simulation_to_a_step_of_65535(where, subjects, tmp_path):
    net = subjects["small"]
    plan, ranges = plan_quantizers(net), {}
    watch(net, IMAGES, lambda node, value: ranges.update({node.name: (value.min().item(), value.max().item())}))
    wide = plan.points if where == "everywhere" else plan.points[::2]
    simulation = simulate(net, plan, ranges, precision=Precision(points=dict.fromkeys(wide, 16)))
    artifact = export_onnx(simulation, tmp_path / "a", name="net", preprocess={}, samples_BCHW=IMAGES)
    golden = np.load(tmp_path / "a" / "expected.npz")
    types = {key.removeprefix("codes/"): golden[key].dtype for key in golden if key.startswith("codes/")}
    assert {name.removesuffix("_codes") for name, kind in types.items() if kind == np.int16} == set(wide)
    for row in parity(artifact.model_path, {key: golden[key] for key in golden}):
        assert row.own_max_steps <= 1, row  # float32 has 24 bits: a step of 16 is lost only at a half


def test_8_bit_floats_are_simulated_only(subjects, tmp_path):
    simulation = simulate_weight_only(subjects["small"], scheme=Scheme(mode="weight-only", format="fp8-e4m3"))
    with pytest.raises(UnsupportedError, match="fp8-e4m3 is simulated only and no file holds it: export fp16, bf16 or"):
        export_onnx(simulation, tmp_path / "artifact", name="net", preprocess={})


def test_equal_models_give_equal_bytes(subjects, tmp_path):
    scheme = Scheme(mode="weight-only", granularity="group", group_size=4, symmetric=False)
    for name in ("a", "b"):
        export_onnx(simulate_weight_only(subjects["small"], scheme=scheme), tmp_path / name, name="n", preprocess={})
    assert (tmp_path / "a" / "model.onnx").read_bytes() == (tmp_path / "b" / "model.onnx").read_bytes()
