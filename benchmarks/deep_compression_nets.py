"""The nets of the deep compression benchmark, trained, and the data they are scored on.

    EDGEWRIGHT_TEST_DATA=... python benchmarks/deep_compression_nets.py [--nets DIR]

`alexnet28` is an AlexNet for 28x28 grey images: convolutions and pooling, then three large fully connected layers with
dropout, which hold 98 % of its 0.95 million weights (AlexNet: 96 % of 61 million). It learns Fashion-MNIST and is
scored on the 10,000 test images: half a minute of one free core. `resnet20` has the published CIFAR-10 weights and is
scored on the 1,000 lossless test images. A training that is killed goes on after the last whole epoch.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch
from torch import fx, nn

from edgewright.data import Data, load_data
from edgewright.files import folder_atomic
from edgewright.model import capture, load_model, save_model
from edgewright.tasks import Classify, evaluate
from edgewright.train import Train, train_weights
from edgewright.zoo import resolve
from edgewright.zoo.seeded import seeded

TASK = Classify(num_classes=10)
NETS = Path("runs/deep_compression_nets")
SEED = 0
LOSSLESS = "npz:cifar10_train4000_lossless.npz,cifar10_test1000_lossless.npz"
DENSE = Train(
    epochs=7, epoch_images=27_500, batch_size=128, lr=1.5e-3, weight_decay=0.01, warmup_epochs=0.2, augment="none",
    dtype="bfloat16",
)  # fmt: skip


class AlexNet28(nn.Module):
    """Convolutions find features, three wide linear layers decide. Source of the shape: Krizhevsky 2012."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 16, 3, padding=1), nn.Conv2d(16, 32, 3, padding=1)
        self.conv3 = nn.Conv2d(32, 32, 3, padding=1)
        self.fc6, self.fc7, self.fc8 = nn.Linear(32 * 7 * 7, 512), nn.Linear(512, 256), nn.Linear(256, 10)
        self.pool, self.dropout = nn.MaxPool2d(2), nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(torch.relu(self.conv1(x)))  # (B, 16, 14, 14)
        x = self.pool(torch.relu(self.conv2(x)))  # (B, 32, 7, 7)
        x = torch.relu(self.conv3(x)).flatten(1)
        x = self.dropout(torch.relu(self.fc6(x)))
        x = self.dropout(torch.relu(self.fc7(x)))
        return self.fc8(x)


def alexnet28(root: Path, nets: Path) -> tuple[fx.GraphModule, Data]:
    """The captured net with its trained weights (trained now where they are missing), and Fashion-MNIST."""
    data = load_data("fashion-mnist", root=root / "fashion-mnist").fitted_to((1, 28, 28))
    folder = nets / "alexnet28"
    if not folder.exists():
        with seeded(SEED, "alexnet28"):
            model = AlexNet28()
        checkpoint = nets / "alexnet28.work"
        trained = train_weights(model, task=TASK, data=data, settings=DENSE, seed=SEED, checkpoint=checkpoint)
        with folder_atomic(folder) as temporary:
            save_model(capture(trained.net, (1, 28, 28)), temporary)
    return load_model(folder), data


def resnet20(root: Path, nets: Path) -> tuple[fx.GraphModule, Data]:
    """The reference weights; val is half of the lossless test images, because the weights have seen all of train."""
    data = load_data(LOSSLESS, root=root / "cifar10", val_from="test")
    weights = root / "weights" / "cifar10_resnet" / "resnet20-12fca82f.th"
    built = resolve("resnet20", num_classes=10, weights=weights)
    return capture(built.model, built.input_shape), data.fitted_to(built.input_shape, built.mean, built.std)


SUBJECTS = {"alexnet28": alexnet28, "resnet20": resnet20}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nets", type=Path, default=NETS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.nets.mkdir(parents=True, exist_ok=True)
    for name, make in SUBJECTS.items():
        net, data = make(Path(os.environ["EDGEWRIGHT_TEST_DATA"]), options.nets)
        score = evaluate(net, TASK, data, "test")
        print(f"{name}: {score.value:.2f} +- {score.std_error:.2f} on {score.num_samples} test images", flush=True)


if __name__ == "__main__":
    main()
