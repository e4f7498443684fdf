"""Which zeros cost least? Scores and schedules of `sparsify` on a digits net, three seeds, test split.

    OMP_NUM_THREADS=1 python benchmarks/sparse_scores.py [--seed N] [--out FILE.json]

A small convolutional net (18,248 weights) is trained on scikit-learn's digits at 16x16. Then, for each way, that many
of its weights become exactly 0: at once without training (batch norm, where there is any, measured again), or with the
same 8 epochs of training for every way, before which (one-shot) or during which (cubic, steps) zeros are chosen. What
is done already is read from the file. About 3 minutes a seed on one idle core.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgewright.compress.prune.sparse import Sparsify
from edgewright.data import load_data
from edgewright.devices import device
from edgewright.devices.machine import cpu_name, package_versions
from edgewright.files import write_json
from edgewright.model import capture, load_model, save_model
from edgewright.tasks import Classify, evaluate
from edgewright.train import Train
from edgewright.types import Job
from edgewright.zoo import resolve

OUT = Path(__file__).parent / "results" / "sparse_scores.json"
FIRST = Train(epochs=10)
THEN = Train(epochs=8, lr=1e-3)
AT_ONCE = {
    f"{name} {sparsity:.0%}": Sparsify(sparsity=sparsity, **settings)
    for name, settings in {
        "magnitude, global": {}, "magnitude, layer": {"scope": "layer"}, "lamp": {"score": "lamp"},
        "taylor": {"score": "taylor"}, "random": {"score": "random"},
    }.items()
    for sparsity in (0.5, 0.7, 0.8, 0.9)
}  # fmt: skip
TRAINED = {
    f"{name} {sparsity:.0%}": Sparsify(sparsity=sparsity, train=THEN, **settings)
    for name, settings in {
        "one-shot, magnitude": {}, "one-shot, lamp": {"score": "lamp"}, "one-shot, random": {"score": "random"},
        "cubic, magnitude": {"schedule": "cubic"}, "steps, magnitude": {"schedule": "steps"},
        "cubic, movement": {"schedule": "cubic", "score": "movement"},
    }.items()
    for sparsity in (0.95, 0.98)
}  # fmt: skip


def dense_job(seed: int, folder: Path) -> Job:
    """The trained net, from disk where it is."""
    data = load_data("digits", seed=seed, image_size=16)
    built = resolve("simple_cnn", num_classes=10, channels=1, image_size=16, weights=None, seed=seed)
    net = capture(built.model, (1, 16, 16))
    job = Job(model=net, task=Classify(num_classes=10), data=data.fitted_to((1, 16, 16), None, None),
              device=device("generic-x86"), seed=seed)  # fmt: skip
    path = folder / f"dense-{seed}"
    if not any(path.glob("*")):
        trained = FIRST.run(replace(job, workdir=folder / f"work-{seed}")).model
        path.mkdir(parents=True, exist_ok=True)
        save_model(trained, path)
    return job.with_model(load_model(path))


def check_zeros(details: dict[str, Any], stage: Sparsify) -> None:
    """As many as asked for, to the weight: of all layers together, or of each."""
    told = details["layers"] if stage.scope == "layer" else [details]
    assert all(each["zeros"] == round(stage.sparsity * each["weights"]) for each in told), told


def test_score(net: torch.nn.Module, job: Job) -> float:
    return evaluate(net, job.task, job.data, "test").value


def summary(points: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Way -> mean and standard deviation over the seeds."""
    return {
        way: {"mean": float(np.mean(list(found.values()))), "std": float(np.std(list(found.values()), ddof=1))}
        for way, found in points.items()
        if len(found) > 1
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, action="append")
    parser.add_argument("--work", type=Path, default=Path("runs/sparse_scores"), help="where trained nets are kept")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    points = json.loads(asked.out.read_text())["points"] if asked.out.exists() else {}
    for seed in asked.seed or (0, 1, 2):
        job = dense_job(seed, asked.work)
        for way, stage in {"dense": None, **AT_ONCE, **TRAINED}.items():
            found = points.setdefault(way, {})
            if str(seed) in found:
                continue
            work = asked.work / f"work-{seed}" / way.replace(" ", "-")
            result = None if stage is None else stage.run(replace(job, workdir=work))
            if result is not None:
                check_zeros(result.details, stage)
            found[str(seed)] = test_score(job.model if result is None else result.model, job)
            print(f"seed {seed}, {way}: {found[str(seed)]:.2f}", flush=True)
            write_json(asked.out, {
                "what": "top-1 on test by score and schedule of zeros", "command": "python benchmarks/sparse_scores.py",
                "model": "simple_cnn at 16x16, digits", "machine": cpu_name(), "threads": 1,
                "versions": package_versions(("torch", "scikit-learn")), "first": FIRST.epochs, "then": THEN.epochs,
                "points": points, "summary": summary(points),
            })  # fmt: skip


if __name__ == "__main__":
    main()
