"""What `pays` prints: a curve per layer, the whole model, what zeros are worth besides time, and other devices."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..report.units import (
    DASH,
    bytes_text,
    count_text,
    joules_text,
    points_text,
    seconds_text,
    share_text,
    times_text,
)
from .bench_tables import WIDTH, machine_text
from .show import lines, table

if TYPE_CHECKING:
    from ..analyze.hardware.kernels import KernelAnswer
    from ..pipeline.pays import Benefit, LayerAnswer, ModelRow, PaysAnswer
    from ..verify.sparse_times import Form


def show(found: PaysAnswer) -> None:
    """All tables, then what they say."""
    for layer in found.layers:
        _layer(layer)
        print()
    _models(found.models)
    print()
    _benefits(found.benefits)
    print()
    _devices(found.devices)
    print()
    for text in (*found.verdict, *found.remarks, *_conditions(found)):
        lines(textwrap.wrap(text, WIDTH, subsequent_indent="  "))


def _layer(layer: LayerAnswer) -> None:
    """Times as multiples of the dense one, a column per sparsity."""
    from ..verify.sparse_kernels import CSR_KERNELS
    from ..verify.sparse_times import CUT, MASKED

    times = layer.times
    shares = list(dict.fromkeys(form.sparsity for form in times.of(MASKED)))
    ways = [way for way in (MASKED, *CSR_KERNELS, CUT) if times.of(way)]
    rows = [(way, *(_ratio(times.at(share, way)) for share in shares)) for way in ways]
    compressed = next(iter(CSR_KERNELS))
    for way, name in ((compressed, "bytes in CSR"), (CUT, "bytes cut")):
        sizes = [times.at(share, way).num_bytes / times.dense.num_bytes for share in shares]
        rows.append((name, *(times_text(size) for size in sizes)))
    headings = ("time to dense", *(share_text(share) for share in shares))
    lines(textwrap.wrap(_layer_title(layer), WIDTH, subsequent_indent="  "))  # a table's title is broken at its width
    table(headings, rows, right=headings[1:])


def _layer_title(layer: LayerAnswer) -> str:
    more = f" and {len(layer.layers) - 1} more" if len(layer.layers) > 1 else ""
    from_ = "never here" if layer.break_even is None else f"from {share_text(layer.break_even)} zeros on"
    return (
        f"{layer.layers[0]}{more}: {layer.rows}x{layer.columns} times {layer.columns}x{layer.positions}, "
        f"{share_text(layer.share_of_macs)} of the MACs; dense {seconds_text(layer.times.dense.latency.median_s)}; "
        f"CSR is faster {from_}"
    )


def _ratio(form: Form) -> str:
    return f"{times_text(form.ratio)}{' ' if form.is_certain else '?'}"


def _models(rows: Sequence[ModelRow]) -> None:
    headings = (
        "share",
        "MACs",
        "file",
        "median",
        "spread",
        "speed-up",
        "in the turns",
        "by CPU time",
        "score",
        "train",
    )
    cells = [(*_model_cells(row), row.reason or row.way) for row in rows]
    runtime = next((row.latency.runtime for row in rows if row.latency), "ONNX Runtime")
    table((*headings, "form"), cells, right=headings, title=f"The whole model in {runtime}, batch 1, one thread")


def _model_cells(row: ModelRow) -> tuple[str, ...]:
    times, span = row.latency, row.speed_up_range
    return (
        share_text(row.sparsity), count_text(row.macs), bytes_text(row.num_bytes),
        seconds_text(times.median_s if times else None), share_text(times.spread if times else None),
        times_text(row.speed_up), f"{span[0]:.2f} to {span[1]:.2f}" if span else DASH,
        times_text(row.cpu_speed_up),
        *(points_text(score.value if score else None) for score in (row.score, row.train_score)),
    )  # fmt: skip


def _benefits(rows: Sequence[Benefit]) -> None:
    forms = tuple(rows[0].num_bytes) if rows else ()
    headings = ("zeros", *forms, "skipped MACs", "energy", "of dense", "read inputs", "EIE", "balance")
    cells = [
        (
            share_text(row.sparsity), *(bytes_text(size) for size in row.num_bytes.values()),
            share_text(row.skipped_macs / row.macs), joules_text(row.energy_j),
            share_text(row.energy_j / row.dense_energy_j), share_text(row.share_of_read_inputs),
            times_text(row.accelerator_speed_up), share_text(row.accelerator_load_balance),
        )
        for row in rows
    ]  # fmt: skip
    title = "Zeros besides time: bytes of the weights in each form; MACs, energy and EIE of a machine that skips zeros"
    table(headings, cells, right=headings, title=title)


def _devices(rows: Sequence[KernelAnswer]) -> None:
    """Answers without a claim that have the same reason share a row."""
    headings = ("pattern", "kernel", "type", "speed-up", "how")
    cells = []
    for pattern, group in _grouped(rows):
        first = group[0]
        names = ", ".join(dict.fromkeys(each.device for each in group))
        types = ", ".join(dict.fromkeys(each.dtype for each in group)) if first.speed_up is not None else DASH
        cells.append(
            (pattern, first.kernel or "none", types, times_text(first.speed_up), first.how, f"{names}: {first.reason}")
        )
    table((*headings, "device"), cells, right=("speed-up",), title="Elsewhere: pattern + hardware + kernel")


def _grouped(rows: Sequence[KernelAnswer]) -> list[tuple[str, list[KernelAnswer]]]:
    groups: dict[tuple[str, str], list[KernelAnswer]] = {}
    for row in rows:
        own = "" if row.speed_up is None else f"{row.device} {row.dtype}"
        groups.setdefault((row.pattern, own or row.reason), []).append(row)
    order = {"unstructured": 0, "2:4": 1, "channels": 2}
    return sorted(((key[0], group) for key, group in groups.items()), key=lambda each: order[each[0]])


def _conditions(found: PaysAnswer) -> list[str]:
    times = next((row.latency for row in found.models if row.latency), None)
    versions = ", ".join(f"{name} {version}" for name, version in found.conditions.versions.items())
    product = f", {found.layers[0].times.dense.latency.turns} for layers" if found.layers else ""
    turns = f"{times.turns} turns" if times is not None else "the model was not timed"
    return [
        f"Measured on this machine alone: {machine_text(found.conditions)}.",
        f"{turns}{product}, all in turns, ratios within each turn; ?: the turns do not agree; {versions}.",
    ]
