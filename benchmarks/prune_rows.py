"""What the pruning tables share: the reference ResNet-20 on CIFAR-10, and rows that survive a kill."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from edgewright.data import load_data
from edgewright.devices import device
from edgewright.devices.machine import cpu_name, package_versions
from edgewright.files import write_json
from edgewright.model import capture
from edgewright.tasks import Classify
from edgewright.types import Job
from edgewright.zoo import resolve

RESULTS = Path(__file__).parent / "results"
LOSSLESS = "cifar10_train4000_lossless.npz"
ALL_TRAIN = f"{LOSSLESS}*4+cifar10_train_jpeg.npz"  # 66,000 visits an epoch, a quarter of them of lossless images
TEST = "cifar10_test1000_lossless.npz"


def reference_job(seed: int, train: str = LOSSLESS) -> Job:
    """The reference weights, images to learn from, and the 1,000 lossless test images; half of them are val too."""
    root = Path(os.environ["EDGEWRIGHT_TEST_DATA"])
    weights = root / "weights" / "cifar10_resnet" / "resnet20-12fca82f.th"
    model = resolve("resnet20", num_classes=10, weights=weights)
    data = load_data(f"npz:{train},{TEST}", root=root / "cifar10", val_from="test")
    test = load_data(f"npz:{LOSSLESS},{TEST}", root=root / "cifar10").split("test")  # all of it
    data = replace(data, splits={**data.splits, "test": test}).fitted_to(model.input_shape, model.mean, model.std)
    net = capture(model.model, model.input_shape, name="resnet20")
    return Job(
        model=net, task=Classify(num_classes=10), data=data, device=device("generic-x86"), seed=seed, teacher=net,
        model_name="resnet20",
    )  # fmt: skip


class Rows:
    """Rows in a file, one a line, each written when it is done.

    Args:
        path: of the file.
        resume: go on with the rows that are there; else the file begins anew.
        seconds: no row is begun after so many.
    """

    def __init__(self, path: Path, *, resume: bool, seconds: float) -> None:
        self.path, self._ends = path, time.monotonic() + seconds
        path.parent.mkdir(parents=True, exist_ok=True)
        if not resume:
            path.unlink(missing_ok=True)
        lines = path.read_text().splitlines() if path.exists() else []
        self.rows = [json.loads(line) for line in lines if line.endswith("}")]

    def find(self, **key: Any) -> dict[str, Any] | None:
        """The row with these values, if it is there."""
        return next((row for row in self.rows if all(row.get(name) == value for name, value in key.items())), None)

    def measure(self, compute: Callable[[], dict[str, Any]], **key: Any) -> dict[str, Any] | None:
        """The row as it is known, or computed now; None when the time is up."""
        known = self.find(**key)
        if known is not None:
            return known
        if time.monotonic() > self._ends:
            return None
        began = time.perf_counter()
        row = {**key, **compute(), "row_s": round(time.perf_counter() - began, 1)}
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        self.rows.append(row)
        print(json.dumps(row), flush=True)
        return row


def spread(values: Iterable[float]) -> dict[str, Any]:
    """Mean, smallest, largest and number."""
    found = list(values)
    return {"mean": statistics.mean(found), "min": min(found), "max": max(found), "num": len(found)}


def write_results(name: str, content: dict[str, Any]) -> Path:
    """A table beside the others, with the machine and versions that made it."""
    path = RESULTS / name
    facts = {"machine": cpu_name(), "threads": torch.get_num_threads(),
             "versions": package_versions(("torch", "torchvision", "numpy"))}  # fmt: skip
    write_json(path, {**content, **facts})
    return path
