"""A small classifier of digits, trained for a moment, quantized and exported beside its float form."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from edgewright.compress.quantize import Quantize
from edgewright.data import load_data
from edgewright.export import export_onnx
from edgewright.model import capture
from edgewright.tasks import Classify
from edgewright.train import Train, train_weights
from edgewright.types import Device, Job, plain

DEVICE = Device(
    name="d", title="d", kind="cpu", clock_hz=1e9, ram_bytes=10**6, flash_bytes=10**6, macs_per_cycle={"float32": 1},
    bandwidth_bytes_s=1e9, overhead_s=0, pj_per_mac={"float32": 1}, pj_per_byte=1, round_to=8, runtimes=(),
)  # fmt: skip


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Data, task, the simulation, and the two artifacts."""
    data, task = load_data("digits"), Classify(num_classes=10)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = [nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(256, 10)]
        net = capture(nn.Sequential(*layers), data.preprocess.shape)
    net = train_weights(net, task=task, data=data, settings=Train(epochs=2, lr=0.01, augment="none"), seed=0).net
    job = Job(model=net, task=task, data=data, device=DEVICE)
    result = Quantize(method="minmax").run(job)
    folder = tmp_path_factory.mktemp("made")
    given = {"name": "digits", "preprocess": plain(data.preprocess), "class_names": data.class_names}
    int8 = export_onnx(result.model, folder / "int8", samples_BCHW=data.calibration(8, 1), **given)
    fp32 = export_onnx(net, folder / "fp32", **given)
    return SimpleNamespace(
        data=data, task=task, simulation=result.model, cost=result.cost, score=result.score, int8=int8, fp32=fp32
    )
