"""The file: stored integers, our scales, few bytes, the same bytes again, and a graph that the runtime fuses."""

import hashlib
import json
from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, numpy_helper
from torch import nn

from edgewright.compress.quantize import observe, plan_quantizers, ranges_of, simulate
from edgewright.errors import ExportError
from edgewright.export import export_onnx
from edgewright.export.freeze import freeze
from edgewright.model import capture
from edgewright.model.fold import fold_batch_norms
from edgewright.model.quantized import quantizers

pytestmark = pytest.mark.slow  # every test exports and runs files

PREPROCESS = {"shape": [3, 12, 12], "mean": [0.5], "std": [0.25]}


@pytest.fixture(scope="module")
def int8(nets, tmp_path_factory):
    folder = tmp_path_factory.mktemp("int8") / "artifact"
    return export_onnx(
        nets.simulation, folder, name="small", preprocess=PREPROCESS, class_names=["a", "b"], samples_BCHW=nets.x[:2]
    )


@pytest.fixture(scope="module")
def fp32(nets, tmp_path_factory):
    return export_onnx(nets.float, tmp_path_factory.mktemp("fp32") / "artifact", name="small", preprocess=PREPROCESS)


def run(artifact, images):
    session = onnxruntime.InferenceSession(str(artifact.model_path), providers=["CPUExecutionProvider"])
    return session.run(None, {"image": images.numpy()})[0]


def test_the_frozen_form_computes_the_simulation_bit_for_bit(nets):
    frozen = freeze(nets.simulation)
    with torch.no_grad():
        assert torch.equal(frozen(nets.x), nets.simulation(nets.x))


def test_the_file_computes_what_the_simulation_does_for_any_batch_size(nets, int8):
    for batch in (1, 3, 8):
        want = nets.simulation(nets.x[:batch]).detach().numpy()
        got = run(int8, nets.x[:batch])
        assert got.shape == (batch, 10)
        assert np.abs(got - want).max() < 0.05 * np.abs(want).max()  # a step or two of the last tensors


def test_weights_are_stored_as_int8_and_biases_as_int32(int8):
    graph = onnx.load(int8.model_path).graph
    kinds = {tensor.name: tensor.data_type for tensor in graph.initializer}
    weights = [name for name in kinds if name.endswith(".weight")]
    biases = [name for name in kinds if name.endswith(".bias")]
    assert len(weights) == 7 and all(kinds[name] == TensorProto.INT8 for name in weights)
    assert len(biases) == 7 and all(kinds[name] == TensorProto.INT32 for name in biases)
    scales = {node.input[1] for node in graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")}
    assert {tensor.name for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT} == scales


def test_the_scales_in_the_file_are_ours(nets, int8):
    graph = onnx.load(int8.model_path).graph
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    scale_of = {node.input[0]: node.input[1] for node in graph.node if node.op_type == "DequantizeLinear"}
    weight = nets.simulation.get_submodule("stem.0")
    assert np.array_equal(stored["stem.0.weight"], weight.weight_codes().numpy())
    assert np.array_equal(stored[scale_of["stem.0.weight"]], weight.weight_scale.numpy())
    assert np.array_equal(stored[scale_of["stem.0.bias"]], weight.bias_scale.numpy())
    for name, layer in quantizers(nets.simulation).items():
        written = int8.manifest["tensors"][name]
        assert written["scale"] == layer.scale.item() and written["zero_point"] == int(layer.zero_point) + 128


def test_the_runtime_fuses_every_operator_to_an_integer_kernel(int8, tmp_path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.optimized_model_filepath = 3, str(tmp_path / "o.onnx")
    onnxruntime.InferenceSession(str(int8.model_path), options, providers=["CPUExecutionProvider"])
    ops = Counter(node.op_type for node in onnx.load(tmp_path / "o.onnx").graph.node)
    assert ops["QLinearConv"] == 6 and ops["QGemm"] == 1 and ops["QLinearAdd"] == 2
    assert ops["QLinearConcat"] == 1 and ops["QLinearGlobalAveragePool"] == 1
    assert ops["QuantizeLinear"] == 1 and ops["DequantizeLinear"] == 0
    assert not set(ops) & {"Conv", "FusedConv", "Gemm", "Add", "Relu", "Clip", "Concat"}


def test_clamps_dropout_and_batch_norms_leave_no_node(int8):
    ops = {node.op_type for node in onnx.load(int8.model_path).graph.node}
    assert not ops & {"Relu", "Clip", "Dropout", "BatchNormalization", "Identity", "Shape"}


def test_nothing_is_in_the_file_that_no_runtime_reads(int8):
    model = onnx.load(int8.model_path)
    assert not model.metadata_props and not model.graph.value_info and not model.doc_string
    assert all(not node.name and not node.doc_string and not node.metadata_props for node in model.graph.node)
    weights = sum(len(tensor.raw_data) for tensor in model.graph.initializer)
    assert int8.num_bytes - weights < 100 * len(model.graph.node) + 60 * len(model.graph.initializer)


def test_equal_models_give_equal_bytes(nets, int8, tmp_path):
    again = export_onnx(
        nets.simulation, tmp_path / "again", name="small", preprocess=PREPROCESS, class_names=["a", "b"],
        samples_BCHW=nets.x[:2],
    )  # fmt: skip
    for name in ("model.onnx", "expected.npz", "manifest.json"):
        assert (again.folder / name).read_bytes() == (int8.folder / name).read_bytes()


def test_the_manifest_says_what_the_files_are(int8):
    manifest = json.loads((int8.folder / "manifest.json").read_text())
    assert manifest == int8.manifest
    assert manifest["quantized"] and manifest["class_names"] == ["a", "b"] and manifest["preprocess"] == PREPROCESS
    assert manifest["input"] == {"name": "image", "shape": ["batch", 3, 12, 12], "dtype": "float32"}
    assert manifest["outputs"] == [{"name": "output", "shape": ["batch", 10]}]
    for entry in manifest["files"]:
        content = (int8.folder / entry["path"]).read_bytes()
        assert entry["bytes"] == len(content) and entry["sha256"] == hashlib.sha256(content).hexdigest()


def test_golden_vectors_hold_every_quantized_tensor(nets, int8):
    with np.load(int8.folder / "expected.npz") as expected:
        assert {name for name in expected if name.startswith("codes/")} == {
            f"codes/{n}" for n in quantizers(nets.simulation)
        }
        assert all(expected[name].dtype == np.uint8 for name in expected if name.startswith("codes/"))
        assert np.array_equal(expected["output"], nets.simulation(nets.x[:2]).detach().numpy())


def test_a_float_model_is_written_in_float_with_batch_norms_folded(nets, fp32):
    model = onnx.load(fp32.model_path)
    assert not fp32.manifest["quantized"] and not fp32.manifest["tensors"]
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}
    np.testing.assert_allclose(run(fp32, nets.x), nets.float(nets.x).detach().numpy(), atol=1e-5)


@pytest.mark.slow
def test_a_wide_layer_takes_about_a_quarter_of_its_fp32_bytes(nets, tmp_path):
    net = nets.captured(nets.seeded(lambda: nn.Sequential(nn.Flatten(), nn.Linear(432, 256))), (3, 12, 12))
    int8, fp32 = (
        export_onnx(each, tmp_path / name, name="wide", preprocess={})
        for name, each in (("i", nets.quantized(net)), ("f", net))
    )
    assert int8.num_bytes < 0.26 * fp32.num_bytes  # 0.25 of the weights, and 13 bytes per channel of scale and bias


def test_a_first_convolution_reads_four_channels_and_computes_the_same(nets):
    layers = [nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 64, 3)]
    net = nets.captured(nets.seeded(lambda: nn.Sequential(*layers)), (3, 12, 12))
    simulation = nets.quantized(net)
    frozen = freeze(simulation)
    assert frozen.get_submodule("0").weight.shape == (16, 4, 3, 3)
    torch.testing.assert_close(frozen(nets.x), simulation(nets.x))


class Tokens(nn.Module):
    """Linear layers on three axes, a matrix product of activations, and a float operator between."""

    def __init__(self):
        super().__init__()
        self.patch, self.norm = nn.Conv2d(3, 16, 4, stride=4), nn.LayerNorm(16)
        self.up, self.down, self.head = nn.Linear(16, 32), nn.Linear(32, 16), nn.Linear(16, 10)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = x + self.down(nn.functional.gelu(self.up(self.norm(x))))
        return self.head(x.mean(1))


def test_linear_layers_on_tokens_are_integer_products(nets, tmp_path):
    net = nets.captured(nets.seeded(Tokens), (3, 12, 12))
    simulation = nets.quantized(net)
    artifact = export_onnx(simulation, tmp_path / "a", name="tokens", preprocess={})
    want = simulation(nets.x).detach().numpy()
    assert np.abs(run(artifact, nets.x) - want).max() < 0.05 * np.abs(want).max()
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.optimized_model_filepath = 3, str(tmp_path / "o.onnx")
    onnxruntime.InferenceSession(str(artifact.model_path), options, providers=["CPUExecutionProvider"])
    ops = Counter(node.op_type for node in onnx.load(tmp_path / "o.onnx").graph.node)
    assert ops["MatMulIntegerToFloat"] == 2 and ops["QGemm"] == 1 and ops["QLinearConv"] == 1


class Halves(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.a, self.b = nn.Conv2d(3, 8, 3), nn.Conv2d(4, 4, 3), nn.ConvTranspose2d(4, 4, 3)

    def forward(self, x):
        x = nn.functional.pad(self.stem(x), (0, 1, 1, 0))[:, :, 1:, :10]
        x = x.view(x.shape[0], 2, 4, 10, 10).transpose(1, 2).contiguous().view(x.shape[0], 8, 10, 10)
        left, right = x.chunk(2, 1)
        return self.a(left).flatten(1), self.b(right)


def test_pad_shuffle_split_transposed_and_several_outputs_are_written(nets, tmp_path):
    net = nets.captured(nets.seeded(Halves), (3, 12, 12))
    simulation = nets.quantized(net)
    artifact = export_onnx(simulation, tmp_path / "a", name="halves", preprocess={}, samples_BCHW=nets.x[:1])
    session = onnxruntime.InferenceSession(str(artifact.model_path), providers=["CPUExecutionProvider"])
    assert set(artifact.manifest["tensors"]) == set(quantizers(simulation))
    for want, got in zip(simulation(nets.x), session.run(None, {"image": nets.x.numpy()}), strict=True):
        assert np.abs(got - want.detach().numpy()).max() < 0.05 * want.abs().max()


def test_a_failed_export_leaves_no_folder(nets, tmp_path, monkeypatch):
    monkeypatch.setattr("edgewright.export.onnx_file.TRANSLATIONS", {})
    with pytest.raises(ExportError, match="small cannot be written as ONNX"):
        export_onnx(nets.simulation, tmp_path / "artifact", name="small", preprocess={})
    assert not list(tmp_path.iterdir())


class Sized(nn.Module):
    """Pads its input, whose size is read beside it, and computes something from stored tensors alone."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.inner, self.fc = nn.Conv2d(3, 8, 3), nn.Linear(8, 8), nn.Linear(8, 8)
        self.register_buffer("table", torch.linspace(-1, 1, 32).reshape(4, 8))

    def forward(self, x):
        rows = torch.relu(self.conv(nn.functional.pad(x, (0, 1, 0, 1)))).mean((2, 3))
        return self.fc(rows).reshape(x.shape[0], 8) * self.inner(self.table).mean(0).sigmoid()


def test_a_padded_input_whose_size_is_read_and_a_quantized_constant_can_be_exported(tmp_path):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        folded, _ = fold_batch_norms(capture(Sized(), (3, 9, 9)))
        x = torch.randn(4, 3, 9, 9)
    plan = plan_quantizers(folded)
    simulation = simulate(folded, plan, ranges_of(observe(folded, plan, x), method="minmax"))
    artifact = export_onnx(simulation, tmp_path / "a", name="sized", preprocess={}, samples_BCHW=x)
    assert "x_codes" in artifact.manifest["tensors"]
    np.testing.assert_allclose(run(artifact, x), simulation(x).detach().numpy(), atol=1e-5)
