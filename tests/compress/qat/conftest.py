"""A net with every kind of layer that is trained, in float and as a simulation; a trained net of the digits."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import fx, nn
from torch.nn import functional

from edgewright.compress.quantize import Plan, Precision, observe, plan_quantizers, ranges_of, simulate
from edgewright.data import Data, load_data
from edgewright.model import capture
from edgewright.model.fold import fold_batch_norms
from edgewright.tasks import Classify
from edgewright.train import Train, train_weights
from edgewright.types import Device, Job

TASK = Classify(num_classes=10)
DEVICE = Device(
    name="d", title="d", kind="cpu", clock_hz=1, ram_bytes=1, flash_bytes=None, macs_per_cycle={"float32": 1},
    bandwidth_bytes_s=1, overhead_s=0, pj_per_mac={"float32": 1}, pj_per_byte=1, round_to=8, runtimes=(),
)  # fmt: skip


class Kinds(nn.Module):
    """Plain, depthwise, transposed and linear layers with batch norms, a conv without, ReLU6, a sum, a shared grid."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU6())
        self.depthwise = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.BatchNorm2d(8), nn.ReLU6())
        self.up = nn.Sequential(nn.ConvTranspose2d(8, 4, 2, stride=2), nn.BatchNorm2d(4), nn.ReLU())
        self.left, self.right = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 3, padding=1)
        self.hidden = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU())
        self.out = nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = self.up(x + self.depthwise(x))
        x = torch.cat([functional.relu(self.left(x)), functional.relu(self.right(x))], 1)
        return self.out(self.hidden(functional.adaptive_avg_pool2d(x, 1).flatten(1)))


@dataclass(frozen=True, kw_only=True)
class Case:
    """A float net, its simulation, the plan, and images for both. Shared by tests: copy what is to be changed."""

    original: fx.GraphModule
    simulation: fx.GraphModule
    plan: Plan
    images: torch.Tensor


def simulated(original: fx.GraphModule, images: torch.Tensor, *, bits: int) -> Case:
    folded = fold_batch_norms(original)[0]
    plan, precision = plan_quantizers(folded), Precision(weights=bits, activations=bits)
    ranges = ranges_of(observe(folded, plan, images), method="minmax", precision=precision)
    simulation = simulate(folded, plan, ranges, precision=precision)
    return Case(original=original, simulation=simulation, plan=plan, images=images)


@pytest.fixture(scope="session")
def quantized() -> Callable[..., Case]:
    """`quantized(original, images, bits=...)`."""
    return simulated


@pytest.fixture(scope="session")
def kinds() -> Callable[[int], Case]:
    """The net of every kind, simulated with so many bits."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        images, net = torch.randn(32, 1, 8, 8), Kinds()
        net.train()
        with torch.no_grad():
            for norm in (layer for layer in net.modules() if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d))):
                norm.weight.uniform_(-1.5, 1.5)
                norm.bias.uniform_(-0.5, 0.5)
            for _ in range(20):
                net(images)
    original = capture(net.eval(), (1, 8, 8))
    return functools.cache(lambda bits: simulated(original, images, bits=bits))


@pytest.fixture(scope="session")
def digits() -> Data:
    return load_data("digits")


@pytest.fixture(scope="session")
def job(digits: Data) -> Job:
    """Digits, and a net that has learnt them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, padding=1),
            nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(256, 10),
        )  # fmt: skip
    net = capture(model, digits.preprocess.shape)
    settings = Train(epochs=5, batch_size=64, lr=0.01, augment="none")
    trained = train_weights(net, task=TASK, data=digits, settings=settings, seed=0).net
    return Job(model=trained, task=TASK, data=digits, device=DEVICE)


@pytest.fixture(scope="session")
def digits_case(job: Job) -> Callable[[int], Case]:
    """The trained net of the digits, simulated with so many bits."""
    images = job.data.calibration(128, 0)
    return functools.cache(lambda bits: simulated(job.model, images, bits=bits))  # type: ignore[arg-type]
