"""ResNet-8 of MLPerf Tiny trained on CIFAR-10 by our recipe, beside the benchmark's own reference weights.

    EDGEWRIGHT_TEST_DATA=... python benchmarks/cifar10_resnet8.py [--epochs 80] [--seed 0] [--run DIR] [--teacher DIR]

Images: the 50,000 JPEG copies of the training set, and the exact pixels of the first 4,000 of them four times over.
Nothing is chosen by a score: the moving average of the weights after the last epoch is the result. Both nets are
scored on the same 1,000 exact test images, and on the 10,000 JPEG copies. With a teacher (`distillation_table.py` makes
one: ResNet-32 that has learnt the copies), 12 more epochs imitate its answers. Run the same command again to go on.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mlperf_resnet8 import read_reference
from prune_rows import RESULTS
from torch import nn

from edgewright.compress.distill import Distill
from edgewright.data import Data, load_data
from edgewright.devices import device
from edgewright.devices.machine import cpu_name, package_versions
from edgewright.files import write_json
from edgewright.metrics import paired_std_error
from edgewright.model import capture, load_model
from edgewright.tasks import Classify, decide
from edgewright.train import Train, train_weights
from edgewright.types import Job, plain
from edgewright.zoo import resolve

TASK = Classify(num_classes=10)
LOSSLESS_TRAIN = "cifar10_train4000_lossless.npz"
TRAIN = f"{LOSSLESS_TRAIN}*4+cifar10_train_jpeg.npz"
TESTS = {"lossless_1000": "cifar10_test1000_lossless.npz", "jpeg_10000": "cifar10_test_jpeg.npz"}
RECIPE = Train(
    epochs=80, epoch_images=50_000, batch_size=128, optimizer="sgd", lr=0.1, weight_decay=2e-4, warmup_epochs=2,
    augment="crop-flip", ema_decay=0.999, keep="last",
)  # fmt: skip
TAUGHT = Distill(
    alpha=0.1, temperature=4.0,
    train=replace(RECIPE, epochs=12, lr=0.05, warmup_epochs=0.5, dtype="bfloat16"),
)  # fmt: skip
PIXELS = (3, 32, 32), (0.0, 0.0, 0.0), (1 / 255,) * 3  # what the reference net takes: 0 to 255


def data_of(root: Path, train: str, test: str) -> Data:
    return load_data(f"npz:{train},{test}", root=root / "cifar10")


def right(net: Any, data: Data) -> np.ndarray:
    """Which test images are told right."""
    decisions, targets = decide(net, TASK, data, "test")
    return decisions == targets


def compared(ours: nn.Module, reference: nn.Module, root: Path, fitted: Data) -> dict[str, Any]:
    """Both nets on the same images, each fed as it was trained."""
    found = {}
    preprocess = fitted.preprocess
    for name, test in TESTS.items():
        data = data_of(root, LOSSLESS_TRAIN, test)
        mine = right(ours, data.fitted_to(preprocess.shape, preprocess.mean, preprocess.std))
        theirs = right(reference, data.fitted_to(*PIXELS))
        found[name] = {
            "ours": 100 * float(mine.mean()), "mlperf_tiny": 100 * float(theirs.mean()),
            "difference": 100 * float(mine.mean() - theirs.mean()),
            "difference_std_error": paired_std_error(mine, theirs),
        }  # fmt: skip
    return found


def taught(net: nn.Module, options: argparse.Namespace, reference: nn.Module, data: Data) -> dict[str, Any]:
    """What more epochs with a teacher make of the net."""
    if options.teacher is None:
        return {}
    began, cpu = time.perf_counter(), time.process_time()
    job = Job(
        model=net, task=TASK, data=data, device=device("generic-x86"), seed=options.seed,
        teacher=load_model(options.teacher), workdir=options.run / "taught",
    )  # fmt: skip
    student = TAUGHT.run(job).model
    scores = compared(student, reference, Path(os.environ["EDGEWRIGHT_TEST_DATA"]), data)
    spent = {"seconds": time.perf_counter() - began, "cpu_s": time.process_time() - cpu}
    return {"taught": {"scores": scores, "settings": TAUGHT, **spent}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=RECIPE.epochs)
    parser.add_argument("--epoch-images", type=int, default=RECIPE.epoch_images)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--run", type=Path, default=Path("runs/cifar10_resnet8"))
    parser.add_argument(
        "--teacher", type=Path, help="a folder with a model, for instance runs/distillation_table/teacher"
    )
    parser.add_argument("--out", type=Path, default=RESULTS / "cifar10_resnet8.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    root = Path(os.environ["EDGEWRIGHT_TEST_DATA"])
    settings = replace(RECIPE, epochs=options.epochs, epoch_images=options.epoch_images)
    model = resolve("resnet8", num_classes=10, seed=options.seed)
    data = data_of(root, TRAIN, TESTS["jpeg_10000"]).fitted_to(model.input_shape)
    net = capture(model.model, model.input_shape, name="resnet8")
    began, cpu = time.perf_counter(), time.process_time()
    outcome = train_weights(
        net, task=TASK, data=data, settings=settings, seed=options.seed, checkpoint=options.run / "work"
    )
    spent = {"seconds": time.perf_counter() - began, "cpu_s": time.process_time() - cpu}
    reference = read_reference(root / "mlperf-tiny" / "image_classification" / "pretrainedResnet.tflite")
    result = {
        "claim": "ResNet-8 on JPEG copies of CIFAR-10 beside MLPerf Tiny's weights; the aim was 85 % on JPEG",
        "scores": compared(outcome.net, reference, root, data),
        **taught(outcome.net, options, reference, data),
        "seed": options.seed, "settings": settings, "history": outcome.history, **spent,
        "machine": cpu_name(), "threads": 1, "versions": package_versions(("torch", "torchvision", "numpy")),
    }  # fmt: skip
    write_json(options.out, plain(result))
    print(result["scores"], result.get("taught", {}).get("scores"), f"{spent['cpu_s']:.0f} CPU s")


if __name__ == "__main__":
    main()
