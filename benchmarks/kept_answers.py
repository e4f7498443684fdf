"""Do kept answers pay? CPU seconds of a distilled training step with a live teacher, and with answers found on disk.

    python benchmarks/kept_answers.py [--batches 8] [--out FILE]

ResNet-32 teaches ResNet-8 on batches of 128 random images of 32x32, forward, backward and SGD step, one thread. The
four ways take turns on the same batches; the first pass over them warms up and fills the memory.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch
from prune_rows import RESULTS
from torch import nn

from edgewright.compress.distill import Distill, DistillLoss, KeptAnswers
from edgewright.data import load_data
from edgewright.devices.machine import cpu_name, package_versions
from edgewright.files import write_json
from edgewright.model import capture
from edgewright.tasks import Classify
from edgewright.train import fastest_layout
from edgewright.zoo import resolve

TASK = Classify(num_classes=10)
BATCH, SHAPE = 128, (3, 32, 32)
SOFT = Distill(alpha=0.1, temperature=4.0)


def step_s(loss: DistillLoss, net: nn.Module, optimizer: torch.optim.Optimizer, batch: torch.Tensor) -> float:
    """CPU seconds of one training step."""
    began = time.process_time()
    targets = torch.zeros(len(batch), dtype=torch.int64)
    value = loss(net, batch, targets)
    optimizer.zero_grad(set_to_none=True)
    value.backward()
    optimizer.step()
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batches", type=int, default=8)
    parser.add_argument("--out", type=Path, default=RESULTS / "kept_answers.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    student, teacher = (
        capture(resolve(name, num_classes=10).model, SHAPE, name=name) for name in ("resnet8", "resnet32")
    )
    data = load_data("digits").fitted_to(SHAPE)
    net, layout = fastest_layout(student, SHAPE)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-4)
    generator = torch.Generator().manual_seed(0)
    batches = [torch.randn(BATCH, *SHAPE, generator=generator) for _ in range(options.batches)]
    with tempfile.TemporaryDirectory() as folder:
        memory = {
            "kept, found": KeptAnswers(teacher, identity="found", folder=Path(folder), whole_split=None),
            "kept, asked": KeptAnswers(teacher, identity="asked", folder=Path(folder), whole_split=None, most_mb=0),
        }
        ways = {"no teacher": (Distill(alpha=1.0), teacher), "asked": (SOFT, teacher)}
        ways |= {name: (SOFT, each) for name, each in memory.items()}  # type: ignore[dict-item]
        losses = {
            name: DistillLoss(settings, student=student, teacher=each, task=TASK, data=data)
            for name, (settings, each) in ways.items()
        }
        seconds: dict[str, list[float]] = {name: [] for name in losses}
        for turn in range(2):
            for batch in batches:
                for name, loss in losses.items():
                    spent = step_s(loss, net.train(), optimizer, batch.contiguous(memory_format=layout))
                    seconds[name] += [spent] if turn else []
    found = {name: 1000 / BATCH * statistics.median(each) for name, each in seconds.items()}
    for name, value in found.items():
        print(f"{name:<12} {value:.2f} CPU s per 1,000 images")
    write_json(options.out, {
        "claim": __doc__.splitlines()[0], "cpu_s_per_1000_images": found, "batches": options.batches, "batch": BATCH,
        "machine": cpu_name(), "threads": 1, "versions": package_versions(("torch",)),
    })  # fmt: skip


if __name__ == "__main__":
    main()
