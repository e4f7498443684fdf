"""What a training step over very many classes costs: each head, by number of classes.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/many_classes.py [CLASSES,...]

CPU milliseconds of one thread for one step (forward, backward, and with SGD's update) on 256 samples of 128 random
features, classes drawn by Zipf's law; median of `TURNS` steps, the heads taking turns, so that a busy machine disturbs
all alike. The update is told apart because it walks over all weights whatever the loss looked at: PyTorch's gradients
are dense. Memory is that of the weights and of their gradient.
"""

from __future__ import annotations

import platform
import statistics
import sys
import time

import torch

from edgewright.losses.many_classes import HEADS, HeadShape, class_head, log_uniform

TURNS, WARM_UP = 7, 2
BATCH, DIM, DRAWN = 256, 128, 64
CLASSES = (1000, 10_000, 100_000)


class Step:
    """One training step of a head, timed in two parts."""

    def __init__(self, name: str, num_classes: int) -> None:
        self.head = class_head(name, HeadShape(dim=DIM, num_classes=num_classes, num_drawn=DRAWN))
        self.optimizer = torch.optim.SGD(self.head.parameters(), lr=1e-3)
        generator = torch.Generator().manual_seed(0)
        self.features = torch.randn(BATCH, DIM, generator=generator)
        self.targets = log_uniform(num_classes).draw(BATCH, generator=generator)
        self.times: list[tuple[float, float]] = []

    def __call__(self) -> None:
        """Take one step and keep its CPU seconds: to the gradient, and the update."""
        self.optimizer.zero_grad()
        began = time.process_time()
        self.head.loss(self.features, self.targets).backward()
        learnt = time.process_time()
        self.optimizer.step()
        self.times.append((learnt - began, time.process_time() - learnt))

    @property
    def milliseconds(self) -> list[float]:
        """Median of both parts."""
        return [1000 * statistics.median(part) for part in zip(*self.times[WARM_UP:], strict=True)]

    @property
    def megabytes(self) -> float:
        """Of weights and gradient."""
        return 2 * sum(each.numel() * each.element_size() for each in self.head.parameters()) / 1e6


def main() -> None:
    """Print a row per head and number of classes."""
    torch.set_num_threads(1)
    wanted = [int(part) for part in sys.argv[1].split(",")] if len(sys.argv) > 1 else CLASSES
    print(f"{platform.machine()}, torch {torch.__version__}, 1 thread, {BATCH} x {DIM} features, {DRAWN} drawn classes")
    print(f"{'head':<14}{'classes':>9}{'loss ms':>10}{'update ms':>11}{'of full':>9}{'MB':>9}")
    for num_classes in wanted:
        steps = {name: Step(name, num_classes) for name in HEADS}
        for _ in range(WARM_UP + TURNS):
            for step in steps.values():
                step()
        full = sum(steps["full"].milliseconds)
        for name, step in steps.items():
            loss, update = step.milliseconds
            share = (loss + update) / full
            print(f"{name:<14}{num_classes:>9,}{loss:>10.2f}{update:>11.2f}{share:>8.2f}x{step.megabytes:>9.1f}")


if __name__ == "__main__":
    main()
