"""OpenVINO and ExecuTorch files: our own integers and scales, or an error that says what is missing."""

import importlib.util
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from edgewright.errors import MissingExtraError, UnsupportedError
from edgewright.export import EXPORTERS, export_executorch, export_openvino
from edgewright.export.dialect import float_layers, in_dialect
from edgewright.model import capture
from edgewright.model.quantized import QuantizeActivation, is_quantized
from edgewright.verify import ExecuTorchRunner, OpenVinoRunner, read_artifact, read_expected
from edgewright.verify.openvino_runner import float_layers as float_precisions

needs_openvino = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="openvino is not installed: pip install 'edgewright[openvino]'"
)
needs_executorch = pytest.mark.skipif(
    importlib.util.find_spec("executorch") is None,
    reason="executorch is not installed: pip install 'edgewright[executorch]'",
)
GIVEN = {"name": "small", "preprocess": {}}


class Pieces(nn.Module):
    """What backends fuse in different ways: a strided slice, a padding, a sum, a pooling, a mean."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 16, 3, 2, 1), nn.Conv2d(16, 4, 1)

    def forward(self, x):
        x = F.relu(self.a(x))
        x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 4, 4)) + self.b(x)
        return self.c(F.max_pool2d(x, 2)).mean((2, 3))


@pytest.fixture(scope="module")
def pieces(nets):
    """A simulation without a linear layer: every layer has a quantizer behind it."""
    return nets.quantized(nets.captured(nets.seeded(Pieces), (3, 12, 12)))


def outputs(net, x):
    with torch.no_grad():
        return net(x)


@pytest.mark.slow
def test_the_dialect_computes_what_the_simulation_computes(nets, pieces):
    for simulation in (nets.simulation, pieces):
        assert torch.equal(outputs(in_dialect(simulation), nets.x), outputs(simulation, nets.x))
        assert is_quantized(simulation)  # the input is left as it was


@pytest.mark.slow
def test_the_dialect_has_one_dequantizer_for_each_reader(nets):
    changed = in_dialect(nets.simulation)
    readers = {
        node.name: len(node.users) for node in changed.graph.nodes if node.name.endswith(("_values", "_values_1"))
    }
    assert readers and set(readers.values()) == {1}


@pytest.mark.slow
def test_only_a_layer_without_a_quantizer_behind_it_stays_in_float(nets, pieces):
    assert float_layers(nets.simulation) == ("fc",)
    assert float_layers(pieces) == ()
    assert type(in_dialect(nets.simulation).get_submodule("fc")) is nn.Linear


def test_a_grid_that_the_dialect_does_not_know_is_refused(nets):
    changed = capture(nn.Sequential(nn.Conv2d(3, 4, 1)), (3, 4, 4))
    changed.add_submodule("narrow", QuantizeActivation(bits=4))
    last = next(node for node in reversed(changed.graph.nodes) if node.op == "call_module")
    with changed.graph.inserting_after(last):
        quantized = changed.graph.create_node("call_module", "narrow", (last,), name="narrow")
    last.replace_all_uses_with(quantized, delete_user_cb=lambda user: user is not quantized)
    changed.recompile()
    with pytest.raises(UnsupportedError, match=r"codes from -8 to 7.*quantize activations to 8 bits"):
        in_dialect(changed)


@pytest.mark.parametrize("name", ["openvino", "executorch"])
def test_a_format_whose_package_is_missing_names_the_extra(name, nets, tmp_path, monkeypatch):
    if name == "openvino":
        monkeypatch.setitem(sys.modules, "openvino", None)
    else:
        monkeypatch.setitem(sys.modules, "executorch", None)
        monkeypatch.setitem(sys.modules, "executorch.exir", None)
    with pytest.raises(
        MissingExtraError, match=rf"{name} is not installed: pip install 'edgewright\[{name}\]'"
    ) as found:
        EXPORTERS[name](nets.simulation, tmp_path / "a", **GIVEN)
    assert found.value.exit_code == 2 and not (tmp_path / "a").exists()


@needs_openvino
@pytest.mark.slow
def test_openvino_runs_the_file_in_integers_and_agrees(nets, tmp_path):
    artifact = export_openvino(nets.simulation, tmp_path / "a", samples_BCHW=nets.x, **GIVEN)
    assert [each["path"] for each in artifact.manifest["files"]] == ["expected.npz", "model.bin", "model.xml"]
    runner, want = OpenVinoRunner(read_artifact(artifact.folder).model_path), read_expected(artifact)["output"]
    found = runner.precisions()
    assert found[("Convolution", "u8")] >= 5 and float_precisions(found) == 0
    # its sums are exact; a value that lies at a half may fall to the other side, a step of some tensor at most
    assert np.abs(runner(want_input(artifact)) - want).max() <= 0.05 * np.abs(want).max()


def want_input(artifact):
    return read_expected(artifact)["input"]


@needs_openvino
@pytest.mark.slow
def test_openvino_stores_a_byte_per_weight_and_equal_bytes_for_equal_models(nets, tmp_path):
    first, again = (export_openvino(nets.simulation, tmp_path / name, **GIVEN) for name in "ab")
    assert first.manifest["files"] == again.manifest["files"]
    float_bin = export_openvino(nets.float, tmp_path / "f", **GIVEN).folder / "model.bin"
    assert (first.folder / "model.bin").stat().st_size < 0.6 * float_bin.stat().st_size  # biases count in a small net


@needs_executorch
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_xnnpack_computes_the_simulation_bit_for_bit(nets, pieces, tmp_path):
    artifact = export_executorch(pieces, tmp_path / "a", samples_BCHW=nets.x, **GIVEN)
    got = ExecuTorchRunner(artifact.model_path)(nets.x)
    assert torch.equal(got, outputs(pieces, nets.x))
    assert artifact.manifest["float_layers"] == [] and "convolution" not in " ".join(artifact.manifest["portable"])


@needs_executorch
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_classifier_in_float_gives_right_scores_in_executorch(nets, tmp_path):
    """Its integers without a quantizer behind them would be taken for values by the partitioner: off by a factor."""
    artifact = export_executorch(nets.simulation, tmp_path / "a", samples_BCHW=nets.x, **GIVEN)
    assert artifact.manifest["float_layers"] == ["fc"]
    got, want = ExecuTorchRunner(artifact.model_path)(nets.x), outputs(nets.simulation, nets.x)
    assert torch.allclose(got, want, rtol=0, atol=1e-4 * float(want.abs().max()))


@needs_executorch
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_float_model_is_written_for_executorch_too(nets, tmp_path):
    artifact = export_executorch(nets.float, tmp_path / "a", **GIVEN)
    got, want = ExecuTorchRunner(artifact.model_path)(nets.x), outputs(nets.float, nets.x)
    assert not artifact.manifest["quantized"] and torch.allclose(got, want, atol=1e-4 * float(want.abs().max()))
