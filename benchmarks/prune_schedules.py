"""One cut or four with recovery between: which leaves the better net, after the same training in all?

    EDGEWRIGHT_TEST_DATA=... OMP_NUM_THREADS=1 python benchmarks/prune_schedules.py [--seeds 0,1,2] [--resume]

`resnet8` on Fashion-MNIST at 8x8, trained here on 6 x 6,000 images, is cut to a fifth of its MACs. Every way may learn
from the same number of images after cuts, 12 epochs of 3,000: 12 behind the one cut, or 3 behind each of four.
Each training warms up and falls as a cosine of its own. The teacher of a distillation is the net as it was trained.
Groups are scanned before each cut, or once. Top-1 on all 10,000 test images; three seeds, each with a net of its own.
About a minute of one core a seed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from edgewright.compress.distill import Distill
from edgewright.compress.prune import Prune
from edgewright.data import Data, load_data
from edgewright.devices import device
from edgewright.devices.machine import cpu_name, package_versions
from edgewright.files import folder_atomic, write_json
from edgewright.model import capture, load_model, save_model
from edgewright.pipeline.gradual import Schedule, prune_gradually
from edgewright.runs import load_final_model
from edgewright.tasks import Classify, evaluate
from edgewright.train import Train
from edgewright.types import Job
from edgewright.zoo import resolve

OUT = Path(__file__).parent / "results" / "prune_schedules.json"
KEEP, STEPS, EPOCHS, SIDE = 0.2, 4, 12, 8
TASK = Classify(num_classes=10)
BASE = Train(epochs=6, batch_size=64, lr=0.01, epoch_images=6_000, augment="none", warmup_epochs=0.5)
AFTER = replace(BASE, epochs=EPOCHS, epoch_images=3_000, lr=0.005)
WAYS = {
    "one-shot, distill": (Schedule(), "distill"),
    "cubic, distill": (Schedule(course="cubic", steps=STEPS), "distill"),
    "steps, distill": (Schedule(course="steps", steps=STEPS), "distill"),
    "cubic, distill, scanned once": (Schedule(course="cubic", steps=STEPS, scan="once"), "distill"),
    "one-shot, train": (Schedule(), "train"),
    "cubic, train": (Schedule(course="cubic", steps=STEPS), "train"),
    "steps, distill, scanned once": (Schedule(course="steps", steps=STEPS, scan="once"), "distill"),
    "one-shot, none": (Schedule(), "none"),
}


def data_of(seed: int, shape: tuple[int, ...]) -> Data:
    """Fashion-MNIST, with 500 images to choose the best epoch by."""
    data = load_data("fashion-mnist", root=Path(os.environ["EDGEWRIGHT_TEST_DATA"]) / "fashion-mnist", seed=seed,
                     image_size=SIDE)  # fmt: skip
    data = data.fitted_to(shape)
    val = data.splits["val"]
    fewer = replace(val, images_BCHW=val.images_BCHW[:500], labels_B=val.labels_B[:500])
    return replace(data, splits={**data.splits, "val": fewer})


def base_job(seed: int, nets: Path) -> Job:
    """The trained net of a seed, kept in a folder."""
    built = resolve("resnet8", num_classes=10, channels=1, image_size=SIDE, seed=seed)
    data = data_of(seed, built.input_shape)
    net = capture(built.model, built.input_shape, name="resnet8")
    job = Job(model=net, task=TASK, data=data, device=device("generic-x86"), seed=seed, model_name="resnet8")
    folder = nets / f"seed-{seed}"
    if not folder.exists():
        with folder_atomic(folder) as temporary:
            save_model(BASE.run(job).model, temporary)  # type: ignore[arg-type]
    return job.with_model(load_model(folder))


def recovery(name: str, steps: int) -> Train | Distill | None:
    """A recovery that takes its share of all epochs."""
    train = replace(AFTER, epochs=EPOCHS // steps)
    return {"none": None, "train": train, "distill": Distill(train=train)}[name]


def measured(job: Job, way: str) -> dict[str, Any]:
    schedule, recover = WAYS[way]
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        found = prune_gradually(
            job, Prune(keep_macs=KEEP), out=out, schedule=schedule, recover=recovery(recover, schedule.steps)
        )
        score = evaluate(load_final_model(out), TASK, job.data, "test")
    plan = found.content["plan"]
    return {
        "way": way, "seed": job.seed, "score_test": score.value, "keep_macs": plan["macs_after"] / plan["macs_before"],
        "params": plan["params_after"], "seconds": round(time.perf_counter() - began, 1),
    }  # fmt: skip


def table(rows: list[dict[str, Any]], bases: dict[int, float]) -> list[dict[str, Any]]:
    """Mean and deviation of each way, and of its difference to the one cut of the same seed and recovery."""
    scores = {(row["way"], row["seed"]): row["score_test"] for row in rows}
    found = []
    for way, (_, recover) in WAYS.items():
        own = {seed: scores[way, seed] for seed in bases if (way, seed) in scores}
        single = f"one-shot, {recover}"
        gains = [score - scores[single, seed] for seed, score in own.items() if (single, seed) in scores]
        if len(own) > 1:
            found.append({
                "way": way, "mean": statistics.mean(own.values()), "deviation": statistics.stdev(own.values()),
                "over_one_shot": statistics.mean(gains), "over_one_shot_deviation": statistics.stdev(gains),
                "drop": statistics.mean(bases[seed] - score for seed, score in own.items()),
            })  # fmt: skip
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=lambda text: [int(each) for each in text.split(",")], default=[0, 1, 2])
    parser.add_argument("--resume", action="store_true", help="keep the rows and nets of an earlier run")
    parser.add_argument("--nets", type=Path, help="where trained nets are kept; default: runs/prune_schedules")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    nets = options.nets or Path("runs") / "prune_schedules"
    if not options.resume:
        shutil.rmtree(nets, ignore_errors=True)
    nets.mkdir(parents=True, exist_ok=True)
    known = json.loads(options.out.read_text()) if options.resume and options.out.exists() else {}
    rows, bases = known.get("rows", []), {int(seed): score for seed, score in known.get("bases", {}).items()}
    for way in WAYS:
        for seed in options.seeds:
            if (way, seed) in {(row["way"], row["seed"]) for row in rows}:
                continue
            job = base_job(seed, nets)
            bases[seed] = bases.get(seed) or evaluate(job.model, TASK, job.data, "test").value
            rows.append(measured(job, way))
            print(rows[-1], flush=True)
            write_json(options.out, {
                "command": "python benchmarks/prune_schedules.py", "machine": cpu_name(), "threads": 1,
                "versions": package_versions(("torch", "numpy")), "keep_macs": KEEP, "bases": bases, "rows": rows,
                "table": table(rows, bases),
            })  # fmt: skip
    for row in table(rows, bases):
        gain = f"{row['over_one_shot']:+.2f} +- {row['over_one_shot_deviation']:.2f}"
        print(f"{row['way']:30s} {row['mean']:6.2f} +- {row['deviation']:.2f}  over one-shot {gain}")


if __name__ == "__main__":
    main()
