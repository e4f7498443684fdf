"""The three trained nets of the quantization benchmarks, and the data they are scored on.

    EDGEWRIGHT_TEST_DATA=... python benchmarks/quantize_nets.py [--nets DIR] [--accelerator cuda] [--only NAME]

`resnet20` has the published CIFAR-10 weights and is scored on the 1,000 lossless test images. `mobilenet_v2` (width 1,
64 pixels) learns the 50,000 JPEG training images of CIFAR-10 and is scored on the 10,000 JPEG test images; `resnet8`
learns Fashion-MNIST, 10,000 test images. What is trained is kept in DIR, a state dict per net, and read from there the
next time. On one GPU the two trainings take about four minutes, on two processor cores some hours.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import fx

from edgewright.data import Data, load_data
from edgewright.model import capture
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
    """A benchmark's subject: where its data and its weights come from. `train` None: published weights."""

    spec: str
    data: Callable[[Path], Data]
    weights: Callable[[Path, Path], Path]  # (test data, folder of trained nets)
    train: Train | None = None


SUBJECTS = {
    "resnet20": Net(
        spec="resnet20",
        data=lambda root: load_data(LOSSLESS, root=root / "cifar10", val_from="test"),
        weights=lambda root, nets: root / "weights" / "cifar10_resnet" / "resnet20-12fca82f.th",
    ),
    "mobilenet_v2": Net(
        spec="mobilenet_v2@64",
        data=lambda root: load_data(JPEG, root=root / "cifar10"),
        weights=lambda root, nets: nets / "mobilenet_v2.safetensors",
        train=RECIPE,
    ),
    "resnet8": Net(
        spec="resnet8@28",
        data=lambda root: load_data("fashion-mnist", root=root / "fashion-mnist"),
        weights=lambda root, nets: nets / "resnet8.safetensors",
        train=replace(RECIPE, epochs=12),
    ),
}


def subject(name: str, root: Path, nets: Path, *, accelerator: str = "cpu") -> tuple[fx.GraphModule, Data]:
    """The captured net with its trained weights (trained now where they are missing), and its data fitted to it."""
    wanted = SUBJECTS[name]
    data = wanted.data(root)
    path = wanted.weights(root, nets)
    built = resolve(
        wanted.spec, num_classes=10, channels=data.image_shape[0], weights=path if path.exists() else None
    )  # fmt: skip
    data = data.fitted_to(built.input_shape, built.mean, built.std)
    if path.exists():
        return capture(built.model, built.input_shape), data
    assert wanted.train is not None, f"{path} is missing"
    model = built.model.to(accelerator)
    trained = train_weights(model, task=TASK, data=data, settings=wanted.train, seed=0).net.cpu()
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(trained.state_dict(), path)
    return capture(trained, built.input_shape), data


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
