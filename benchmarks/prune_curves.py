"""How much of the score is left when the reference ResNet-20 keeps 70, 50 or 30 % of its MACs and learns a little?

    EDGEWRIGHT_TEST_DATA=... python benchmarks/prune_curves.py [--resume] [--seconds 600] [--rows FILE]
    EDGEWRIGHT_TEST_DATA=... python benchmarks/prune_curves.py --full [--resume]

Five scores, chance among them, choose which channels leave; how wide each group stays is the same for all: the plan of
the default score. Then every net learns from the same 12,800 images (100 steps), with the reference net as a teacher
or from the labels alone. Training images: 4,000 lossless four times and 50,000 as JPEG. The last weights are judged,
so no test image takes part in a choice; top-1 on all 1,000 lossless test images (91.5 uncut, standard error of a value
about 1 point). Three seeds: the images that scores and training see, and chance itself. 90 rows of about half a
minute of one core; a row is written when it is done, `--seconds` begins no row after so long.

`--full` is the one long row: half of the MACs, the plan and the training of `recipes/cifar10_resnet20.json`, which is
done twice, the second time from what the first left; 25 minutes of one free core. Val (500 of the test images) picks
the epoch, the other 500 take no part in it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from prune_rows import ALL_TRAIN, Rows, reference_job, spread, write_results

from edgewright.compress.distill import Distill
from edgewright.compress.prune import Planner, Prune, refreshed
from edgewright.metrics import paired_std_error
from edgewright.recipes import Recipe
from edgewright.tasks import decide, evaluate
from edgewright.train import Train
from edgewright.types import Job

SCORES = ("contribution", "l2", "taylor", "bn-scale", "random")
ROUNDS = 2  # trainings of the long row
KEEPS, SEEDS, WAYS = (0.5, 0.3, 0.7), (0, 1, 2), ("distill", "labels")
SETTINGS = Prune(round_to=8, augment="crop-flip")
LEARN = Train(
    epochs=1, epoch_images=12_800, batch_size=128, optimizer="sgd", lr=0.02, weight_decay=1e-4, warmup_epochs=0.1,
    augment="crop-flip", dtype="bfloat16", keep="last",
)  # fmt: skip
RECOVER = {
    "distill": Distill(alpha=0.1, temperature=4.0, features=3.0, train=LEARN),
    "labels": Distill(alpha=1.0, train=LEARN),
}
RECIPE = Path(__file__).parent / "recipes" / "cifar10_resnet20.json"
THEIRS = {
    "source": "README of Torch-Pruning, its own figures",
    "model": "ResNet-56", "macs": "2.13 times fewer", "top1_before": 93.53, "top1_after": 93.77,
}  # fmt: skip


def widths(job: Job) -> dict[str, Any]:
    """What every group keeps for each share: the plan of the default score from one scan."""
    planner = Planner(job, SETTINGS)
    found, sensitivities = {}, planner.scan()
    for keep in KEEPS:
        plan = planner.plan(keep, sensitivities)
        kept = {group.name: group.num_classes - len(group.dropped) for group in plan.groups if group.dropped}
        found[str(keep)] = {"kept": kept, "keep_macs": round(plan.macs_after / plan.macs_before, 4)}
    return {"widths": found}


class Cuts:
    """Planners by score and seed: scores are computed once."""

    def __init__(self) -> None:
        self._jobs: dict[int, Job] = {}
        self._planners: dict[tuple[str, int], tuple[Planner, float]] = {}

    def job(self, seed: int) -> Job:
        """The data are read once: only the seed differs."""
        if not self._jobs:
            self._jobs[seed] = reference_job(seed, ALL_TRAIN)
        return replace(next(iter(self._jobs.values())), seed=seed)

    def planner(self, score: str, seed: int) -> tuple[Planner, float]:
        """The planner, and the seconds that its score took."""
        if (score, seed) not in self._planners:
            began = time.perf_counter()
            planner = Planner(self.job(seed), replace(SETTINGS, score=score, sensitivity_samples=0))
            self._planners[score, seed] = planner, round(time.perf_counter() - began, 1)
        return self._planners[score, seed]


def measured(cuts: Cuts, key: dict[str, Any], kept: dict[str, int]) -> dict[str, Any]:
    """One net: cut, judged, trained, judged again."""
    planner, score_s = cuts.planner(key["score"], key["seed"])
    job = cuts.job(key["seed"])
    net = refreshed(planner.cut(kept), job, SETTINGS)
    cut = evaluate(net, job.task, job.data, "test").value
    began = time.perf_counter()
    result = RECOVER[key["way"]].run(job.with_model(net))
    recover_s = round(time.perf_counter() - began, 1)
    after = evaluate(result.model, job.task, job.data, "test").value
    return {"top1_cut": cut, "top1": after, "score_s": score_s, "recover_s": recover_s}


def curves(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each score, share and way over its seeds, and by how much it beats chance of the same seed."""
    found = []
    for score, keep, way in itertools.product(SCORES, sorted(KEEPS, reverse=True), WAYS):
        own = {row["seed"]: row for row in rows if (row["score"], row["keep"], row["way"]) == (score, keep, way)}
        chance = {row["seed"]: row for row in rows if (row["score"], row["keep"], row["way"]) == ("random", keep, way)}
        if own:
            ahead = [own[seed]["top1"] - chance[seed]["top1"] for seed in own if seed in chance]
            found.append({
                "score": score, "keep": keep, "way": way, "top1": spread(row["top1"] for row in own.values()),
                "top1_cut": spread(row["top1_cut"] for row in own.values()),
                "over_random": spread(ahead) if ahead else None,
                "recover_s": spread(row["recover_s"] for row in own.values()),
            })  # fmt: skip
    return found


def fill(rows: Rows, cuts: Cuts) -> bool:
    """Measure what is missing; whether all is there."""
    plan = rows.measure(lambda: widths(cuts.job(0)), what="widths")
    wanted = itertools.product(SEEDS, KEEPS, SCORES, WAYS)
    for seed, keep, score, way in wanted if plan else ():
        key = {"what": "row", "score": score, "keep": keep, "way": way, "seed": seed}
        kept = plan["widths"][str(keep)]["kept"]
        if rows.measure(lambda key=key, kept=kept: measured(cuts, key, kept), **key) is None:
            return False
    return plan is not None


def full(folder: Path) -> dict[str, Any]:
    """The long row: half of the MACs, planned and trained by the recipe; a killed training goes on."""
    recipe = Recipe.from_plain(json.loads(RECIPE.read_text()))
    job = reference_job(0, ALL_TRAIN)
    began = time.perf_counter()
    cut = replace(recipe.prune, keep_macs=0.5, round_to=8).run(job)
    net, rounds = cut.model, []
    known = _right(job, job.model)
    for number in range(1, ROUNDS + 1):
        work = folder / str(number)
        work.mkdir(parents=True, exist_ok=True)
        result = recipe.recover.run(replace(job.with_model(net), workdir=work))
        net, found = result.model, _right(job, result.model)
        rounds.append({
            "top1": 100 * float(found.mean()), "drop": 100 * float(known.mean() - found.mean()),
            "drop_std_error": paired_std_error(known, found), "best_epoch": result.details["best_epoch"],
        })  # fmt: skip
    plan = cut.details["plan"]
    return {
        "score": plan["score"], "keep_macs": plan["macs_after"] / plan["macs_before"], "recipe": recipe.as_plain(),
        "top1_before": 100 * float(known.mean()), "rounds": rounds, "num_test": len(known), "theirs": THEIRS,
        "seconds": round(time.perf_counter() - began, 1),
        "note": "500 of the test images picked the epoch; seconds of the last of several runs where it was resumed",
    }  # fmt: skip


def _right(job: Job, net: Any) -> Any:
    """Which test images are told right."""
    decisions, targets = decide(net, job.task, job.data, "test")
    return decisions == targets


def main() -> int:
    """Fill the rows as far as the time goes, or make the long one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=Path, default=Path("runs/prune_curves.jsonl"))
    parser.add_argument("--resume", action="store_true", help="go on with the rows, or the training, of before")
    parser.add_argument("--seconds", type=float, default=1e9, help="begin no row after so many")
    parser.add_argument("--full", action="store_true", help="the one long row instead")
    parser.add_argument("--work", type=Path, default=Path("runs/prune_full"), help="where --full keeps its state")
    options = parser.parse_args()
    if "EDGEWRIGHT_TEST_DATA" not in os.environ:
        raise SystemExit("EDGEWRIGHT_TEST_DATA is not set: it names the folder with cifar10/ and weights/.")
    torch.set_num_threads(1)
    if options.full:
        if not options.resume:
            shutil.rmtree(options.work, ignore_errors=True)
        print(write_results("prune_full.json", full(options.work)))
        return 0
    rows = Rows(options.rows, resume=options.resume, seconds=options.seconds)
    complete = fill(rows, Cuts())
    own = [row for row in rows.rows if row["what"] == "row"]
    facts = {"num_images": LEARN.epoch_images, "uncut_top1": 91.5, "num_test": 1000, "theirs": THEIRS}
    content = {**facts, "widths": rows.find(what="widths"), "curves": curves(own), "rows": own}
    print(write_results("prune_curves.json", content))
    if not complete:
        print(f"{len(own)} of {len(SEEDS) * len(KEEPS) * len(SCORES) * len(WAYS)} rows: go on with --resume.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
