"""What a trained net's own activations and zeros are worth on bit-serial and sparse hardware: a small net on digits.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/hardware_digits.py [--out FILE.json]

The net is trained here, once for each of five seeds. Bits: the fewest of each layer's input for a signal-to-noise ratio
of its output, then test accuracy with the inputs of all layers rounded at once, on grids over the range in the same
training images. Sparse columns: the smallest weights of each layer set to zero, no training after it. About a minute of
one core.
"""

from __future__ import annotations

import argparse
import copy
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from edgewright.analyze import profile
from edgewright.analyze.hardware import bit_serial, needed_bits, sparse_columns
from edgewright.data import Data, load_data
from edgewright.files import write_json
from edgewright.model.quantized import affine_spec
from edgewright.pipeline.record import machine_facts, version_facts
from edgewright.tasks import Classify, evaluate
from edgewright.train import Train, train_weights
from edgewright.types import ModelProfile

OUT = Path(__file__).parent / "results" / "hardware_digits.json"
SEEDS, TASK = (0, 1, 2, 3, 4), Classify(num_classes=10)
SETTINGS = Train(epochs=10)
RATIOS_DB, CALIBRATION = (40, 30, 20, 10), 64
KEEPS, TESTED = (1.0, 0.5, 0.2, 0.1), 64


def untrained(seed: int) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(),  # (B, 32, 8, 8)
            nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),  # (B, 64, 4, 4)
            nn.Flatten(), nn.Linear(1024, 256), nn.ReLU(),  # (B, 256)
            nn.Linear(256, 10),
        )  # fmt: skip


def accuracy(net: nn.Module, data: Data) -> float:
    return evaluate(net, TASK, data, "test").value


def with_rounded_inputs(net: nn.Module, bits: dict[str, int], images_BCHW: torch.Tensor) -> nn.Module:
    """A copy whose layers read their input on the affine grid over its range in these images."""
    copied = copy.deepcopy(net)
    for path, width in bits.items():
        _round_input(copied.get_submodule(path), width, _seen(net, path, images_BCHW))
    return copied


def _seen(net: nn.Module, path: str, images_BCHW: torch.Tensor) -> torch.Tensor:
    """What a layer of the network reads."""
    inputs: list[torch.Tensor] = []
    handle = net.get_submodule(path).register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    with torch.no_grad():
        net(images_BCHW)
    handle.remove()
    return inputs[0]


def _round_input(layer: nn.Module, bits: int, seen: torch.Tensor) -> None:
    spec = affine_spec(seen.min().item(), seen.max().item(), bits=bits, signed=False)
    scale, zero = spec.scale[0], spec.zero_point[0]

    def rounded(_: nn.Module, given: tuple[torch.Tensor]) -> torch.Tensor:
        return scale * ((given[0] / scale).round().add(zero).clamp(spec.low, spec.high) - zero)

    layer.register_forward_pre_hook(rounded)


def bits_table(net: nn.Module, data: Data, measured: ModelProfile) -> list[dict[str, Any]]:
    images = data.calibration(CALIBRATION, seed=0)
    rows = []
    for ratio in RATIOS_DB:
        bits = needed_bits(net, images, min_sqnr_db=ratio)
        speed_ups = [bit_serial(net, measured, bits=bits, linear=linear).ideal_speed_up for linear in (False, True)]
        rows.append({
            "min_sqnr_db": ratio, "bits": list(bits.values()),
            "test_accuracy": accuracy(with_rounded_inputs(net, bits, images), data),
            "ideal_speed_up": speed_ups[0], "ideal_speed_up_with_linear": speed_ups[1],
        })  # fmt: skip
    return rows


def with_zeros(net: nn.Module, keep: float) -> nn.Module:
    """A copy in which each layer keeps this share of its weights, the largest."""
    copied = copy.deepcopy(net)
    with torch.no_grad():
        for layer in (each for each in copied if isinstance(each, (nn.Conv2d, nn.Linear))):
            flat = layer.weight.view(-1)
            flat[flat.abs().argsort()[: len(flat) - round(keep * len(flat))]] = 0
    return copied


def sparse_table(net: nn.Module, data: Data) -> list[dict[str, Any]]:
    images, _ = next(data.batches("test", batch_size=TESTED))
    names = ("dense_bytes", "sparse_bytes", "lockstep_cycles", "cycles", "unlimited_cycles", "speed_up", "load_balance")
    rows = []
    for keep in KEEPS:
        cut = with_zeros(net, keep)
        total = sparse_columns(cut, profile(cut, input_shape=data.image_shape), images_BCHW=images).total()
        rows.append(
            {"keep": keep, "test_accuracy": accuracy(cut, data), **{name: total[name] for name in names}}
        )  # cycles are those of one image, the mean of these
    return rows


def run(seed: int, data: Data) -> dict[str, Any]:
    """Both tables of one net."""
    net = train_weights(untrained(seed), task=TASK, data=data, settings=SETTINGS, seed=seed).net
    measured = profile(net, input_shape=data.image_shape)
    return {
        "seed": seed, "macs": measured.macs, "test_accuracy": accuracy(net, data),
        "bits": bits_table(net, data, measured), "sparse_columns": sparse_table(net, data),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    began = time.perf_counter()
    data = load_data("digits").fitted_to((1, 8, 8))
    facts = {
        "command": "benchmarks/hardware_digits.py", "machine": machine_facts(), "versions": version_facts(),
        "train": asdict(SETTINGS), "calibration_images": CALIBRATION, "sparse_images": TESTED,
        "test_images": len(data.split("test")),
    }  # fmt: skip
    runs = [run(seed, data) for seed in SEEDS]
    write_json(given.out, {**facts, "wall_s": round(time.perf_counter() - began, 1), "runs": runs})
    for each in runs:
        print(each["seed"], *each["bits"], *each["sparse_columns"], sep="\n")


if __name__ == "__main__":
    main()
