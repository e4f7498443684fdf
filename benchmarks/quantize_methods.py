"""Score by method and bits: every range method, every repair, and training, on three nets.

    EDGEWRIGHT_TEST_DATA=... python benchmarks/quantize_methods.py [--nets DIR] [--accelerator cuda] [--jobs N]
        [--only NET] [--ways PATTERN,...] [--pairs 4/8,...] [--resume] [--out FILE.json]

Weights have 8, 6, 4, 3 or 2 bits; activations have 8 bits, and in a second table as many as the weights. Every row is
one run of the stage `Quantize` under seed 0, scored as a simulation on 2,000 of the net's test images (--most), evenly
drawn; `quantize_nets.py` says which. ResNet-20 is scored on all 1,000 lossless test images, half of which are the val
split that training picks its epoch by: `score_test` is the other half. Each (net, weights, activations) is a job in a
process of its own, and each finished row is kept beside the output file, so that a run that was cut short goes on with
--resume.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from quantize_nets import NETS, SUBJECTS, TASK, subject
from torch import fx

from edgewright.compress.quantize import Qat, Quantize, ways
from edgewright.data import Data
from edgewright.devices import device
from edgewright.files import write_json
from edgewright.tasks import evaluate
from edgewright.train import Train
from edgewright.types import Job

BITS = (4, 2, 3, 8, 6)  # what matters most first: a run may be cut short
PAIRS = [(bits, 8) for bits in BITS] + [(bits, bits) for bits in BITS if bits != 8]  # weights, activations
OUT = Path(__file__).parent / "results" / "quantize_methods.json"
TRAINING = Qat(
    train=Train(
        epochs=3, batch_size=128, optimizer="sgd", lr=0.02, weight_decay=1e-4, warmup_epochs=0.3, augment="crop-flip",
        epoch_images=10_000,
    )
)  # fmt: skip
LONGER = replace(TRAINING, train=replace(TRAINING.train, epochs=12, epoch_images=40_000))


@dataclass(frozen=True, kw_only=True)
class Task:
    """All ways of one net at one width."""

    net: str
    weights: int
    activations: int
    options: argparse.Namespace

    @property
    def rows_file(self) -> Path:
        folder = self.options.out.with_suffix(".rows")
        return folder / f"{self.net}-w{self.weights}-a{self.activations}.jsonl"


def tasks(options: argparse.Namespace) -> Iterator[Task]:
    for weights, activations in options.pairs or PAIRS:
        for net in SUBJECTS:
            if options.only in (None, net):
                yield Task(net=net, weights=weights, activations=activations, options=options)


def finished(task: Task) -> list[dict[str, Any]]:
    path = task.rows_file
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def run(task: Task) -> str:
    """Every way that has no row yet, one after the other."""
    options = task.options
    torch.set_num_threads(options.threads)
    known = {row["way"] for row in finished(task)}
    wanted = [
        (way, settings)
        for way, settings in in_order()
        if way not in known and any(re.search(word, way) for word in options.ways)
    ]
    if not wanted:
        return str(task.rows_file)
    net, data = subject_of(task.net, options)
    job = Job(model=net, task=TASK, data=data, device=device("generic-x86"), accelerator=options.accelerator)
    task.rows_file.parent.mkdir(parents=True, exist_ok=True)
    for way, settings in wanted:
        row = measured(job, task, way, Quantize(bits=task.weights, activation_bits=task.activations, **settings))
        with task.rows_file.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(task.net, task.weights, task.activations, way, f"{row['score_all']:.2f}", flush=True)
    return str(task.rows_file)


def subject_of(name: str, options: argparse.Namespace) -> tuple[fx.GraphModule, Data]:
    """The net, and its data with no more images to score on than wanted."""
    net, data = subject(name, Path(os.environ["EDGEWRIGHT_TEST_DATA"]), options.nets)
    splits = {}
    for split, most in (("val", options.most // 2), ("test", options.most)):
        part = data.splits[split]
        every = max(1, len(part) // most)  # the images lie class by class
        splits[split] = replace(part, images_BCHW=part.images_BCHW[::every], labels_B=part.labels_B[::every])
    return net, replace(data, splits={**data.splits, **splits})


def in_order() -> list[tuple[str, dict[str, Any]]]:
    """The best ranges, training and learned rounding first."""
    every = ways(qat=TRAINING)
    every["best + longer training"] = ways(qat=LONGER)["best + training"]
    first = ["best", "best + training", "best + rounding", "best + all but split"]
    return [(way, every[way]) for way in [*first, *(way for way in every if way not in first)]]


def measured(job: Job, task: Task, way: str, stage: Quantize) -> dict[str, Any]:
    began = time.perf_counter()
    result = stage.run(job)
    seconds = time.perf_counter() - began
    net = result.model.to(job.accelerator)
    test = evaluate(net, TASK, job.data, "test")
    assert result.score is not None
    both = (test.value * test.num_samples + result.score.value * result.score.num_samples) / (
        test.num_samples + result.score.num_samples
    )
    return {
        "net": task.net, "weight_bits": task.weights, "activation_bits": task.activations, "way": way,
        "score_test": test.value, "num_test": test.num_samples, "score_val": result.score.value,
        "score_all": both if task.net == "resnet20" else test.value,
        "float_val": result.details["score_float"], "seconds": seconds, "accelerator": job.accelerator,
        "torch": torch.__version__, "training_kept": (result.details["training"] or {}).get("is_kept"),
    }  # fmt: skip


def pairs_in(text: str) -> list[tuple[int, int]]:
    """`4/8,2/2` as [(4, 8), (2, 2)]."""
    return [(int(weights), int(activations)) for weights, activations in (each.split("/") for each in text.split(","))]


def floats(options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """The scores of the nets in float."""
    found = {}
    for name in SUBJECTS:
        net, data = subject_of(name, options)
        scores = [evaluate(net, TASK, data, split) for split in ("test", "val")]
        num = sum(each.num_samples for each in scores)
        found[name] = {
            "score_test": scores[0].value,
            "score_all": sum(each.value * each.num_samples for each in scores) / num
            if name == "resnet20"
            else scores[0].value,
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nets", type=Path, default=NETS)
    parser.add_argument("--accelerator", default="cpu")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", choices=SUBJECTS)
    parser.add_argument("--ways", type=lambda text: text.split(","), default=[""], help="only ways with such a pattern")
    parser.add_argument("--pairs", type=pairs_in, help="bits of weights/activations, for instance 4/8,4/4")
    parser.add_argument("--most", type=int, default=2000, help="test images, and half as many val images")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    every = list(tasks(options))
    if not options.resume:
        for task in every:
            task.rows_file.unlink(missing_ok=True)
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        list(pool.map(run, every))
    collect(every, options)


def collect(every: list[Task], options: argparse.Namespace) -> None:
    """One file of all rows, with what is needed to repeat them."""
    from edgewright.pipeline.record import machine_facts, version_facts

    write_json(options.out, {
        "claim": "8 bits cost nothing, learned rounding holds 4 bits, training holds what rounding alone cannot",
        "seed": 0,
        "float": floats(options),
        "rows": [row for task in every for row in finished(task)],
        "training": repr(TRAINING),
        "longer_training": repr(LONGER),
        "collected_on": {"machine": machine_facts(), "versions": version_facts()},
    })  # fmt: skip


if __name__ == "__main__":
    main()
