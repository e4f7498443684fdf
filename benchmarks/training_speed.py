"""How long a training step takes: plain layout, channels last, and channels last with layers in bfloat16.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/training_speed.py

CPU seconds of one thread per 1,000 images (forward, backward, SGD step), median of `TURNS` steps; the variants take
turns, so that a busy machine disturbs all alike.
"""

from __future__ import annotations

import copy
import platform
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

from edgewright import zoo
from edgewright.model import capture

TURNS, WARM_UP = 9, 2
MODELS = {"simple_cnn": 32, "resnet20": 128, "ds_cnn": 32, "mobilenet_v2@96": 16, "torchvision:resnet18": 16}


def make_step(net: nn.Module, shape: tuple[int, ...], batch: int, *, last: bool, bfloat16: bool) -> Callable[[], None]:
    """One training step on random images, as a function to time."""
    layout = torch.channels_last if last else torch.contiguous_format
    trained = copy.deepcopy(net).train().to(memory_format=layout)
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn((batch, *shape), generator=generator).contiguous(memory_format=layout)
    targets = torch.randint(0, 10, (batch,), generator=generator)
    optimizer = torch.optim.SGD(trained.parameters(), lr=1e-4, momentum=0.9)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            outputs = trained(inputs)
        optimizer.zero_grad()
        nn.functional.cross_entropy(outputs.float(), targets).backward()
        optimizer.step()

    return step


def measure(spec: str, batch: int) -> list[float]:
    """CPU seconds per 1,000 images of the three variants."""
    made = zoo.resolve(spec, num_classes=10, image_size=64 if spec.startswith("torchvision") else None)
    net = capture(made.model, made.input_shape)
    variants = ((False, False), (True, False), (True, True))
    steps = [make_step(net, made.input_shape, batch, last=last, bfloat16=half) for last, half in variants]
    seconds: list[list[float]] = [[] for _ in steps]
    for _ in range(WARM_UP + TURNS):
        for step, times in zip(steps, seconds, strict=True):
            began = time.process_time()
            step()
            times.append(time.process_time() - began)
    return [statistics.median(times[WARM_UP:]) / batch * 1000 for times in seconds]


def main() -> None:
    torch.set_num_threads(1)
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}, 1 thread, CPU s per 1,000 images")
    print(f"{'model':24}{'batch':>6}{'plain':>10}{'last':>10}{'bfloat16':>10}")
    for spec, batch in MODELS.items():
        plain, last, half = measure(spec, batch)
        ratios = f"{plain / last:.2f}x, {plain / half:.2f}x"
        print(f"{spec:24}{batch:>6}{plain:>10.2f}{last:>10.2f}{half:>10.2f}   {ratios}", flush=True)


if __name__ == "__main__":
    main()
