"""Small nets with few numbers, and images that are known to the last value."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import fx, nn

from edgewright.compress.prune import SCORES, Scoring
from edgewright.model import capture
from edgewright.types import Job


@pytest.fixture(scope="session")
def nets() -> ModuleType:
    """The nets that the tests of the model room use: `SMALL`, `make_small`, `map_of`."""
    path = Path(__file__).parents[3] / "model" / "conftest.py"
    spec = importlib.util.spec_from_file_location("small_nets_for_scores", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Images:
    """Data that gives the same images to every score, in order."""

    def __init__(self, images_BCHW: torch.Tensor) -> None:
        self.images_BCHW = images_BCHW

    def calibration(self, num_samples: int, seed: int) -> torch.Tensor:
        return self.images_BCHW

    def batches(self, split, *, batch_size, generator=None, num_images=None):
        assert split == "train"
        for each in self.images_BCHW.split(batch_size):
            yield each, torch.zeros(len(each), dtype=torch.long)


class FirstOutput:
    """A task whose loss is the first output: gradients that can be written down."""

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return outputs[:, 0].mean()


class Entropy:
    """The usual loss, all images of class 0."""

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(outputs, targets)


@pytest.fixture
def job_of() -> Callable[..., Job]:
    """A job with these images; its loss is the first output unless `entropy` is asked for."""

    def make(net: fx.GraphModule, images_BCHW: torch.Tensor, *, entropy: bool = False) -> Job:
        return Job(model=net, task=Entropy() if entropy else FirstOutput(), data=Images(images_BCHW), device=None)

    return make


@pytest.fixture
def scored(nets) -> Callable[..., dict[str, torch.Tensor]]:
    """Scores by name of a captured net."""

    def score(name: str, net: fx.GraphModule, job: Job | None = None) -> dict[str, torch.Tensor]:
        return dict(SCORES[name](Scoring(net=net, channels=nets.map_of(net), job=job)))

    return score


def filters(*weights: float, norm: tuple[float, ...] | None = None) -> fx.GraphModule:
    """1x1 filters with these weights, a batch norm with these scales if any, a ReLU, and a layer that adds them up."""
    count = len(weights)
    layers = [nn.Conv2d(1, count, 1, bias=False), nn.ReLU(), nn.Conv2d(count, 1, 1, bias=False), nn.Flatten()]
    if norm is not None:
        layers.insert(1, nn.BatchNorm2d(count, eps=0.0))
    model = nn.Sequential(*layers)
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor(weights).view(count, 1, 1, 1))
        model[-2].weight.fill_(1)
        if norm is not None:
            model[1].weight.copy_(torch.tensor(norm))
    return capture(model, (1, 2, 2))


@pytest.fixture
def make_filters() -> Callable[..., fx.GraphModule]:
    return filters
