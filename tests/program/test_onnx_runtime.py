"""Files of ONNX Runtime's own quantizer: each operation is within a step of the runtime's, decisions are the same."""

from collections import Counter

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from edgewright.errors import UnsupportedError
from edgewright.export.c import emit, write
from edgewright.program import input_codes
from edgewright.program.onnx_file import read_onnx
from edgewright.verify.firmware.host import compare_on_host
from onnx_files import QuantFormat, agreement, export, own_steps, pictures, quantized

QDQ, QOPERATOR = QuantFormat.QDQ, QuantFormat.QOperator
LEAST_AGREEMENT = 0.995  # of decisions: design.md, section 4


class Mixed(nn.Module):
    """Many operators, none of them in one of our own nets in this form."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.depthwise = nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.wide, self.row = nn.Conv2d(8, 16, 1), nn.Conv2d(16, 16, (1, 5), padding=(0, 2))
        self.spread = nn.Conv2d(16, 16, 3, padding=2, dilation=2, groups=4)
        self.squeeze, self.excite, self.up = nn.Conv2d(16, 4, 1), nn.Conv2d(4, 16, 1), nn.Conv2d(16, 8, 1)
        self.norm, self.last, self.fc = nn.BatchNorm2d(16), nn.Conv2d(24, 8, 3), nn.Linear(32, 10)

    def forward(self, x):
        x = self.wide(F.relu6(self.depthwise(F.relu(self.first(x)))))
        y = F.hardswish(self.row(x))
        x = y + F.silu(self.spread(x))
        x = x * torch.sigmoid(self.excite(F.relu(self.squeeze(F.adaptive_avg_pool2d(x, 1)))))
        small = F.max_pool2d(F.leaky_relu(self.norm(x) + y, 0.1), 3, 2, 1)
        near = F.interpolate(small, scale_factor=2, mode="nearest")
        smooth = F.interpolate(self.up(small), scale_factor=2.0, mode="bilinear", align_corners=False)
        left, right = torch.cat([near, smooth], 1).chunk(2, 1)
        x = F.gelu(self.last(F.pad(torch.cat([left, torch.tanh(right)], 1), (1, 1, 1, 1))))
        return self.fc(F.avg_pool2d(F.avg_pool2d(x, 3, 2, 1), 2).flatten(1))


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    torch.manual_seed(0)
    images = pictures(8, 3, 16, 16)
    return export(Mixed(), images, tmp_path_factory.mktemp("mixed") / "net.onnx"), images


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize(("activations", "weights"), [("uint8", "int8"), ("int8", "int8"), ("uint8", "uint8")])
def test_each_operation_is_within_a_step_of_the_runtime(mixed, activations, weights, per_channel):
    path, images = mixed
    file = quantized(path, images, activations=activations, weights=weights, per_channel=per_channel)
    steps = own_steps(file, images[:2])
    assert len(steps) >= len(read_onnx(file).operations)
    assert max(most for most, _ in steps.values()) <= 1, steps
    assert min(equal for _, equal in steps.values()) > 0.75, "a mean of few values often ends at a half"


def test_kinds_of_operations(mixed):
    path, images = mixed
    kinds = Counter(each.kind for each in read_onnx(quantized(path, images)).operations)
    assert {"conv", "linear", "add", "mul", "concat", "slice", "max_pool", "average_pool", "global_average", "look_up",
            "leaky_relu", "nearest", "bilinear", "reshape"} <= set(kinds)  # fmt: skip
    assert not {"transpose", "pad"} & set(kinds)


class Small(nn.Module):
    """What ONNX Runtime has operators on codes for."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.fc = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, padding=1), nn.Linear(16, 5)

    def forward(self, x):
        x = F.relu(self.first(x))
        x = torch.cat([x + torch.sigmoid(self.second(x)), F.leaky_relu(x, 0.2)], 1)
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


@pytest.mark.parametrize("activations", ["uint8", "int8"])
def test_operators_on_codes_are_read_as_what_they_mean(activations, tmp_path):
    torch.manual_seed(0)
    images = pictures(6, 3, 12, 12)
    path = export(Small(), images, tmp_path / "net.onnx")
    file = quantized(path, images, activations=activations, form=QOPERATOR)
    assert max(most for most, _ in own_steps(file, images[:3]).values()) <= 1
    kinds = Counter(each.kind for each in read_onnx(file).operations)
    assert kinds["conv"] == 2 and kinds["linear"] == 1 and kinds["concat"] == 1


def test_firmware_of_a_foreign_file_gives_the_bytes_of_the_program(mixed, tmp_path):
    path, images = mixed
    program = read_onnx(quantized(path, images), name="foreign")
    codes = [{program.inputs[0]: input_codes(program, image)} for image in images[:2]]
    write(emit(program, codes[:1]), tmp_path / "firmware")
    found = compare_on_host(program, tmp_path / "firmware", codes)
    assert found.differing == 0 and found.total > 0


def calibrated(model, images):
    """Statistics of the images: with others a net of random weights fades away."""
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None
            layer.reset_running_stats()
    with torch.no_grad():
        model.train()(torch.from_numpy(images))
    return model.eval()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "form"), [("mobilenet_v3_small", QDQ), ("shufflenet_v2_x0_5", QOPERATOR)])
def test_nets_of_torchvision(name, form, tmp_path):
    models = pytest.importorskip("torchvision.models")
    torch.manual_seed(0)
    images = pictures(8, 3, 48, 48)
    path = export(calibrated(getattr(models, name)(weights=None, num_classes=10), images), images, tmp_path / "n.onnx")
    file = quantized(path, images, form=form)
    assert max(most for most, _ in own_steps(file, images[:2]).values()) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("form", [QDQ, QOPERATOR])
def test_a_trained_net_decides_as_in_the_runtime(form, tmp_path):
    digits = load_digits()
    images, labels = (digits.images[:, None] / 8 - 1).astype(np.float32), torch.from_numpy(digits.target)
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.Hardswish(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 10),
    )  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(60):
        loss = F.cross_entropy(model(torch.from_numpy(images[:1400])), labels[:1400])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    file = quantized(export(model, images, tmp_path / "net.onnx"), images[:64], form=form)
    assert agreement(file, images[1400:]) >= LEAST_AGREEMENT


def test_layers_without_a_quantizer_are_refused_by_name(tmp_path):
    images = pictures(2, 3, 8, 8)
    path = export(Small(), images, tmp_path / "net.onnx")
    with pytest.raises(UnsupportedError, match=r"Conv at /first/Conv of .*reads what is not quantized: quantize what"):
        read_onnx(path)
