"""The four networks of the firmware's proof: trained int8 weights, and photographs as their inputs.

    EDGEWRIGHT_TEST_DATA=... python benchmarks/firmware_nets.py [--only NAME]

`resnet8` and `mobilenet_v1` (0.25, 96 pixels) are MLPerf Tiny's published int8 files; their images are CIFAR-10's test
set and photographs of COCO. `ds_cnn` (49x10) learns strips of Fashion-MNIST and `mobilenet_v2` (0.35, 96 pixels) the
photographs of sign-digits, each a few minutes on one core; both are quantized by the stage `Quantize` and kept as
programs in `benchmarks/recipes/firmware`, where they are read from the next time.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from edgewright.compress.quantize import Quantize
from edgewright.data import Data, load_data
from edgewright.devices import device
from edgewright.model import capture
from edgewright.program import Program, input_codes, load_program, save_program
from edgewright.program.lowering import lower
from edgewright.program.tflite_file import read_tflite
from edgewright.tasks import Classify, evaluate
from edgewright.train import Train, train_weights
from edgewright.types import Job
from edgewright.zoo import resolve

KEPT = Path(__file__).parent / "recipes" / "firmware"
SEED = 0
Codes = dict[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Published:
    """An int8 file of MLPerf Tiny; codes are pixels less 128.

    Attributes:
        pixels: so many test images, uint8 (N, 3, H, W).
    """

    file: str
    pixels: Callable[[Path, int], np.ndarray]

    def load(self, name: str, root: Path, count: int) -> tuple[Program, list[Codes]]:
        program = read_tflite(root / "mlperf-tiny" / self.file, name=name, rounding="single")
        (given,) = program.inputs
        return program, [{given: each.astype(np.int64) - 128} for each in self.pixels(root, count)]


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A net of the zoo that learns free images.

    Attributes:
        data: the images below the data's root; the second argument is a place for unpacked files.
    """

    spec: str
    shape: tuple[int, int, int]
    data: Callable[[Path, Path], Data]
    train: Train

    def load(self, name: str, root: Path, count: int) -> tuple[Program, list[Codes]]:
        with tempfile.TemporaryDirectory() as place:
            data = self.data(root, Path(place)).fitted_to(self.shape)
        if not (KEPT / name).exists():
            learnt = self._learn(name, data)
            (KEPT / name).mkdir(parents=True)
            save_program(learnt, KEPT / name)
        program = load_program(KEPT / name)
        test = data.split("test").images_BCHW
        images_BCHW = data.preprocess(test[:: len(test) // count][:count]).numpy()
        (given,) = program.inputs
        return program, [{given: input_codes(program, each)} for each in images_BCHW]

    def _learn(self, name: str, data: Data) -> Program:
        task = Classify(num_classes=data.num_classes)
        model = resolve(self.spec, num_classes=data.num_classes, channels=self.shape[0], seed=SEED).model
        net = train_weights(capture(model, self.shape), task=task, data=data, settings=self.train, seed=SEED).net
        with tempfile.TemporaryDirectory() as place:
            job = Job(
                model=net, task=task, data=data, device=device("stm32l4r5"), seed=SEED, teacher=None,
                workdir=Path(place),
            )  # fmt: skip
            simulation = Quantize().run(job).model
        told = [f"{evaluate(each, task, data, 'test').value:.2f}" for each in (net, simulation)]
        print(f"{name}: top-1 on the test images {told[0]} %, quantized {told[1]} %", flush=True)
        return lower(simulation, name=name)


def cifar10(root: Path, count: int) -> np.ndarray:
    """Test images of CIFAR-10 as published."""
    with np.load(root / "cifar10" / "cifar10_test1000_lossless.npz") as content:
        return content["image"][:count].transpose(0, 3, 1, 2)


def coco(root: Path, count: int) -> np.ndarray:
    """Photographs, brought to 96 x 96 pixels."""
    paths = sorted((root / "coco128" / "images" / "train2017").glob("*.jpg"))[:count]
    images = [np.asarray(Image.open(path).convert("RGB").resize((96, 96))) for path in paths]
    return np.stack(images).transpose(0, 3, 1, 2)


def sign_digits(root: Path, place: Path) -> Data:
    """Photographs of ten signs of the hand."""
    with zipfile.ZipFile(root / "sign-digits" / "sign_digits_100x100.zip") as archive:
        archive.extractall(place)
    return load_data(f"folder:{place}", image_size=96)


NETS: dict[str, Published | Trained] = {
    "resnet8": Published(file="image_classification/pretrainedResnet_quant.tflite", pixels=cifar10),
    "mobilenet_v1": Published(file="visual_wake_words/vww_96_int8.tflite", pixels=coco),
    "ds_cnn": Trained(
        spec="ds_cnn", shape=(1, 49, 10), data=lambda root, _: load_data("fashion-mnist", root=root / "fashion-mnist"),
        train=Train(epochs=8, batch_size=64, epoch_images=10_000, lr=3e-3),
    ),
    "mobilenet_v2": Trained(
        spec="mobilenet_v2:0.35", shape=(3, 96, 96), data=sign_digits,
        train=Train(epochs=8, batch_size=32, lr=3e-3, augment="shift"),
    ),
}  # fmt: skip


def load(name: str, count: int) -> tuple[Program, list[Codes]]:
    """The program of a net, and the codes of so many images."""
    return NETS[name].load(name, Path(os.environ["EDGEWRIGHT_TEST_DATA"]), count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=sorted(NETS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in [options.only] if options.only else NETS:
        program, images = load(name, 20)
        print(f"{name}: {len(program.operations)} operations, {len(images)} images", flush=True)


if __name__ == "__main__":
    main()
