"""Cold start and memory: each in a process of its own, several times, the steps apart."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ExportError
from ..progress import SILENT, Progress
from .subjects import Contender, Skipped

PROBE = Path(__file__).with_name("probe.py")
PACKAGE_ROOT = Path(__file__).parents[2]  # what a loader of ours is imported from
STEPS = ("start_s", "import_s", "load_s", "compile_s", "first_s", "total_s")


@dataclass(frozen=True, kw_only=True)
class ColdStart:
    """Medians over `starts` processes. In each of them the steps before `total_s` make up the total.

    start: from the parent's call to the first line of Python. import: the runtime. load: file to model. compile:
    what a compiled model needs until its first answer, less its second call; the compiler's cache is filled by a
    process before, and `compile_empty_s` is the same with an empty cache, measured once. first: the first call; the
    second of a compiled model.
    Memory is the resident set's peak: `peak_rss_bytes` of the process, `baseline_rss_bytes` of one that imports the
    same and loads no model, `added_rss_bytes` their difference; a compiled model's has the compiler in it.
    """

    model: str
    runtime: str
    starts: int
    threads: int
    batch: int
    start_s: float
    import_s: float
    load_s: float
    compile_s: float | None
    compile_empty_s: float | None
    first_s: float
    total_s: float
    total_range_s: tuple[float, float]
    peak_rss_bytes: int
    baseline_rss_bytes: int
    added_rss_bytes: int


@dataclass(frozen=True, kw_only=True)
class Start:
    """What every process of a measurement is asked for."""

    shape: tuple[int, ...]  # (B, C, H, W)
    threads: int
    cache: Path  # of the compiler, which makes the folder


def cold_starts(
    those: Sequence[Contender], *, shape: tuple[int, ...], threads: int, starts: int, progress: Progress = SILENT
) -> tuple[tuple[ColdStart, ...], tuple[Skipped, ...]]:
    """Start each contender `starts` times, in turns, with processes without a model between them.

    What does not start is left out, with the reason. Files are in the machine's page cache: it is the process that is
    cold, not the disk.
    """
    found: dict[Contender, list[dict[str, Any]]] = {each: [] for each in those}
    leads = {each.runtime: each for each in reversed(those)}
    bare: dict[str, list[dict[str, Any]]] = {runtime: [] for runtime in leads}
    failed: dict[Contender, Skipped] = {}
    with tempfile.TemporaryDirectory() as folder, progress.task("Start", total=starts) as bar:
        for _ in range(starts):
            for index, each in enumerate(those):
                start = Start(shape=shape, threads=threads, cache=Path(folder) / str(index))
                try:
                    if each not in failed:
                        found[each].append(_once(each, start))
                except ExportError as error:
                    failed[each] = Skipped(model=each.subject.name, runtime=each.runtime, reason=str(error))
            for runtime, lead in leads.items():
                start = Start(shape=shape, threads=threads, cache=Path(folder))
                bare[runtime].append(run_probe({**question(lead, start), "model": None}, start))
            bar.advance()
    rows = tuple(
        _summary(each, found[each], bare[each.runtime], (threads, shape[0])) for each in those if each not in failed
    )
    return rows, tuple(failed.values())


def _once(contender: Contender, start: Start) -> dict[str, Any]:
    """One process; where the compiler's cache is still empty, one more before it that fills it."""
    asked = question(contender, start)
    if contender.runtime != "compiled" or start.cache.exists():
        return run_probe(asked, start)
    empty = run_probe(asked, start)
    return {**run_probe(asked, start), "compile_empty_s": empty["compile_s"]}


def question(contender: Contender, start: Start) -> dict[str, Any]:
    """What `probe.py` is asked; the parent's clock is added when the process starts."""
    subject = contender.subject
    stored = subject.stored
    path = contender.path or (stored.folder if stored else None)
    return {
        "runtime": contender.runtime, "model": str(path), "loader": stored.loader if stored else "",
        "shape": list(start.shape), "threads": start.threads,
    }  # fmt: skip


def run_probe(asked: Mapping[str, Any], start: Start) -> dict[str, Any]:
    """Run `probe.py` in a new process.

    Raises:
        ExportError: it did not end well; the last line that it wrote says why.
    """
    path = os.pathsep.join(filter(None, (str(PACKAGE_ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": str(start.cache), "PYTHONPATH": path}
    # -P: the folder of the script, with modules of ours in it, is not searched for what the script imports
    command = [sys.executable, "-P", str(PROBE), json.dumps({**asked, "began": time.monotonic()})]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1][:200]
        raise ExportError(f"{asked['model']} does not start in a process of its own ({reason}).")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _summary(
    contender: Contender,
    rows: Sequence[Mapping[str, Any]],
    bare: Sequence[Mapping[str, Any]],
    setting: tuple[int, int],
) -> ColdStart:
    medians = {name: float(np.median([row[name] for row in rows])) if name in rows[0] else None for name in STEPS}
    totals = [row["total_s"] for row in rows]
    peak, baseline = (int(np.median([row["peak_bytes"] for row in each])) for each in (rows, bare))
    return ColdStart(
        model=contender.subject.name,
        runtime=contender.runtime,
        starts=len(rows),
        threads=setting[0],
        batch=setting[1],
        compile_empty_s=rows[0].get("compile_empty_s"),
        total_range_s=(min(totals), max(totals)),
        peak_rss_bytes=peak,
        baseline_rss_bytes=baseline,
        added_rss_bytes=peak - baseline,
        **medians,  # type: ignore[arg-type]
    )
