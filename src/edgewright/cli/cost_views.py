"""The views of `analyze`: name -> what it lists, which columns it shows, and what is said below the table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..errors import ConfigError
from .cells import cell
from .cost_listing import COUNTS, NAME, Asked, Listing, View
from .hardware_views import HARDWARE_VIEWS

if TYPE_CHECKING:
    from ..analyze.analysis import Analysis
    from ..types import Device


def _layers(subject: Analysis, asked: Asked) -> Listing:
    from ..analyze import by_layer

    return Listing(rows=by_layer(subject.profile))


def _modules(subject: Analysis, asked: Asked) -> Listing:
    from ..analyze import by_module

    return Listing(rows=by_module(subject.profile))


def _types(subject: Analysis, asked: Asked) -> Listing:
    from ..analyze import by_type

    return Listing(rows=by_type(subject.profile))


def _total(subject: Analysis, asked: Asked) -> Listing:
    return Listing(rows=subject.by_dtype())


def _shapes(subject: Analysis, asked: Asked) -> Listing:
    from ..analyze import by_shape

    rows = by_shape(subject.calls)
    return Listing(rows=[{**row, "receptive_field": row["receptive_field"] or "all"} for row in rows])


def _memory(subject: Analysis, asked: Asked) -> Listing:
    from ..analyze.memory_variants import memory_variants

    rows = memory_variants(subject.calls, subject.dtype)
    alive = cell("alive", rows[0]["alive"])
    return Listing(rows=rows, notes=[f"alive at {rows[0]['peak_at'] or 'all times'}: {alive}"])


def _training(subject: Analysis, asked: Asked) -> Listing:
    from ..analyze.training_memory import largest_batch, training_memory

    if subject.dtype not in ("float32", "float16"):
        raise ConfigError(f"--by training takes --dtype float32 or float16 (mixed precision), got {subject.dtype}.")
    how = {"optimizer": asked.optimizer, "dtype": "float32" if subject.dtype == "float32" else "amp"}
    needed = training_memory(subject.model, subject.input_shape, batch=subject.batch, **how)
    note = f"{asked.optimizer}, batch {subject.batch}; add --train-ram-gb GB for the largest batch that fits"
    if asked.memory_bytes is not None:
        most = largest_batch(subject.model, subject.input_shape, budget_bytes=asked.memory_bytes, **how)
        fits, beyond = cell("_bytes", most.memory.total_bytes), cell("_bytes", most.next_bytes)
        budget = cell("_bytes", asked.memory_bytes)
        note = f"{asked.optimizer}: largest batch in {budget} is {most.batch} ({fits}); one more takes {beyond}"
    return Listing(rows=needed.rows(), notes=[note])


def _device(subject: Analysis, view: str) -> Device:
    if subject.device is None:
        raise ConfigError(f"--by {view} is about a device: add --device (`edgewright devices` lists them).")
    return subject.device


def _roofline(subject: Analysis, asked: Asked) -> Listing:
    from ..analyze import roofline

    roof = roofline(subject.profile, _device(subject, "roofline"))
    peak, bandwidth = cell("peak_macs_s", roof["peak_macs_s"]), cell("_bytes", roof["bandwidth_bytes_s"])
    ridge = cell("", roof["ridge_macs_per_byte"])
    notes = [
        f"{roof['device']} at {roof['dtype']}: peak {peak}, {bandwidth}/s, ridge {ridge} MACs per byte",
        "listed are the operators with MACs; the shares of the time are of all operators",
    ]
    for row in roof["remedies"]:
        share, without = cell("share_", row["share_of_latency"]), cell("latency_s", row["without_s"])
        notes.append(f"{share} of the time is bound by {row['bound']} (without it {without} in all): {row['remedy']}")
    return Listing(rows=sorted(roof["points"], key=lambda row: -row["macs"]), notes=notes)


def _channels(subject: Analysis, asked: Asked) -> Listing:
    from ..model import capture, find_channels

    found = find_channels(capture(subject.model, subject.input_shape, name=subject.name))
    rows = [
        {
            "group": group.name, "classes": group.num_classes, "channels_per_class": group.width,
            "made_by": list(group.layers("out")), "read_by": list(group.layers("in")), "locked": group.locked,
        }
        for group in found.groups
    ]  # fmt: skip
    return Listing(rows=rows, text=found.table())


VIEWS: Mapping[str, View] = {
    "layer": View(
        list_=_layers, sums=True, columns=(*NAME, ("shape_out", "output"), *COUNTS, ("bound", "bound"))
    ),
    "module": View(
        list_=_modules, sums=True,
        columns=(("module", "module"), ("operators", "operators"), ("uncounted", "not counted"), *COUNTS),
    ),
    "type": View(
        list_=_types, sums=True,
        columns=(("op", "type"), ("operators", "operators"), ("uncounted", "not counted"), *COUNTS),
    ),
    "total": View(
        list_=_total, sums=True,
        columns=(("dtype", "type"), ("weight_bytes", "weights"), ("activation_bytes", "moved"),
                 ("peak_ram_bytes", "peak RAM"), ("latency_s", "latency"), ("energy_j", "energy")),
    ),
    "shapes": View(
        list_=_shapes,
        columns=(*NAME, ("shape_in", "input"), ("shape_out", "output"), ("kernel", "kernel"), ("stride", "stride"),
                 ("padding", "padding"), ("dilation", "dilation"), ("groups", "groups"), ("receptive_field", "sees"),
                 ("jump", "step")),
    ),
    "memory": View(
        list_=_memory,
        columns=(("variant", "convention"), ("order", "order"), ("peak_bytes", "peak bytes"),
                 ("share_of_default", "of fused"), ("is_optimal", "no order needs less"), ("peak_at", "at")),
    ),
    "training": View(
        list_=_training, takes=("--optimizer", "--train-ram-gb"),
        columns=(("part", "part"), ("memory_bytes", "memory"), ("share_of_total", "share"),
                 ("grows_with_batch", "grows with the batch")),
    ),
    "roofline": View(
        list_=_roofline,
        columns=(*NAME, ("macs", "MACs"), ("intensity_macs_per_byte", "MACs/byte"), ("attainable_macs_s", "attainable"),
                 ("share_of_peak", "of peak"), ("estimated_macs_s", "estimated"), ("bound", "bound")),
    ),
    **HARDWARE_VIEWS,
    "channels": View(list_=_channels, columns=()),
}  # fmt: skip
