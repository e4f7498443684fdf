"""The three trained nets of the quantization benchmarks, and the data they are scored on.

    EDGEWRIGHT_TEST_DATA=... python benchmarks/quantize_nets.py [--nets DIR] [--accelerator cuda] [--only NAME]

`resnet20` has the published CIFAR-10 weights and is scored on the 1,000 lossless test images. `mobilenet_v2` (width 1,
64 pixels) learns the 50,000 JPEG training images of CIFAR-10 and is scored on the 10,000 JPEG test images; `resnet8`
learns Fashion-MNIST, 10,000 test images. The captured nets are kept in DIR and read from there
the next time. On one GPU the two trainings take about four minutes, on two processor cores some hours.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import fx

from edgewright.data import Data, load_data
from edgewright.files import folder_atomic
from edgewright.model import capture, load_model, save_model
from edgewright.tasks import Classify, evaluate
from edgewright.train import Train, train_weights
from edgewright.zoo import resolve

TASK = Classify(num_classes=10)
NETS = Path("runs/quantize_nets")
LOSSLESS = "npz:cifar10_train4000_lossless.npz*4+cifar10_train_jpeg.npz,cifar10_test1000_lossless.npz"
JPEG = "npz:cifar10_train_jpeg.npz,cifar10_test_jpeg.npz"
RECIPE = Train(
    epochs=18, batch_size=256, optimizer="sgd", lr=0.1, momentum=0.9, weight_decay=5e-4, augment="crop-flip",
    warmup_epochs=1.0,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Net:
    """A benchmark's subject: where its data and its weights come from. Either `weights` or `train`."""

    spec: str
    data: Callable[[Path], Data]
    weights: Callable[[Path], Path] | None = None
    train: Train | None = None


SUBJECTS = {
    "resnet20": Net(
        spec="resnet20",
        data=lambda root: load_data(LOSSLESS, root=root / "cifar10", val_from="test"),
        weights=lambda root: root / "weights" / "cifar10_resnet" / "resnet20-12fca82f.th",
    ),
    "mobilenet_v2": Net(
        spec="mobilenet_v2@64",
        data=lambda root: load_data(JPEG, root=root / "cifar10"),
        train=RECIPE,
    ),
    "resnet8": Net(
        spec="resnet8@28",
        data=lambda root: load_data("fashion-mnist", root=root / "fashion-mnist"),
        train=replace(RECIPE, epochs=12),
    ),
}


def subject(name: str, root: Path, nets: Path, *, accelerator: str = "cpu") -> tuple[fx.GraphModule, Data]:
    """The captured net with its trained weights (trained now where it is missing), and its data fitted to it."""
    wanted, folder = SUBJECTS[name], nets / name
    data = wanted.data(root)
    built = resolve(
        wanted.spec, num_classes=10, channels=data.image_shape[0], weights=wanted.weights and wanted.weights(root)
    )  # fmt: skip
    data = data.fitted_to(built.input_shape, built.mean, built.std)
    if not folder.exists():
        model = built.model
        if wanted.train is not None:
            model = train_weights(
                model.to(accelerator), task=TASK, data=data, settings=wanted.train, seed=0
            ).net.cpu()  # fmt: skip
        folder.parent.mkdir(parents=True, exist_ok=True)
        with folder_atomic(folder) as temporary:
            save_model(capture(model, built.input_shape), temporary)
    return load_model(folder), data


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nets", type=Path, default=NETS)
    parser.add_argument("--accelerator", default="cpu", help="where PyTorch trains, for instance cuda")
    parser.add_argument("--only", choices=SUBJECTS)
    options = parser.parse_args()
    root = Path(os.environ["EDGEWRIGHT_TEST_DATA"])
    for name in [options.only] if options.only else SUBJECTS:
        net, data = subject(name, root, options.nets, accelerator=options.accelerator)
        score = evaluate(net.to(options.accelerator), TASK, data, "test")
        print(f"{name}: {score.value:.2f} on {score.num_samples} test images", flush=True)


if __name__ == "__main__":
    torch.backends.cudnn.benchmark = True
    main()
