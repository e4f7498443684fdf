"""Small nets, quantized on random images."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from edgewright.compress.quantize import observe, plan_quantizers, ranges_of, simulate
from edgewright.model import capture
from edgewright.model.fold import fold_batch_norms

X = torch.randn(8, 3, 12, 12, generator=torch.Generator().manual_seed(0))


class Small(nn.Module):
    """Plain, depthwise and grouped convolutions, a residual sum, a padded shortcut, a concatenation, a classifier."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU6())
        self.depthwise = nn.Sequential(
            nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False), nn.BatchNorm2d(8), nn.ReLU6()
        )
        self.pointwise = nn.Sequential(nn.Conv2d(8, 8, 1, bias=False), nn.BatchNorm2d(8))
        self.grouped = nn.Conv2d(8, 16, 3, stride=2, padding=1, groups=2)
        self.left, self.right = nn.Conv2d(16, 8, 1), nn.Conv2d(16, 8, 3, padding=1)
        self.drop, self.fc = nn.Dropout(0.2), nn.Linear(16, 10)

    def forward(self, x):
        x = self.stem(x)
        x = x + self.pointwise(self.depthwise(x))
        x = F.relu(self.grouped(x) + F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 4, 4)))
        x = torch.cat([F.relu(self.left(x)), F.relu(self.right(x))], 1)
        x = F.max_pool2d(x, 2)
        return self.fc(self.drop(F.adaptive_avg_pool2d(x, 1).flatten(1)))


def quantized(net):
    folded, _ = fold_batch_norms(net)
    plan = plan_quantizers(folded)
    return simulate(folded, plan, ranges_of(observe(folded, plan, X), method="minmax", percentile=100.0))


def seeded(build):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = build()
        net.train()
        with torch.no_grad():
            net(X)  # statistics of the batch norms
        return net.eval()


@pytest.fixture(scope="session")
def nets():
    """`small`, captured, in float and as a simulation; `captured(module)` and `quantized(net)` for others."""
    net = capture(seeded(Small), (3, 12, 12))
    return SimpleNamespace(
        float=net, simulation=quantized(net), x=X, quantized=quantized, seeded=seeded, captured=capture
    )
