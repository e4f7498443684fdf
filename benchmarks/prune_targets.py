"""Is a cut's share what was asked? Five quantities, three shares, three roundings, two nets, and what was counted.

    python benchmarks/prune_targets.py [--seconds N] [--resume]

Random weights, 64x64 pixels, score l2, no image looked at, one thread. Every cut is made and its model counted afresh;
a share that the widths cannot reach is a row too. About five minutes of a core.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import torch
from prune_rows import Rows, write_results

from edgewright.analyze import cost_of
from edgewright.compress.prune import QUANTITIES, Planner, Prune, plan_prune
from edgewright.devices import device
from edgewright.errors import BudgetError
from edgewright.model import capture
from edgewright.types import Job
from edgewright.zoo import resolve

NETS = ("torchvision:resnet18", "torchvision:mobilenet_v2")
SHARES, STEPS, NEAR = (0.7, 0.5, 0.25), (8, 16, 32), 0.98


def job_of(spec: str) -> Job:
    found = resolve(spec, num_classes=10, image_size=64, seed=0)
    net = capture(found.model, found.input_shape, name=spec)
    return Job(model=net, task=None, data=None, device=device("generic-x86"), model_name=spec)


def counted(job: Job, quantity: str, share: float, round_to: int) -> dict[str, Any]:
    """The share that the cut model has, by the counter of the quantity; or why there is none."""
    settings = Prune(score="l2", sensitivity_samples=0, round_to=round_to).aiming_at(quantity, share)
    planner = Planner(job, settings)
    try:
        net = planner.apply(plan_prune(job, settings))
    except BudgetError as error:
        return {"keep": None, "refused": str(error)}
    after, before = (QUANTITIES[quantity].of(cost_of(each, job.device, settings.dtype)) for each in (net, planner.net))
    return {"keep": after / before}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=Path, default=Path("runs/prune_targets.jsonl"))
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--seconds", type=float, default=3600)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = Rows(options.rows, resume=options.resume, seconds=options.seconds)
    for spec in NETS:
        job = job_of(spec)
        for quantity, share, step in product(QUANTITIES, SHARES, STEPS):
            compute = partial(counted, job, quantity, share, step)
            rows.measure(compute, net=spec, quantity=quantity, share=share, round_to=step)
    cut = [row for row in rows.rows if row["keep"] is not None]
    used = sorted(row["keep"] / row["share"] for row in cut)
    summary = {
        "cuts": len(cut), "refused": len(rows.rows) - len(cut), "in_band": sum(NEAR <= each <= 1 for each in used),
        "lowest": used[0], "median": used[len(used) // 2],
    }  # fmt: skip
    print(summary, write_results("prune_targets.json", {"summary": summary, "rows": rows.rows}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
