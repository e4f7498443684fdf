"""A small folded net with its plan, and the simulation of it at any precision."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from edgewright.compress.quantize import observe, plan_quantizers, ranges_of, simulate
from edgewright.model import capture

X = torch.randn(16, 2, 6, 6, generator=torch.Generator().manual_seed(0))
Y = torch.arange(16) % 3


class Net(nn.Module):
    """Two convolutions beside each other that read one tensor, a residual sum, a concatenation, a classifier."""

    def __init__(self):
        super().__init__()
        self.stem, self.left, self.right = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)
        self.fc = nn.Linear(8, 3)

    def forward(self, x):
        x = nn.functional.relu(self.stem(x))
        both = torch.cat([self.left(x), self.right(x)], 1)
        return self.fc(nn.functional.adaptive_avg_pool2d(both, 1).flatten(1))


@pytest.fixture(scope="session")
def small():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = capture(Net(), (2, 6, 6))
    plan = plan_quantizers(net)
    ranges = ranges_of(observe(net, plan, X), method="minmax", percentile=100.0)
    return SimpleNamespace(
        net=net, plan=plan, x=X, y=Y, batches=[(X[:8], Y[:8]), (X[8:], Y[8:])],
        build=lambda precision: simulate(net, plan, ranges, precision=precision),
    )  # fmt: skip
