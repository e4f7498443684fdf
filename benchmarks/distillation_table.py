"""Every kind of distillation on CIFAR-10: ResNet-32 teaches the ResNet-8 of MLPerf Tiny, three seeds each.

    EDGEWRIGHT_TEST_DATA=... python benchmarks/distillation_table.py [--kinds K,...] [--seeds 0,1,2] [--seconds N]
        [--accelerator cuda] [--jobs N]

All students see as many images, drawn and augmented alike, and none is chosen by its score: the last weights count. The
published weights know the original pixels, and the training images are JPEG copies of them (82.6 % on the JPEG test
images), so the teacher first learns the copies, as one row of its own; `soft-published` is taught by it as published.
Every row is a file, and a row under way has a checkpoint: run the same command again to go on.
"""

from __future__ import annotations

import argparse
import copy
import os
import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from prune_rows import RESULTS, spread
from torch import fx, nn

from edgewright.cli.kinds import parse_kinds, weighed
from edgewright.compress.distill import Distill, KeptAnswers, Mutual
from edgewright.data import Data, load_data
from edgewright.devices import device
from edgewright.devices.machine import cpu_name, package_versions
from edgewright.files import content_key, read_json, write_json
from edgewright.model import capture, fingerprint, load_model, save_model
from edgewright.pipeline.generations import BornAgain, born_again
from edgewright.tasks import Classify, evaluate
from edgewright.train import Train, train_weights
from edgewright.types import Job, plain
from edgewright.zoo import resolve

TASK = Classify(num_classes=10)
TRAIN, TEST = "cifar10_train_jpeg.npz", "cifar10_test_jpeg.npz"
LOSSLESS = "cifar10_train4000_lossless.npz,cifar10_test1000_lossless.npz"  # only its test images are used
TERMS = {
    "soft": "soft", "soft-published": "soft", "decoupled": "decoupled", "hints": "hints", "attention": "attention",
    "relational": "relational", "soft+hints": "soft,hints",
}  # fmt: skip
KINDS = ("none", *TERMS, "born-again", "mutual")
BASE = Distill(alpha=0.1, temperature=4.0)
STUDENT = Train(
    epochs=10, epoch_images=30_000, batch_size=128, optimizer="sgd", lr=0.1, weight_decay=5e-4, augment="crop-flip",
    keep="last",
)  # fmt: skip
TEACHER = Train(
    epochs=4, batch_size=128, optimizer="sgd", lr=0.02, weight_decay=1e-4, augment="crop-flip", dtype="bfloat16",
    keep="last",
)  # fmt: skip


class Table:
    """Where rows lie, and what they have in common."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.folder: Path = options.rows
        self.accelerator: str = options.accelerator
        self.root = Path(os.environ["EDGEWRIGHT_TEST_DATA"])
        self.train = replace(STUDENT, epochs=options.epochs, epoch_images=options.epoch_images)
        self.teacher_train = replace(TEACHER, epochs=options.teacher_epochs, epoch_images=options.teacher_epoch_images)
        weights = self.root / "weights" / "cifar10_resnet" / "resnet32-d509ac18.th"
        found = resolve("resnet32", num_classes=10, weights=weights)
        self.published = capture(found.model, found.input_shape, name="resnet32")
        shape = (found.input_shape, found.mean, found.std)
        self.data = load_data(f"npz:{TRAIN},{TEST}", root=self.root / "cifar10").fitted_to(*shape)
        self.lossless = load_data(f"npz:{LOSSLESS}", root=self.root / "cifar10").fitted_to(*shape)

    def job(self, seed: int, *, teacher: nn.Module | None = None, work: Path | None = None) -> Job:
        """An untrained student; its weights and the order of its images follow from the seed."""
        net = resolve("resnet8", num_classes=10, seed=seed)
        return Job(
            model=capture(net.model, net.input_shape, name="resnet8"), task=TASK, data=self.data, seed=seed,
            device=device("generic-x86"), model_name="resnet8", trained=False, teacher=teacher, workdir=work,
            accelerator=self.accelerator,
        )  # fmt: skip

    def scores(self, net: nn.Module) -> dict[str, float]:
        """Top-1 on both test archives, in percent."""
        there = copy.deepcopy(net).to(self.accelerator)
        return {name: evaluate(there, TASK, data, "test").value for name, data in self.tests.items()}

    @property
    def tests(self) -> Mapping[str, Data]:
        return {"jpeg_10000": self.data, "lossless_1000": self.lossless}

    def row(self, name: str, settings: Any, compute: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
        """The row of this name and settings, from its file or computed now."""
        path, key = self.folder / f"{name}.json", content_key(plain(settings), plain(self.teacher_train))
        stored = read_json(path) if path.exists() else {}
        if stored.get("key") == key:
            return stored
        work = self.folder / "work" / f"{name}-{key}"
        work.parent.mkdir(parents=True, exist_ok=True)
        began, cpu = time.perf_counter(), time.process_time()
        found = {"key": key, "name": name, **compute(work)}
        spent = {"seconds": time.perf_counter() - began, "cpu_s": time.process_time() - cpu}
        where = {"accelerator": self.accelerator, "machine": cpu_name(), "torch": torch.__version__}
        write_json(path, plain({**found, **spent, **where, "settings": settings}))
        shutil.rmtree(work, ignore_errors=True)
        print(f"{name}: {found.get('scores')}, {spent['seconds']:.0f} s", flush=True)
        return read_json(path)

    def taught_teacher(self) -> fx.GraphModule:
        """The published weights after they have learnt the JPEG images."""
        folder = self.folder / "teacher"

        def compute(work: Path) -> dict[str, Any]:
            net = train_weights(
                self.published, task=TASK, data=self.data, settings=self.teacher_train, seed=0, checkpoint=work,
                accelerator=self.accelerator,
            ).net  # fmt: skip
            folder.mkdir(parents=True, exist_ok=True)
            save_model(net, folder)  # type: ignore[arg-type]
            return {"scores": self.scores(net), "published": self.scores(self.published)}

        self.row("teacher", self.teacher_train, compute)
        return load_model(folder)

    def student(self, kind: str, seed: int) -> dict[str, Any]:
        """One row of the table."""
        if kind == "none":
            return self.row(f"none-{seed}", self.train, lambda work: self._plain(seed, work))
        if kind == "born-again":
            born = BornAgain(generations=2, train=self.train, distill=replace(BASE, train=self.train))
            return self.row(f"{kind}-{seed}", born, lambda work: self._generations(born, seed, work))
        if kind == "mutual":
            mutual = Mutual(peers=2, train=self.train)
            return self.row(f"{kind}-{seed}", mutual, lambda work: self._peers(mutual, seed, work))
        stage = weighed(replace(BASE, train=self.train), parse_kinds(TERMS[kind]), {})
        teacher = self.published if kind == "soft-published" else self.taught_teacher()
        return self.row(f"{kind}-{seed}", [kind, stage], lambda work: self._taught(stage, teacher, seed, work))

    def _plain(self, seed: int, work: Path) -> dict[str, Any]:
        job = self.job(seed, work=work)
        return {"scores": self.scores(self.train.run(job).model)}

    def _taught(self, stage: Distill, teacher: fx.GraphModule, seed: int, work: Path) -> dict[str, Any]:
        """Where the student looks at answers only, they are kept: soft and decoupled draw the same batches."""
        kept = None
        if not set(stage.weights) - {"soft", "decoupled"}:
            identity = fingerprint(teacher)
            kept = KeptAnswers(teacher, identity=identity, folder=self.folder / "answers", whole_split=None)
        result = stage.run(self.job(seed, teacher=kept or teacher, work=work))
        found = {} if kept is None else {"answers_found": kept.num_found, "answers_asked": kept.num_asked}
        return {"scores": self.scores(result.model), **found}

    def _generations(self, born: BornAgain, seed: int, work: Path) -> dict[str, Any]:
        """Every generation's score; the last one's is the row's."""
        born_again(self.job(seed), born, out=work, resume=True)
        nets = [load_model(folder) for folder in sorted((work / "stages").glob("*-generation"))]
        scores = [self.scores(net) for net in nets]
        return {"scores": scores[-1], "generations": scores}

    def _peers(self, mutual: Mutual, seed: int, work: Path) -> dict[str, Any]:
        """Every peer's score; their mean is the row's, as in the paper."""
        peers = mutual.train_peers(self.job(seed, work=work)).net
        scores = [self.scores(net) for net in peers.nets]  # type: ignore[union-attr]
        mean = {name: sum(each[name] for each in scores) / len(scores) for name in self.tests}
        return {"scores": mean, "peers": scores, "together": self.scores(peers)}


def collected(table: Table, rows: list[tuple[str, int, dict[str, Any]]]) -> dict[str, Any]:
    """The table: mean and spread by kind, and the gain over the same seeds without a teacher."""
    by_kind: dict[str, dict[int, dict[str, Any]]] = {}
    for kind, seed, row in rows:
        by_kind.setdefault(kind, {})[seed] = row
    alone = by_kind.get("none", {})
    lines = {}
    for kind, found in by_kind.items():
        lines[kind] = {
            "seeds": sorted(found), "cpu_s": spread(row["cpu_s"] for row in found.values()),
            **{name: spread(row["scores"][name] for row in found.values()) for name in table.tests},
        }  # fmt: skip
        pairs = [(row["scores"], alone[seed]["scores"]) for seed, row in found.items() if seed in alone]
        gains = [ours["jpeg_10000"] - theirs["jpeg_10000"] for ours, theirs in pairs]
        if kind != "none" and gains:
            lines[kind]["gain_jpeg"] = {**spread(gains), "std_error": _std_error(gains)}
    return {"kinds": lines, "rows": [row for _, _, row in rows]}


def _std_error(values: list[float]) -> float | None:
    """Of the mean of paired differences."""
    if len(values) < 2:
        return None
    mean = sum(values) / len(values)
    return (sum((value - mean) ** 2 for value in values) / (len(values) - 1) / len(values)) ** 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--epochs", type=int, default=STUDENT.epochs)
    parser.add_argument("--epoch-images", type=int, default=STUDENT.epoch_images)
    parser.add_argument("--teacher-epochs", type=int, default=TEACHER.epochs)
    parser.add_argument("--teacher-epoch-images", type=int)
    parser.add_argument("--rows", type=Path, default=Path("runs/distillation_table"))
    parser.add_argument("--out", type=Path, default=RESULTS / "distillation_table.json")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no row after so many")
    parser.add_argument("--accelerator", default="cpu")
    parser.add_argument("--jobs", type=int, default=1, help="rows at a time, a thread each")
    options = parser.parse_args()
    options.ends = time.time() + options.seconds
    table = Table(options)
    table.taught_teacher()
    # all kinds of a seed first: a part of the table is a table too
    wanted = [(kind, int(seed)) for seed in options.seeds.split(",") for kind in options.kinds.split(",")]
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(row_of, repeat(options), wanted))
    rows = [(*which, row) for which, row in zip(wanted, found, strict=True) if row is not None]
    facts = {"threads": 1, "versions": package_versions(("torch", "torchvision", "numpy"))}
    told = {"teacher": read_json(table.folder / "teacher.json")}
    write_json(options.out, {"claim": __doc__.splitlines()[0], **facts, **told, **collected(table, rows)})


def row_of(options: argparse.Namespace, which: tuple[str, int]) -> dict[str, Any] | None:
    """One row in a process of its own; None where the time is up."""
    torch.set_num_threads(1)
    return Table(options).student(*which) if time.time() < options.ends else None


if __name__ == "__main__":
    main()
