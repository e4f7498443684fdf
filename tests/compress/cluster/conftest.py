"""A small net with all that clustering meets: convolutions with batch norm, zeros, a linear layer."""

import pytest
import torch
from torch import fx, nn

from edgewright.data import Data, load_data
from edgewright.devices import device
from edgewright.model import capture
from edgewright.tasks import Classify
from edgewright.types import Job


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(1, 8, 3, bias=False), nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.fc = nn.Linear(8 * 36, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.bn(self.conv(x)))
        return self.fc(torch.relu(self.depthwise(x)).flatten(1))


def small_net(*, sparsity: float = 0.6) -> fx.GraphModule:
    """Random weights; the smallest of the linear layer's are zero."""
    torch.manual_seed(0)
    net = Net()
    with torch.no_grad():
        net.bn.running_mean.uniform_(-0.5, 0.5), net.bn.running_var.uniform_(0.5, 2)
        weight = net.fc.weight
        weight[weight.abs() <= weight.abs().flatten().quantile(sparsity)] = 0
    return capture(net, (1, 8, 8))


@pytest.fixture
def net() -> fx.GraphModule:
    return small_net()


@pytest.fixture(scope="session")
def digits() -> Data:
    return load_data("digits")


@pytest.fixture
def job(net, digits) -> Job:
    return Job(
        model=net, task=Classify(num_classes=10), data=digits, device=device("generic-x86"), model_name="small_net"
    )  # fmt: skip
