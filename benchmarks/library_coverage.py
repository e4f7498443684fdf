"""What the coverage benchmarks share: the models, a process for each, a row after each, counts by library.

A benchmark is a `Coverage`: how one model is measured, and when a row says that the model did not succeed. Models run
smallest first, each in a fresh process forked from a server that has the libraries loaded but no threads: a process
with threads must not be forked, for the child may inherit a lock that nobody opens.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from isolated import alone
from profile_coverage import smallest_of_timm

from edgewright.pipeline.record import machine_facts, version_facts
from edgewright.zoo.torchvision_models import families

Row = dict[str, Any]
RESULTS = Path(__file__).parent / "results"
SIZES = RESULTS / "profile_coverage.json"
LARGE = 150_000_000  # parameters; one such model at a time
PRELOADED = ["torch", "torchvision.models", "timm", "onnxruntime", "torch.onnx", "edgewright.export"]


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """One coverage benchmark.

    Args:
        script: file name of the benchmark.
        measure: from the spec of a model to its row; a function of the script's top level. What it raises is recorded.
        judge: why a row that was measured is no success; None if it is one.
        tell: the row in a few words, for the terminal.
        figures: counts of the rows of one library, beside models and successes.
        families: which of torchvision's families take part.
        facts: what else the result states about the benchmark.
    """

    script: str
    measure: Callable[[str], Row]
    judge: Callable[[Row], str | None]
    tell: Callable[[Row], str]
    figures: Callable[[list[Row]], Row]
    families: tuple[str, ...] = ("classification",)
    facts: Mapping[str, Any] = field(default_factory=dict)
    timeout_s: float = 900

    @property
    def out(self) -> Path:
        return RESULTS / Path(self.script).with_suffix(".json").name


def models(of: tuple[str, ...], again: Path | None) -> list[str]:
    """Specs of torchvision's models of these families, and of timm the smallest of every architecture."""
    names = [f"torchvision:{name}" for name, family in families().items() if family in of]
    if again is not None:
        rows = json.loads(again.read_text())["models"]
        return names + [row["model"] for row in rows if row["model"].startswith("timm:")]
    return names + [f"timm:{name}" for name in smallest_of_timm()]


def run(bench: Coverage, specs: list[str], jobs: int, seconds: float) -> Iterator[Row]:
    """Rows as they are finished, the smallest models first; each in a process of its own, none after `seconds`."""
    began = time.perf_counter()
    size = {row["model"]: row.get("params", 0) for row in json.loads(SIZES.read_text())["models"]}
    multiprocessing.set_forkserver_preload(PRELOADED)
    turn = threading.Lock()  # memory for some copies of one large model

    def started(spec: str) -> Row | None:
        if time.perf_counter() - began > seconds:
            return None
        if size.get(spec, 0) <= LARGE:
            return alone(_child, bench.measure, spec, timeout_s=bench.timeout_s, context="forkserver")
        with turn:
            return alone(_child, bench.measure, spec, timeout_s=bench.timeout_s, context="forkserver")

    with ThreadPoolExecutor(jobs) as pool:
        running = {pool.submit(started, spec): spec for spec in sorted(specs, key=lambda spec: size.get(spec, 0))}
        for each in as_completed(running):
            if (row := each.result()) is not None:
                yield judged(bench, {"model": running[each], **row})


def _child(measure: Callable[[str], Row], spec: str) -> Row:
    torch.set_num_threads(1)
    return measure(spec)


def judged(bench: Coverage, row: Row) -> Row:
    """The row, with the reason where the model does not succeed."""
    if "failure" not in row and (reason := bench.judge(row)) is not None:
        row["failure"] = reason
    return row


def summary(bench: Coverage, rows: list[Row]) -> Row:
    """Counts by library."""
    found: Row = {}
    for library in ("torchvision", "timm"):
        of = [row for row in rows if row["model"].startswith(library)]
        failures = {row["model"]: row["failure"] for row in of if "failure" in row}
        found[library] = {
            "models": len(of), "succeed": len(of) - len(failures),
            "percent": round(100 * (1 - len(failures) / len(of)), 1) if of else None,
            **bench.figures(of), "failures": failures,
        }  # fmt: skip
    return found


def save(bench: Coverage, rows: list[Row], out: Path) -> None:
    rows = sorted(rows, key=lambda row: row["model"])
    result = {
        "command": f"python benchmarks/{bench.script}", "machine": machine_facts(), "versions": version_facts(),
        **bench.facts, "summary": summary(bench, rows), "models": rows,
    }  # fmt: skip
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n")


def kept_rows(options: argparse.Namespace) -> dict[str, Row]:
    """What `--resume` and `--failed` leave of an earlier result."""
    if not (options.resume and options.out.is_file()):
        return {}
    rows = json.loads(options.out.read_text())["models"]
    return {row["model"]: row for row in rows if not (options.failed and "failure" in row)}


def main(bench: Coverage, description: str) -> None:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--only", nargs="+", help="models whose spec holds one of these words")
    parser.add_argument("--again", type=Path, help="take the timm models of this result instead of choosing them")
    parser.add_argument("--resume", action="store_true", help="keep the rows in --out; with --only, replace those")
    parser.add_argument("--failed", action="store_true", help="with --resume: run those again that failed")
    parser.add_argument("--seconds", type=float, default=math.inf, help="start no model after so many seconds")
    parser.add_argument("--jobs", type=int, default=1, help="models at a time")
    parser.add_argument("--out", type=Path, default=bench.out)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    done, specs = kept_rows(options), models(bench.families, options.again)
    if options.only:
        specs = [spec for spec in specs if any(word in spec for word in options.only)]
        done = {name: row for name, row in done.items() if options.failed or name not in specs}
    for row in run(bench, [spec for spec in specs if spec not in done], options.jobs, options.seconds):
        done[row["model"]] = row
        print(row["model"], row.get("failure") or bench.tell(row), f"{row.get('seconds')} s", flush=True)
        save(bench, list(done.values()), options.out)
    print(json.dumps(summary(bench, list(done.values())), indent=1), file=sys.stderr)
