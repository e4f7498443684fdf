"""Small captured nets for the repairs, made once: their weights are drawn afresh where a property needs it."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from edgewright.compress.quantize import Precision, observe, plan_quantizers, simulate
from edgewright.model import capture
from joined_nets import Net


def conv(inner, outer, kernel=3, **settings):
    return nn.Conv2d(inner, outer, kernel, padding=kernel // 2, **settings)


def chain(between=F.relu):
    """conv a, something, conv b, global average, linear fc."""
    run = lambda m, x: m.fc(m.b(between(m.a(x))).mean((2, 3)))  # noqa: E731
    return Net(run, a=conv(3, 6), b=conv(6, 5), fc=nn.Linear(5, 4))


def depthwise():
    run = lambda m, x: m.p(F.relu(m.dw(F.relu(m.a(x)))))  # noqa: E731
    return Net(run, a=conv(3, 6, 1), dw=conv(6, 6, groups=6), p=conv(6, 5, 1))


def grouped():
    run = lambda m, x: m.t(F.leaky_relu(m.b(F.max_pool2d(F.relu(m.a(x)), 2))))  # noqa: E731
    return Net(run, a=conv(3, 6), b=conv(6, 4, groups=2), t=nn.ConvTranspose2d(4, 6, 2, stride=2, groups=2))


def flat():
    run = lambda m, x: m.f2(m.f1(F.avg_pool2d(F.relu(m.a(x)), 4).flatten(1)))  # noqa: E731
    return Net(run, a=conv(3, 6), f1=nn.Linear(24, 5), f2=nn.Linear(5, 4))


def residual():
    def run(m, x):
        x = F.relu(m.a(x))
        return m.fc(F.relu(x + m.c(F.relu(m.b(x)))).mean((2, 3)))

    return Net(run, a=conv(3, 6), b=conv(6, 6), c=conv(6, 6), fc=nn.Linear(6, 4))


KINDS = {"chain": chain, "depthwise": depthwise, "grouped": grouped, "flat": flat, "residual": residual}


@pytest.fixture(scope="session")
def captured():
    """`captured(module)`: its captured form; `captured("chain")`: a fresh copy of a net of this page."""
    made = {}

    def get(module, shape=(3, 8, 8)):
        if not isinstance(module, str):
            return capture(module, shape)
        if module not in made:
            torch.manual_seed(0)
            made[module] = capture(KINDS[module](), shape)
        return copy.deepcopy(made[module])

    return get


@pytest.fixture(scope="session")
def images():
    return torch.randn(64, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="session")
def simulated(images):
    """`simulated(net, weights=4)`: its simulation with ranges of the images."""

    def get(net, **bits):
        plan = plan_quantizers(net)
        ranges = {name: (seen.minimum, seen.maximum) for name, seen in observe(net, plan, images).items()}
        return simulate(net, plan, ranges, precision=Precision(**bits))

    return get
