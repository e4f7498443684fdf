"""A small trained classifier of digits, with a plain, a depthwise and a pointwise convolution and a linear layer."""

import dataclasses

import pytest
import torch
from torch import nn

from edgewright.data import load_data
from edgewright.model import capture
from edgewright.tasks import Classify
from edgewright.train import Train
from edgewright.types import Device, Job

BOARD = Device(
    name="board", title="A board for tests", kind="mcu", clock_hz=216e6, ram_bytes=320 * 1024, flash_bytes=1024 * 1024,
    macs_per_cycle={"float32": 0.4, "int8": 1.0}, bandwidth_bytes_s=400e6, overhead_s=1e-5,
    pj_per_mac={"float32": 50.0, "int8": 20.0}, pj_per_byte=10.0, round_to=4, runtimes=("onnx",),
)  # fmt: skip


@pytest.fixture(scope="session")
def random_job() -> Job:
    """1,744 weights in five layers: 72, 72, 128, 1,152 and 320."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
            nn.Conv2d(8, 16, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 10),
        )  # fmt: skip
    return Job(
        model=capture(net, (1, 8, 8)), task=Classify(num_classes=10), data=load_data("digits"), device=BOARD,
        model_name="small",
    )  # fmt: skip


@pytest.fixture(scope="session")
def trained_job(random_job) -> Job:
    """The same net after a few epochs."""
    stage = Train(epochs=4, batch_size=64, lr=0.01, augment="none")
    return dataclasses.replace(random_job, model=stage.run(random_job).model)
