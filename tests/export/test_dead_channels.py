"""Dead channels leave an integer ONNX file, and ONNX Runtime gives the same bytes."""

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn
from torch.nn import functional as F

from edgewright.errors import ExportError, UnsupportedError
from edgewright.export import remove_dead_channels
from edgewright.export.cutting import Cutter
from edgewright.export.freeze import freeze
from edgewright.export.onnx_file import to_onnx
from edgewright.program import macs
from edgewright.program.onnx_file import read_onnx
from lowered_nets import images, simulation
from onnx_files import QuantFormat, export, pictures, quantized, runtime


class Dying(nn.Module):
    """Channels that a bias has pushed below the clamp: in a block, a depthwise pair, a branch and the features."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.third, self.fourth = nn.Conv2d(8, 12, 1), nn.Conv2d(8, 12, 3, padding=1)
        self.fc, self.out = nn.Linear(24 * 4, 16), nn.Linear(16, 5)
        with torch.no_grad():
            for layer, dead in ((self.first, 3), (self.second, 5), (self.third, 4), (self.fourth, 2), (self.fc, 6)):
                layer.bias[:dead] = -60.0

    def forward(self, x):
        x = F.relu(self.second(F.relu(self.first(x))))
        x = torch.cat([F.relu(self.third(x)), F.relu(self.fourth(x))], 1)
        return self.out(F.relu(self.fc(F.max_pool2d(x, 4).flatten(1))))


@pytest.fixture(scope="module")
def dying(tmp_path_factory):
    torch.manual_seed(0)
    x = pictures(8, 3, 8, 8)
    return export(Dying(), x, tmp_path_factory.mktemp("dying") / "net.onnx"), x


@pytest.mark.parametrize(("activations", "weights"), [("uint8", "int8"), ("int8", "int8"), ("uint8", "uint8")])
def test_dead_channels_leave_the_file_and_no_byte_changes(dying, activations, weights, tmp_path):
    path, x = dying
    file, slim = quantized(path, x, activations=activations, weights=weights), tmp_path / "slim.onnx"
    report = remove_dead_channels(file, slim)
    onnx.checker.check_model(onnx.load(slim), full_check=True)
    shapes = {each.name: list(each.dims) for each in onnx.load(slim).graph.initializer}
    assert report.macs_removed > report.macs_before / 4
    assert sum(macs(read_onnx(slim)).values()) == report.macs_before - report.macs_removed
    assert any(size == [5, 10] or size == [10, 5] for size in shapes.values())  # 6 of 16 features are gone
    want, got = (runtime(each).run(None, {"image": x})[0] for each in (file, slim))
    assert want.tobytes() == got.tobytes() and len(np.unique(want)) > 5
    assert slim.stat().st_size < file.stat().st_size


def test_our_own_files_too(tmp_path):
    x = images(4, 3, 8, 8)
    model = Dying()
    net = simulation(model, x, float_output=True, draw=False)
    onnx.save(to_onnx(freeze(net), name="net"), tmp_path / "net.onnx")
    report = remove_dead_channels(tmp_path / "net.onnx", tmp_path / "slim.onnx")
    assert report.weights_removed > 0
    want, got = (runtime(tmp_path / name).run(None, {"image": x.numpy()})[0] for name in ("net.onnx", "slim.onnx"))
    assert want.tobytes() == got.tobytes()


def test_a_file_without_dead_channels_stays_as_it_is(tmp_path):
    x = images(4, 3, 8, 8)
    net = simulation(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 3)), x)
    onnx.save(to_onnx(freeze(net), name="net"), tmp_path / "net.onnx")
    assert remove_dead_channels(tmp_path / "net.onnx", tmp_path / "same.onnx").macs_removed == 0
    assert (tmp_path / "same.onnx").read_bytes() == (tmp_path / "net.onnx").read_bytes()


class Split(nn.Module):
    """A map that is cut in two, whose number of channels is written into the file."""

    def __init__(self):
        super().__init__()
        self.first, self.inner = nn.Conv2d(3, 8, 3), nn.Conv2d(4, 6, 1)
        self.last = nn.Conv2d(10, 2, 1)
        with torch.no_grad():
            self.first.bias[:3] = self.inner.bias[:2] = -60.0

    def forward(self, x):
        left, right = F.relu(self.first(x)).split(4, 1)
        return self.last(torch.cat([left, F.relu(self.inner(right))], 1))


def test_what_the_file_fixes_elsewhere_stays_whole(tmp_path):
    torch.manual_seed(0)
    x = pictures(4, 3, 8, 8)
    file = quantized(export(Split(), x, tmp_path / "net.onnx"), x)
    report = remove_dead_channels(file, tmp_path / "slim.onnx")
    before = {each.output: (each.channels_before, each.channels_after) for each in report.operations}
    assert (8, 8) in before.values() and (6, 4) in before.values()
    assert any("has its number of channels written into the file" in each.reason for each in report.stays)


def test_operators_on_codes_are_refused(dying, tmp_path):
    path, x = dying
    with pytest.raises(UnsupportedError, match=r"has operators on codes \(QLinearConv\).*: quantize to the QDQ form"):
        remove_dead_channels(quantized(path, x, form=QuantFormat.QOperator), tmp_path / "no.onnx")


def test_a_file_whose_outputs_change_is_not_written(dying, tmp_path, monkeypatch):
    path, x = dying
    plain = Cutter.cut

    def wrong(self):
        model = plain(self)
        bias = next(each for each in model.graph.initializer if list(each.dims) == [5] and each.data_type == 6)
        bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + 10**6, bias.name))
        return model

    monkeypatch.setattr(Cutter, "cut", wrong)
    with pytest.raises(ExportError, match=r"gives another output output in ONNX Runtime.*nothing was written"):
        remove_dead_channels(quantized(path, x), tmp_path / "slim.onnx")
    assert not (tmp_path / "slim.onnx").exists()
