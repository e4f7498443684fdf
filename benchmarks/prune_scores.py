"""Which score cuts the reference CIFAR-10 ResNet-20 with the least damage, before anything is trained again?

    EDGEWRIGHT_TEST_DATA=... python benchmarks/prune_scores.py

Every score cuts (a) the same widths: all groups to a share of their channels, and (b) the widths that the plan chooses
from its own sensitivity scan. Batch norm is re-estimated on 1,024 training images. Top-1 on the 1,000 lossless test
images (91.5 uncut, standard error of a value up to 1.6 points). About 3 minutes of one core.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edgewright.compress.prune import SCORES, Planner, Prune, refreshed
from edgewright.data import load_data
from edgewright.devices import device
from edgewright.model import capture
from edgewright.tasks import Classify, evaluate
from edgewright.types import Job
from edgewright.zoo import resolve

KEEPS, TARGETS = (0.875, 0.75), (0.7, 0.5, 0.3)
SETTINGS = Prune(round_to=8, augment="crop-flip")


def reference_job(root: Path, seed: int) -> Job:
    """The reference weights on the 4,000 + 1,000 lossless images."""
    model = resolve("resnet20", num_classes=10, weights=root / "weights" / "cifar10_resnet" / "resnet20-12fca82f.th")
    data = load_data("npz:cifar10_train4000_lossless.npz,cifar10_test1000_lossless.npz", root=root / "cifar10")
    data = data.fitted_to(model.input_shape, model.mean, model.std)
    net = capture(model.model, model.input_shape)
    return Job(model=net, task=Classify(num_classes=10), data=data, device=device("generic-x86"), seed=seed)


def scores_after(job: Job, settings: Prune) -> list[float]:
    """Top-1 for each keep of all groups, then for each planned share of the MACs."""
    planner = Planner(job, settings)
    even = [{group.name: round(keep * group.num_classes) for group in planner.channels.free} for keep in KEEPS]
    sensitivities = planner.scan()
    cuts = [planner.cut(kept) for kept in even]
    cuts += [planner.apply(planner.plan(share, sensitivities)) for share in TARGETS]
    return [evaluate(refreshed(net, job, settings), job.task, job.data, "test").value for net in cuts]


def row(name: str, values: Sequence[float]) -> str:
    return f"{name:14s}" + "".join(f"{value:12.1f}" for value in values)


def main() -> int:
    """Print the table."""
    root = Path(os.environ["EDGEWRIGHT_TEST_DATA"])
    titles = [f"all at {keep}" for keep in KEEPS] + [f"{share} MACs" for share in TARGETS]
    print(f"{'score':14s}" + "".join(f"{title:>12s}" for title in titles))
    for name in SCORES:
        for seed in (0, 1, 2) if name == "random" else (0,):
            values = scores_after(reference_job(root, seed), replace(SETTINGS, score=name))
            print(row(f"{name} ({seed})" if name == "random" else name, values), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
