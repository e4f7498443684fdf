"""The coded artifact: manifest, golden vectors, its runner, and files that are equal for equal models."""

import numpy as np
import pytest
import torch
from torch import nn

from edgewright.errors import ModelError, ShapeError
from edgewright.export import export_coded
from edgewright.model import capture, fingerprint
from edgewright.model.coded import load_coded
from edgewright.verify import read_artifact, read_expected
from edgewright.verify.coded_runner import CodedRunner

GIVEN = {"name": "small", "preprocess": {"mean": [0.5], "std": [0.25]}, "class_names": ("a", "b", "c")}


@pytest.fixture
def net():
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3))
    layers[3].weight.data = (layers[3].weight.data * 20).round() / 20
    return capture(layers, (1, 8, 8))


def test_the_manifest_says_what_the_bytes_are_for(net, tmp_path):
    artifact = export_coded(net, tmp_path / "a", samples_BCHW=torch.randn(4, 1, 8, 8), **GIVEN)
    manifest = read_artifact(tmp_path / "a").manifest  # sizes and hashes are checked
    assert sum(manifest["parts_bytes"].values()) == artifact.num_bytes == artifact.model_path.stat().st_size
    assert manifest["fp32_bytes"] == 4 * sum(value.numel() for value in net.state_dict().values())
    assert (manifest["model"], manifest["quantized"]) == ("model.coded", False)
    assert manifest["input"]["shape"] == ["batch", 1, 8, 8]
    assert manifest["outputs"] == [{"name": "output", "shape": ["batch", 3]}]


def test_the_file_alone_tells_name_statistics_and_classes(net, tmp_path):
    artifact = export_coded(net, tmp_path / "a", **GIVEN)
    loaded, facts = load_coded(artifact.model_path)
    assert fingerprint(loaded) == fingerprint(net)
    assert facts == {**GIVEN, "class_names": ["a", "b", "c"]}


def test_the_runner_gives_the_golden_outputs(net, tmp_path):
    images = torch.randn(4, 1, 8, 8)
    artifact = export_coded(net, tmp_path / "a", samples_BCHW=images, **GIVEN)
    expected = read_expected(read_artifact(tmp_path / "a"))
    runner = CodedRunner(artifact.model_path)
    assert np.array_equal(runner(expected["input"]), expected["output"])
    assert torch.equal(runner(images), net(images))
    assert "torch" in runner.runtime


def test_wrong_images_and_missing_files_are_named(net, tmp_path):
    artifact = export_coded(net, tmp_path / "a", **GIVEN)
    with pytest.raises(ShapeError, match=r"model\.coded takes inputs of shape .*1, 8, 8\], got \[2, 1, 9, 8\]"):
        CodedRunner(artifact.model_path)(torch.zeros(2, 1, 9, 8))
    with pytest.raises(ModelError, match=r"none\.coded cannot be read"):
        CodedRunner(tmp_path / "none.coded")


def test_equal_models_give_equal_files(net, tmp_path):
    first, again = (export_coded(net, tmp_path / name, **GIVEN).model_path.read_bytes() for name in "ab")
    assert first == again


@pytest.mark.slow
def test_a_quantized_model_comes_back_exactly_too(nets, tmp_path):
    artifact = export_coded(nets.simulation, tmp_path / "a", **GIVEN)
    loaded, _ = load_coded(artifact.model_path)
    assert artifact.manifest["quantized"] and fingerprint(loaded) == fingerprint(nets.simulation)
    assert torch.equal(loaded(nets.x), nets.simulation(nets.x))
