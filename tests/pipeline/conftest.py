"""One real `fit`, small enough to be shared by all tests of this folder."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edgewright import zoo
from edgewright.compress.distill import Distill
from edgewright.compress.prune import Prune
from edgewright.compress.quantize import Quantize
from edgewright.data import load_data
from edgewright.devices import device
from edgewright.pipeline import fit
from edgewright.recipes import Recipe
from edgewright.tasks import Classify
from edgewright.train import Train
from edgewright.types import Budget, Job, Report

TRAIN = Train(epochs=2)
QUICK = Recipe(
    train=TRAIN, prune=Prune(sensitivity_samples=64, norm_batches=0), recover=Distill(train=TRAIN),
    quantize=Quantize(method="minmax", num_calibration=64), max_rounds=1,
)  # fmt: skip


def new_job(budget: Budget | None = None, device_name: str = "stm32f746", **changes) -> Job:
    """simple_cnn with random weights on the digits."""
    model = zoo.resolve("simple_cnn", num_classes=10, channels=1)
    job = Job(
        model=model.model, task=Classify(num_classes=10), data=load_data("digits").fitted_to(model.input_shape),
        device=device(device_name), budget=budget or Budget(max_drop=20.0), model_name="simple_cnn", trained=False,
    )  # fmt: skip
    return replace(job, **changes)


@pytest.fixture(scope="session")
def make_job() -> Callable[..., Job]:
    return new_job


@pytest.fixture(scope="session")
def quick() -> Recipe:
    return QUICK


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A run that nobody interrupted. Tests read it and leave it as it is."""
    return fit(new_job(), out=tmp_path_factory.mktemp("run") / "whole", recipe=QUICK)


@pytest.fixture
def hashes() -> Callable[[Path], dict[str, str]]:
    """File -> hash of everything that a run makes and that must not depend on how often it was interrupted."""
    from edgewright.files import sha256_file

    def of(folder: Path) -> dict[str, str]:
        patterns = ("stages/*/weights.safetensors", "stages/*/graph.json", "artifact*/**/*")
        return {
            str(path.relative_to(folder)): sha256_file(path)
            for each in patterns
            for path in folder.glob(each)
            if path.is_file()
        }

    return of
