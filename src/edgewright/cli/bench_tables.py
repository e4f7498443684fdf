"""What `bench` prints: one table per question, narrow enough for 120 columns, and the conditions under them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..report.units import DASH, bytes_text, seconds_text, share_text, times_text
from .show import lines, table

if TYPE_CHECKING:
    from ..verify import Bench, BenchRow, ColdStart, Conditions, EndToEnd

WIDTH = 120  # columns of the sentences under the tables


def show(found: Bench) -> None:
    """Steady state, throughput by batch and threads, whole decisions, cold starts, conditions."""
    _steady(found)
    _throughput(found)
    if found.end_to_end:
        _whole(found)
    if found.cold:
        _cold(found.cold)
    print()
    skipped = [f"not measured: {skip.model} in {skip.runtime}: {skip.reason.rstrip('.')}." for skip in found.skipped]
    for text in (*skipped, *found.remarks, *_conditions(found)):
        lines(textwrap.wrap(text, WIDTH, subsequent_indent="  "))


def _steady(found: Bench) -> None:
    headings = ("threads", "batch", "median", "p95", "p99", "min", "spread", "ratio", "warm-up", "runtime", "model")
    table(headings, [_steady_cells(row) for row in found.rows], right=headings[:-2], title="Steady state, per call")


def _steady_cells(row: BenchRow) -> tuple[str, ...]:
    times = row.latency
    warm = f"{times.warm_up.calls}{'' if times.warm_up.stable else ' (!)'}"
    return (
        str(times.threads), str(times.batch),
        *(seconds_text(value) for value in (times.median_s, times.p95_s, times.p99_s, times.min_s)),
        _spread(times.spread), times_text(row.ratio), warm, row.runtime, row.model,
    )  # fmt: skip


def _throughput(found: Bench) -> None:
    """Images per second: a row per contender and number of threads, a column per batch."""
    rates = {(row.model, row.runtime, row.latency.threads, row.latency.batch): row.images_per_s for row in found.rows}
    keys = dict.fromkeys(key[:3] for key in rates)
    rows = []
    for model, runtime, threads in keys:
        values = [rates.get((model, runtime, threads, batch)) for batch in found.plan.batches]
        rows.append((threads, *(DASH if value is None else _rate(value) for value in values), runtime, model))
    batches = [f"batch {batch}" for batch in found.plan.batches]
    print()
    table(("threads", *batches, "runtime", "model"), rows, right=("threads", *batches), title="Images per second")


def _whole(found: Bench) -> None:
    names = ("threads", "batch", "decode", "prepare", "model", "decide", "whole", "p95", "images/s", "model's share")
    cells = [_whole_cells(row) for row in found.end_to_end]
    print()
    title = f"Whole decisions on {found.end_to_end[0].samples} images of {found.data}, per call"
    table((*names, "runtime", "of"), cells, right=names, title=title)


def _whole_cells(row: EndToEnd) -> tuple[str, ...]:
    times = (row.decode_s, row.preprocess_s, row.model_s, row.postprocess_s, row.whole_s, row.whole_p95_s)
    texts = [seconds_text(value) for value in times]
    share = share_text(row.share_of_model)
    return (str(row.threads), str(row.batch), *texts, _rate(row.images_per_s), share, row.runtime, row.model)


def _cold(rows: Sequence[ColdStart]) -> None:
    steps = ("start", "import", "load", "compile", "first call", "in all", "peak RAM", "model's RAM")
    cells = [
        (
            *(seconds_text(value) for value in (row.start_s, row.import_s, row.load_s, row.compile_s, row.first_s)),
            seconds_text(row.total_s), bytes_text(row.peak_rss_bytes), bytes_text(row.added_rss_bytes), row.runtime,
            row.model,
        )
        for row in rows
    ]  # fmt: skip
    first = rows[0]
    print()
    processes, threads = _plural(first.starts, "process", "es"), _plural(first.threads, "thread")
    title = f"Cold start, {processes} each, {threads}, batch {first.batch}"
    table((*steps, "runtime", "model"), cells, right=steps, title=title)
    for row in rows:
        if row.compile_empty_s is not None:
            print(f"compile with an empty cache, once: {seconds_text(row.compile_empty_s)} ({row.model})")


def _conditions(found: Bench) -> list[str]:
    here, timing = found.conditions, found.plan.timing
    versions = ", ".join(f"{name} {version}" for name, version in here.versions.items())
    shape = "x".join(str(size) for size in found.input_shape)
    return [
        f"Measured on this machine alone: {machine_text(here)}.",
        f"Input {shape}; {_plural(timing.turns, 'turn')} of at most {_plural(timing.runs, 'call')} or "
        f"{timing.seconds} s each, all in turns; ratio: to the first row of a setting, turn by turn; {versions}.",
    ]


def machine_text(here: Conditions) -> str:
    clock = "clock unknown" if here.clock_hz is None else f"{here.clock_hz / 1e9:.2f} GHz"
    loads = " to ".join(DASH if load is None else f"{load:g}" for load in (here.load_before, here.load_after))
    kind = ", a virtual machine" if here.is_virtual else ""
    governor = here.governor or "not told"
    cores = f"{here.usable_cores} of {_plural(here.cores, 'core')}"
    return f"{here.processor}{kind}, {cores}, {clock}, governor {governor}, load {loads}, {here.system}"


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _spread(share: float) -> str:
    return share_text(share) if share < 2 else times_text(share)


def _plural(number: int, noun: str, ending: str = "s") -> str:
    return f"{number} {noun}{'' if number == 1 else ending}"
