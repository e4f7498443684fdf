"""Whole models as files: of our own exporter, in float and in integers, and of PyTorch's two exporters."""

import warnings

import numpy as np
import onnx
import pytest
import torch
import torchvision
from torch import nn

from edgewright.analyze import profile
from edgewright.compress.quantize import observe, plan_quantizers, ranges_of, simulate
from edgewright.export import export_onnx
from edgewright.model import capture, cut, find_channels, load_model, save_model
from edgewright.model.fold import fold_batch_norms
from edgewright.model.onnx import read_onnx
from edgewright.model.quantized import is_quantized
from edgewright.zoo import resolve

ZOO = ["simple_cnn", "resnet8", "resnet20", "mobilenet_v1:0.25@64", "mobilenet_v2:0.35@64", "ds_cnn"]


def alive(model, shape):
    """Weights such that every value matters: no zero biases, statistics of random images."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for layer in model.modules():
            if isinstance(layer, (nn.Conv2d, nn.Linear, nn.LayerNorm, nn.BatchNorm2d)) and layer.bias is not None:
                nn.init.normal_(layer.bias, std=0.1)
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = None
                nn.init.uniform_(layer.weight, 0.7, 1.3)
        with torch.no_grad():
            model.train()(torch.randn(8, *shape))
    return model.eval()


@pytest.fixture(scope="module")
def zoo():
    """A captured zoo model by name, built once."""
    built = {}

    def build(name):
        if name not in built:
            found = resolve(name, num_classes=None)
            built[name] = capture(alive(found.model, found.input_shape), found.input_shape)
        return built[name]

    return build


def simulated(net, x):
    folded, _ = fold_batch_norms(net)
    plan = plan_quantizers(folded)
    return simulate(folded, plan, ranges_of(observe(folded, plan, x), method="minmax", percentile=100.0))


@pytest.mark.slow
@pytest.mark.parametrize("name", ZOO)
def test_a_zoo_model_comes_back_from_its_file(name, zoo, files, tmp_path):
    net = zoo(name)
    shape = net.meta["input_shape"]
    path = export_onnx(net, tmp_path / "a", name=name, preprocess={}).folder / "model.onnx"
    read = files.agrees(path, files.images(3, shape))
    assert read.meta["input_shape"] == shape
    folded = fold_batch_norms(net)[0]
    assert sorted(key for key, _ in read.named_parameters()) == sorted(key for key, _ in folded.named_parameters())
    ours, theirs = profile(read), profile(folded)
    assert (ours.macs, ours.params, ours.elementwise) == (theirs.macs, theirs.params, theirs.elementwise)
    assert (ours.peak_ram_bytes, ours.weight_bytes, ours.unknown) == (theirs.peak_ram_bytes, theirs.weight_bytes, ())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet8", "ds_cnn"])
def test_an_integer_model_comes_back_as_the_simulation_it_was_written_from(name, zoo, files, tmp_path):
    net = zoo(name)
    shape = net.meta["input_shape"]
    x = files.images(200, shape, seed=1)
    simulation = simulated(net, x[:16])
    path = export_onnx(simulation, tmp_path / "a", name=name, preprocess={}).folder / "model.onnx"
    read = read_onnx(path)
    with torch.no_grad():
        ours, written = read(x), simulation(x)
    assert is_quantized(read) and torch.equal(ours, written)
    theirs = files.runtime(path, x)[0]
    assert np.mean(ours.argmax(1).numpy() == theirs.argmax(1)) >= 0.99
    last = [layer for layer in read.modules() if type(layer).__name__ == "QuantizeActivation"][-1]
    assert np.abs(ours.numpy() - theirs).max() <= 3 * last.scale.item()  # the runtime may round otherwise in each layer


@pytest.mark.slow
def test_an_integer_model_costs_what_its_float_twin_costs_in_integers(zoo, files, tmp_path):
    net = zoo("ds_cnn")  # its file has no added channels of zeros
    simulation = simulated(net, files.images(4, net.meta["input_shape"]))
    path = export_onnx(simulation, tmp_path / "a", name="ds_cnn", preprocess={}).folder / "model.onnx"
    ours, twin = profile(read_onnx(path), dtype="int8"), profile(fold_batch_norms(net)[0], dtype="int8")
    assert (ours.macs, ours.peak_ram_bytes) == (twin.macs, twin.peak_ram_bytes)  # clamps are part of the rounding
    assert (ours.weight_bytes, ours.unknown) == (twin.weight_bytes, ())


@pytest.mark.slow
def test_channels_are_found_and_cut_and_the_model_is_stored(zoo, files, tmp_path):
    net = zoo("resnet8")
    path = export_onnx(net, tmp_path / "a", name="resnet8", preprocess={}).folder / "model.onnx"
    read = read_onnx(path)
    groups = {group.name: group.num_classes for group in find_channels(read).free}
    assert groups == {group.name: group.num_classes for group in find_channels(fold_batch_norms(net)[0]).free}
    first = next(iter(find_channels(read).free))
    smaller = cut(read, {first.name: list(range(first.num_classes // 2))})
    assert profile(smaller).macs < profile(read).macs
    (tmp_path / "stored").mkdir()
    save_model(smaller, tmp_path / "stored")
    x = files.images(2, net.meta["input_shape"])
    torch.testing.assert_close(load_model(tmp_path / "stored")(x), smaller(x))


class Mixed(nn.Module):
    """What exporters write in many ways: attention, normalizations, gates, interpolation, padding, chunks."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.SiLU())
        self.token, self.scale = nn.Parameter(torch.randn(1, 1, 16)), nn.Parameter(torch.rand(16))
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.norm, self.group = nn.LayerNorm(16), nn.GroupNorm(4, 16)
        self.up = nn.ConvTranspose2d(16, 8, 2, stride=2)
        self.gelu, self.swish, self.head = nn.GELU(), nn.Hardswish(), nn.Linear(24, 5)

    def forward(self, x):
        x = self.swish(self.group(self.stem(x)))
        tokens = torch.cat([self.token.expand(x.shape[0], -1, -1), x.flatten(2).transpose(1, 2)], 1)
        tokens = tokens + self.attention(self.norm(tokens), tokens, tokens, need_weights=False)[0] * self.scale
        left, right = nn.functional.interpolate(self.up(x), scale_factor=0.5, mode="bilinear").chunk(2, 1)
        image = torch.cat([nn.functional.pad(left, (1, 1)), nn.functional.pad(right, (1, 1))], 1)
        return self.head(torch.cat([self.gelu(tokens[:, 0]), image.amax((2, 3))], 1))


EXPORTS = {
    "opset 18": {"dynamo": True, "opset_version": 18},
    "opset 20": {"dynamo": True, "opset_version": 20},
    "older exporter, opset 14": {"dynamo": False, "opset_version": 14},
    "older exporter, opset 17": {"dynamo": False, "opset_version": 17},
}


def exported(model, shape, path, *, fixed, **how):
    """A file of PyTorch's exporters; `fixed`: for one image."""
    x = torch.randn(1 if fixed else 2, *shape, generator=torch.Generator().manual_seed(0))
    if how["dynamo"]:
        how |= {"dynamic_shapes": None if fixed else ({0: torch.export.Dim.DYNAMIC},), "verbose": False}
        how |= {"external_data": False}
    else:
        how |= {"input_names": ["x"], "dynamic_axes": None if fixed else {"x": {0: "batch"}}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporters warn about themselves
        torch.onnx.export(model, (x,), str(path), **how)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("fixed", [False, True], ids=["any batch", "batch of 1"])
@pytest.mark.parametrize("how", EXPORTS)
def test_both_exporters_of_pytorch_are_read(how, fixed, files, tmp_path):
    model = alive(Mixed(), (3, 8, 8))
    path = exported(model, (3, 8, 8), tmp_path / "m.onnx", fixed=fixed, **EXPORTS[how])
    read = files.agrees(path, files.images(1 if fixed else 3, (3, 8, 8)))
    x = files.images(4, (3, 8, 8), seed=2)
    with torch.no_grad():
        torch.testing.assert_close(read(x), model(x), rtol=1e-4, atol=1e-4)  # at other batch sizes too
    assert profile(read).macs == profile(capture(model, (3, 8, 8))).macs
    assert not profile(read).unknown


SMALL = [("resnet18", 64), ("mobilenet_v2", 64)]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "size"), SMALL)
def test_a_torchvision_model_comes_back_from_its_file(name, size, files, tmp_path):
    model = alive(torchvision.models.get_model(name, weights=None), (3, size, size))
    path = exported(model, (3, size, size), tmp_path / "m.onnx", fixed=False, **EXPORTS["opset 18"])
    read = files.agrees(path, files.images(2, (3, size, size)))
    folded = fold_batch_norms(capture(model, (3, size, size)))[0]  # as the exporter does
    ours, theirs = profile(read), profile(folded)
    assert (ours.macs, ours.elementwise, ours.params) == (theirs.macs, theirs.elementwise, theirs.params)
    assert ours.peak_ram_bytes == theirs.peak_ram_bytes


@pytest.mark.slow
def test_layers_are_called_as_in_the_model_they_were_exported_from(tmp_path):
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(nn.Conv2d(4, 4, 3), nn.ReLU()), nn.Flatten())
    new = exported(model, (3, 8, 8), tmp_path / "new.onnx", fixed=True, **EXPORTS["opset 18"])
    old = exported(model, (3, 8, 8), tmp_path / "old.onnx", fixed=True, **EXPORTS["older exporter, opset 17"])
    for path in (new, old):
        assert [node.target for node in read_onnx(path).graph.nodes if node.op == "call_module"] == ["0", "1.0"]


def test_half_precision_is_read_as_single(files, tmp_path):
    node = onnx.helper.make_node("Conv", ["x", "w"], ["y"])
    weight = np.random.default_rng(0).standard_normal((4, 3, 3, 3)).astype(np.float16)
    model = files.made([node], constants={"w": weight})
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    onnx.save(model, tmp_path / "half.onnx")
    read, x = read_onnx(tmp_path / "half.onnx"), files.images(2, (3, 8, 8))
    want = nn.functional.conv2d(x, torch.from_numpy(weight.astype(np.float32)))
    torch.testing.assert_close(read(x), want)
