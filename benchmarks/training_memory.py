"""What a training step takes: the largest batch of library models in 8 GiB, and our bytes against the allocator's.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/training_memory.py [--only WORD] [--out FILE.json]

The largest batches are computed on tensors without content and are exact. The allocator's peak is that of a real step
on this processor, by PyTorch's profiler: kernels may take room for themselves, another amount on another processor.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

from edgewright import zoo
from edgewright.analyze import largest_batch, training_memory
from edgewright.files import write_json
from edgewright.pipeline.record import machine_facts, version_facts

OUT = Path(__file__).parent / "results" / "training_memory.json"
BUDGET_BYTES = 8 * 2**30
OPTIMIZER, DTYPES = "adamw", ("float32", "amp")
MODELS = (
    "torchvision:resnet18", "torchvision:resnet50", "torchvision:mobilenet_v2", "torchvision:densenet121",
    "torchvision:efficientnet_b0", "torchvision:vit_b_16", "torchvision:convnext_tiny", "torchvision:swin_t",
)  # fmt: skip
STEPPED, SHAPE, BATCHES = ("torchvision:resnet18", "torchvision:mobilenet_v3_small"), (3, 64, 64), (4, 12)


def built(spec: str) -> zoo.ZooModel:
    return zoo.resolve(spec, num_classes=None)


def batches(spec: str) -> dict[str, Any]:
    """The largest batch of one model at each type."""
    model = built(spec)
    row: dict[str, Any] = {"model": spec, "input": list(model.input_shape)}
    for dtype in DTYPES:
        found = largest_batch(
            model.model, model.input_shape, budget_bytes=BUDGET_BYTES, optimizer=OPTIMIZER, dtype=dtype
        )
        memory = found.memory
        row[dtype] = {
            "once_bytes": memory.weight_bytes + memory.buffer_bytes + memory.gradient_bytes + memory.optimizer_bytes,
            "bytes_per_sample": memory.bytes_per_sample, "largest_batch": found.batch,
            "total_bytes": memory.total_bytes, "next_bytes": found.next_bytes,
        }  # fmt: skip
    return row


def against_allocator(spec: str) -> dict[str, Any]:
    """What a step takes beside weights, gradients and input: computed, and handed out by the allocator."""
    model = built(spec).model.train()
    for each in model.parameters():
        each.grad = torch.zeros_like(each)
    images = [torch.rand(batch, *SHAPE, generator=torch.Generator().manual_seed(0)) for batch in BATCHES]
    memories = [training_memory(model, SHAPE, batch=batch) for batch in BATCHES]
    computed = [memory.activation_bytes + memory.transient_bytes for memory in memories]
    real = [allocated(model, each) for each in images]
    return {
        "model": spec, "input": list(SHAPE), "batches": list(BATCHES), "computed_bytes": computed,
        "allocator_bytes": real, "computed_growth_bytes": computed[1] - computed[0],
        "allocator_growth_bytes": real[1] - real[0],
        "allocator_more_bytes": [theirs - ours for theirs, ours in zip(real, computed, strict=True)],
    }  # fmt: skip


def allocated(model: nn.Module, images_BCHW: torch.Tensor) -> int:
    """The most bytes that PyTorch's allocator hands out at once during a real step."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profiler:
        made = model(images_BCHW)
        made.backward(torch.ones_like(made))
    events = [each for each in profiler.profiler.kineto_results.events() if each.name() == "[memory]"]
    now = most = 0
    for event in sorted(events, key=lambda each: each.start_ns()):
        now += event.nbytes()
        most = max(most, now)
    return most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="models whose name contains this")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    tables: dict[str, list[dict[str, Any]]] = {}
    for name, names, measure in (("largest_batch", MODELS, batches), ("allocator", STEPPED, against_allocator)):
        for spec in (each for each in names if given.only in each):
            tables.setdefault(name, []).append(measure(spec))
            print(tables[name][-1], file=sys.stderr)
    settings = {"optimizer": OPTIMIZER, "budget_bytes": BUDGET_BYTES, "seed": 0}
    facts = {"command": "benchmarks/training_memory.py", "machine": machine_facts(), "versions": version_facts()}
    write_json(given.out, {**facts, **settings, **tables})


if __name__ == "__main__":
    main()
