"""A small network with everything that matters here, and a device with round numbers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edgewright.analyze import profile
from edgewright.model import capture
from edgewright.types import Device


class Small(nn.Module):
    """A convolution, a depthwise one, one in groups, a residual sum, attention-like product, and a linear layer."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.depth = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.grouped = nn.Conv2d(8, 8, 1, groups=2, bias=False)
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = self.stem(x).relu()
        x = (self.grouped(self.depth(x).relu()) + x).relu()
        flat = x.flatten(2)
        mixed = flat @ flat.transpose(1, 2)
        return self.head(mixed.mean(2))


@pytest.fixture(scope="session")
def machine():
    return Device(
        name="machine", title="A machine with round numbers", kind="mcu", clock_hz=1e6, ram_bytes=1, flash_bytes=1,
        macs_per_cycle={"float32": 1, "int8": 4}, bandwidth_bytes_s=1e6, overhead_s=1e-6,
        pj_per_mac={"float32": 100.0, "int8": 10.0}, pj_per_byte=3.0, round_to=1, runtimes=(),
    )  # fmt: skip


@pytest.fixture(scope="session")
def net():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return capture(Small(), (3, 12, 12))


@pytest.fixture(scope="session")
def measured(net):
    return profile(net)


@pytest.fixture(scope="session")
def images_BCHW():
    return torch.randn(2, 3, 12, 12, generator=torch.Generator().manual_seed(1))
