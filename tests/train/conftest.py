"""A small real problem: digits at their own size, and a captured net with batch norm and dropout."""

import pytest
import torch
from torch import fx, nn

from edgewright.data import Data, load_data
from edgewright.model import capture


@pytest.fixture(scope="session")
def digits() -> Data:
    return load_data("digits")


@pytest.fixture
def net() -> fx.GraphModule:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Dropout(0.2), nn.Linear(128, 10),
        )  # fmt: skip
    return capture(model, (1, 8, 8))
