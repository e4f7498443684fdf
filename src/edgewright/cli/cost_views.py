"""The views of `analyze`: name -> what it lists, which columns it shows, and what is said below the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from .cells import Row, cell, is_number, named
from .show import lines, table

if TYPE_CHECKING:
    from ..analyze.analysis import Analysis
    from ..types import Device

Columns = tuple[tuple[str, str], ...]  # key of a row, heading
NAME: Columns = (("op", "operator"), ("where", "layer"))
COUNTS: Columns = (
    ("macs", "MACs"), ("elementwise", "other ops"), ("params", "params"), ("weight_bytes", "weights"),
    ("activation_bytes", "moved"), ("latency_s", "latency"), ("energy_j", "energy"),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What some views are told besides the model."""

    bits: int | None = None
    optimizer: str = "adamw"
    memory_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Rows of plain data, and lines to print below their table."""

    rows: Sequence[Row]
    below: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class View:
    """What `list_` finds for a model, and the columns of its table. `sums`: the model's totals stand below as well."""

    list_: Callable[[Analysis, Asked], Listing]
    columns: Columns
    sums: bool = False


def show_listing(listing: Listing, columns: Columns) -> None:
    """Print the table and the lines below it; columns in which nothing is known are left out."""
    known = [(key, heading) for key, heading in columns if any(_shown(row, key) for row in listing.rows)]
    if listing.rows:
        right = [heading for key, heading in known if is_number(listing.rows, key)]
        cells = [[_shown(row, key) for key, _ in known] for row in listing.rows]
        table([heading for _, heading in known], cells, right=right)
    lines(listing.below)


def _shown(row: Row, key: str) -> str:
    if key == "where":
        return str(row.get("layer") or row.get("name") or "")
    if key == "op" and row.get("fused_into"):
        return "."  # another operator does its work
    if key == "module":
        return "  " * row["depth"] + (row["module"] or "(model)")
    return "" if row.get(key) is None else cell(key, row[key])


# --- what the model costs ---------------------------------------------------------------------------------------------


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
    return Listing(rows=rows, below=["", f"alive at {rows[0]['peak_at'] or 'all times'}: {alive}"])


def _training(subject: Analysis, asked: Asked) -> Listing:
    from ..analyze.training_memory import largest_batch, training_memory

    if subject.dtype not in ("float32", "float16"):
        raise ConfigError(f"--by training takes --dtype float32 or float16 (mixed precision), got {subject.dtype}.")
    how = {"optimizer": asked.optimizer, "dtype": "float32" if subject.dtype == "float32" else "amp"}
    needed = training_memory(subject.model, subject.input_shape, batch=subject.batch, **how)
    below = ["", f"{asked.optimizer}, batch {subject.batch}; add --train-ram-gb GB for the largest batch that fits"]
    if asked.memory_bytes is not None:
        most = largest_batch(subject.model, subject.input_shape, budget_bytes=asked.memory_bytes, **how)
        fits, beyond = cell("_bytes", most.memory.total_bytes), cell("_bytes", most.next_bytes)
        budget = cell("_bytes", asked.memory_bytes)
        below = ["", f"{asked.optimizer}: largest batch in {budget} is {most.batch} ({fits}); one more takes {beyond}"]
    return Listing(rows=needed.rows(), below=below)


# --- on a device ------------------------------------------------------------------------------------------------------


def _device(subject: Analysis, view: str) -> Device:
    if subject.device is None:
        raise ConfigError(f"--by {view} is about a device: add --device (`edgewright devices` lists them).")
    return subject.device


def _roofline(subject: Analysis, asked: Asked) -> Listing:
    from ..analyze import roofline

    roof = roofline(subject.profile, _device(subject, "roofline"))
    peak, bandwidth = cell("peak_macs_s", roof["peak_macs_s"]), cell("_bytes", roof["bandwidth_bytes_s"])
    ridge = cell("", roof["ridge_macs_per_byte"])
    below = ["", f"{roof['device']} at {roof['dtype']}: peak {peak}, {bandwidth}/s, ridge {ridge} MACs per byte"]
    for row in roof["remedies"]:
        share, without = cell("share_", row["share_of_latency"]), cell("latency_s", row["without_s"])
        below.append(f"{share} of the time is bound by {row['bound']} (without it {without} in all): {row['remedy']}")
    return Listing(rows=sorted(roof["points"], key=lambda row: -row["macs"]), below=below)


def _energy(subject: Analysis, asked: Asked) -> Listing:
    from ..analyze.hardware import energy_of

    found = energy_of(subject.profile, device=subject.device)
    return Listing(rows=found.by_layer(), below=_sums(found.total()))


def _two_four(subject: Analysis, asked: Asked) -> Listing:
    from ..analyze.hardware import two_four

    found = two_four(subject.model, subject.profile, device=subject.device)
    return Listing(rows=found.by_layer(), below=_sums(found.total()))


def _bit_serial(subject: Analysis, asked: Asked) -> Listing:
    from ..analyze.hardware import bit_serial

    found = bit_serial(subject.model, subject.profile, bits=asked.bits)
    return Listing(rows=found.by_layer(), below=_sums(found.total()))


def _sparse(subject: Analysis, asked: Asked) -> Listing:
    from ..analyze.hardware import sparse_columns

    found = sparse_columns(subject.model, subject.profile)
    return Listing(rows=found.by_layer(), below=_sums(found.total()))


def _bit_operations(subject: Analysis, asked: Asked) -> Listing:
    from ..analyze.hardware import bit_operations, total_bit_operations

    rows = bit_operations(subject.model, subject.profile, weights=asked.bits, activations=asked.bits)
    return Listing(rows=rows, below=_sums(total_bit_operations(rows)))


def _sums(total: Mapping[str, Any]) -> list[str]:
    """The totals of a hardware model, one fact a line."""
    facts = [(named(key), cell(key, value)) for key, value in total.items() if value not in (None, (), [])]
    width = max(len(name) for name, _ in facts)
    return ["", *(f"{name:<{width}}  {value}" for name, value in facts)]


VIEWS: Mapping[str, View] = {
    "layer": View(
        list_=_layers, sums=True, columns=(*NAME, ("shape_out", "output"), *COUNTS, ("bound", "bound"))
    ),
    "module": View(list_=_modules, sums=True, columns=(("module", "module"), ("operators", "operators"), *COUNTS)),
    "type": View(list_=_types, sums=True, columns=(("op", "type"), ("operators", "operators"), *COUNTS)),
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
        list_=_training,
        columns=(("part", "part"), ("memory_bytes", "memory"), ("share_of_total", "share"),
                 ("grows_with_batch", "grows with the batch")),
    ),
    "roofline": View(
        list_=_roofline,
        columns=(*NAME, ("macs", "MACs"), ("intensity_macs_per_byte", "MACs/byte"), ("attainable_macs_s", "attainable"),
                 ("share_of_peak", "of peak"), ("estimated_macs_s", "estimated"), ("bound", "bound")),
    ),
    "energy": View(
        list_=_energy,
        columns=(*NAME, ("compute_j", "MACs"), ("elementwise_j", "other ops"), ("weight_movement_j", "weights moved"),
                 ("activation_movement_j", "activations moved"), ("energy_j", "energy"), ("share_of_energy", "share"),
                 ("share_of_data_movement", "moving data"), ("weights_in", "weights in"),
                 ("activations_in", "activations in")),
    ),
    "bit-serial": View(
        list_=_bit_serial,
        columns=(*NAME, ("macs", "MACs"), ("bits", "bits"), ("parallel_cycles", "parallel cycles"),
                 ("serial_cycles", "serial cycles"), ("ideal_speed_up", "ideal"), ("speed_up", "speed-up"),
                 ("utilization", "utilization")),
    ),
    "sparse": View(
        list_=_sparse,
        columns=(*NAME, ("weights", "weights"), ("share_of_nonzero_weights", "non-zero"), ("dense_bytes", "dense"),
                 ("sparse_bytes", "sparse"), ("times_smaller", "smaller"), ("load_balance", "balance"),
                 ("speed_up", "speed-up")),
    ),
    "2:4": View(
        list_=_two_four,
        columns=(*NAME, ("allowed", "allowed"), ("dense_bytes", "dense"), ("packed_bytes", "packed"),
                 ("latency_s", "latency"), ("sparse_latency_s", "with 2:4"), ("speed_up", "speed-up"),
                 ("bound", "bound"), ("reason", "why not")),
    ),
    "bits": View(
        list_=_bit_operations,
        columns=(*NAME, ("macs", "MACs"), ("share_of_nonzero_weights", "non-zero weights"),
                 ("effective_macs", "effective MACs"), ("weight_bits", "weight bits"),
                 ("activation_bits", "activation bits"), ("bit_operations", "bit operations")),
    ),
}  # fmt: skip
