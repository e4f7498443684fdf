"""Which score cuts the reference CIFAR-10 ResNet-20 with the least damage, before anything is trained again?

    EDGEWRIGHT_TEST_DATA=... python benchmarks/prune_scores.py [--seconds 600] [--resume] [--rows FILE]

Every score cuts (a) all groups to the same share of their channels, (b) to the widths that its plan chooses from a
sensitivity scan, and (c) to those of the other rankings, for some scores. Chance, and scores that look at images, have
three seeds. Batch norm is re-estimated on 1,024 training images. Top-1 on the 1,000 lossless test images (91.5 uncut,
standard error of a value up to 1.6 points). About 20 minutes of one core; `--resume` goes on with earlier rows.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from prune_rows import Rows, reference_job, write_results

from edgewright.compress.prune import RANKINGS, SCORES, Planner, Prune, refreshed
from edgewright.tasks import evaluate
from edgewright.types import Job

KEEPS, TARGETS = (0.875, 0.75), (0.7, 0.5, 0.3)
SETTINGS = Prune(round_to=8, augment="crop-flip")
BY_IMAGES = ("random", "apoz", "contribution", "hessian", "taylor")  # what they say depends on the seed
RANKED = ("contribution", "l2", "bn-scale", "taylor")  # scores that the other rankings are tried with


def even_cuts(job: Job, score: str) -> dict[str, Any]:
    """Top-1 with each share of every group."""
    planner = Planner(job, replace(SETTINGS, score=score))
    found = {}
    for keep in KEEPS:
        net = planner.cut({group.name: round(keep * group.num_classes) for group in planner.channels.free})
        found[str(keep)] = evaluate(refreshed(net, job, SETTINGS), job.task, job.data, "test").value
    return {"top1": found}


def ranked_cuts(job: Job, score: str, ranking: str) -> dict[str, Any]:
    """Top-1 and exact share of the MACs for each share asked."""
    settings = replace(SETTINGS, score=score, ranking=ranking)
    planner = Planner(job, settings)
    sensitivities = planner.scan()
    found, macs = {}, {}
    for target in TARGETS:
        plan = planner.plan(target, sensitivities)
        net = refreshed(planner.apply(plan), job, settings)
        found[str(target)] = evaluate(net, job.task, job.data, "test").value
        macs[str(target)] = round(plan.macs_after / plan.macs_before, 4)
    return {"top1": found, "keep_macs": macs}


def wanted() -> list[tuple[str, str, int]]:
    """(score, ranking, seed) of every row, the quick ones first."""
    seeded = [(score, seed) for score in SCORES for seed in ((0, 1, 2) if score in BY_IMAGES else (0,))]
    even = [(score, "even", seed) for score, seed in seeded]
    ranked = [(score, ranking, 0) for score in RANKED for ranking in RANKINGS]
    return [*even, *ranked, *((score, "planned", seed) for score, seed in seeded)]


def table(rows: list[dict[str, Any]]) -> list[str]:
    """The rows as text, one line a score and ranking."""
    lines = [f"{'score':18s}{'widths':12s}" + "".join(f"{name:>8s}" for name in map(str, (*KEEPS, *TARGETS)))]
    for row in rows:
        cells = [f"{row['top1'].get(str(name), float('nan')):8.1f}" for name in (*KEEPS, *TARGETS)]
        name = f"{row['score']} ({row['seed']})" if row["score"] in BY_IMAGES else row["score"]
        lines.append(f"{name:18s}{row['ranking']:12s}" + "".join(cells).replace("nan", "   "))
    return lines


def main() -> int:
    """Fill the rows as far as the time goes, and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=Path, default=Path("runs/prune_scores.jsonl"))
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--seconds", type=float, default=3600)
    options = parser.parse_args()
    if "EDGEWRIGHT_TEST_DATA" not in os.environ:
        raise SystemExit("EDGEWRIGHT_TEST_DATA is not set: it names the folder with cifar10/ and weights/.")
    torch.set_num_threads(1)
    rows, jobs = Rows(options.rows, resume=options.resume, seconds=options.seconds), {}
    for score, ranking, seed in wanted():
        job = jobs.setdefault(seed, None) or reference_job(seed)
        jobs[seed] = job
        ways = {"even": lambda: even_cuts(job, score)}  # noqa: B023 - called before the loop goes on
        compute = ways.get(ranking, lambda: ranked_cuts(job, score, ranking))  # noqa: B023
        if rows.measure(compute, score=score, ranking=ranking, seed=seed) is None:
            print("The time is up: go on with --resume.")
            break
    print("\n".join(table(rows.rows)))
    print(write_results("prune_scores.json", {"uncut_top1": 91.5, "num_test": 1000, "rows": rows.rows}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
