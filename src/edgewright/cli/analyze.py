"""`analyze`: what a model costs, operator by operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from ..errors import ConfigError
from ..types import BYTES_PER_ELEMENT, Device, ModelProfile
from .options import Channels, ImageSize, Json, Model, Weights
from .show import as_json, lines, table

VIEWS = ("layer", "module", "type", "total", "channels")
NUMBERS = ("operators", "MACs", "other ops", "params", "weights", "moved", "latency", "energy")


def analyze(
    model: Model,
    input_shape: Annotated[
        str | None, typer.Option("--input", metavar="1,C,H,W", help="Shape of one input; default: the model's own.")
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", metavar="DEVICE", help="Add latency, energy and limits of this device.")
    ] = None,
    by: Annotated[
        str,
        typer.Option(
            "--by", metavar="layer|module|type|total|channels", help="Which view; channels: what is cut together."
        ),
    ] = "layer",
    dtype: Annotated[
        str, typer.Option("--dtype", metavar="float32|float16|int8|int4", help="Type of weights and activations.")
    ] = "float32",
    num_classes: Annotated[
        int | None, typer.Option("--num-classes", metavar="N", help="Width of the output; default: the model's own.")
    ] = None,
    weights: Weights = None,
    image_size: ImageSize = None,
    channels: Channels = None,
    json_file: Json = None,
) -> None:
    """Count MACs, parameters, bytes, peak RAM; with a device also roofline, latency and energy."""
    if by not in VIEWS:
        raise ConfigError(f"--by is one of {', '.join(VIEWS)}, got '{by}'.")
    if dtype not in BYTES_PER_ELEMENT:
        raise ConfigError(f"--dtype is one of {', '.join(BYTES_PER_ELEMENT)}, got '{dtype}'.")
    from .. import analyze as room
    from ..devices import device as find_device
    from ..model import find_channels
    from .load import parse_shape, read_model

    target = find_device(device) if device else None
    size = parse_shape(input_shape) if input_shape else None
    loaded = read_model(
        model, num_classes=num_classes, channels=channels, image_size=image_size, weights=weights, input_shape=size
    )
    if by == "channels":
        lines([find_channels(loaded.net).table()])
        return
    found = room.profile(loaded.net, device=target, dtype=dtype)
    if as_json(found, json_file):
        return
    if by == "layer":
        _operators(found)
    elif by != "total":
        _groups(found, by)
    print()
    lines(_totals(found))
    if target is not None:
        lines(_fits(found, target))


def _operators(found: ModelProfile) -> None:
    from ..analyze import by_layer

    rows = [
        (
            "." if row["fused_into"] else row["op"],
            row["layer"] or row["name"],
            _shape(row["shape_out"]),
            *_cells(row, found),
        )
        for row in by_layer(found)
    ]
    bound = [(*cells, row.bound or "") for cells, row in zip(rows, found.rows, strict=True)] if found.device else rows
    table(
        ("operator", "layer", "output", *_headings(found), *(("bound",) if found.device else ())), bound, right=NUMBERS
    )


def _groups(found: ModelProfile, by: str) -> None:
    from ..analyze import by_module, by_type

    named = [(row["op"], row) for row in by_type(found)] if by == "type" else _modules(by_module(found))
    rows = [(name, row["operators"], *_cells(row, found)) for name, row in named]
    table((by, "operators", *_headings(found)), rows, right=NUMBERS)


def _modules(rows: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    return [("  " * row["depth"] + (row["module"] or "(model)"), row) for row in rows]


def _headings(found: ModelProfile) -> tuple[str, ...]:
    return NUMBERS[1:] if found.device else NUMBERS[1:-2]


def _cells(row: Mapping[str, Any], found: ModelProfile) -> tuple[str, ...]:
    from ..report import units

    counts = (f"{row['macs']:,}", f"{row['elementwise']:,}", f"{row['params']:,}")
    sizes = (units.bytes_text(row["weight_bytes"]), units.bytes_text(row["activation_bytes"]))
    times = (units.seconds_text(row["latency_s"]), units.joules_text(row["energy_j"])) if found.device else ()
    return (*counts, *sizes, *times)


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape[1:]))


def _fits(found: ModelProfile, target: Device) -> list[str]:
    """Each memory of the device, and whether the model fits into it."""
    from ..report import units

    memories = (("RAM", found.cost.ram_bytes, target.ram_bytes), ("flash", found.cost.flash_bytes, target.flash_bytes))
    return [
        f"{name} of {target.name}: {units.bytes_text(needed)} of {units.bytes_text(there)}, "
        f"{'fits' if needed <= there else 'DOES NOT FIT'} at {found.dtype}"
        for name, needed, there in memories
        if needed is not None and there is not None
    ]


def _totals(found: ModelProfile) -> list[str]:
    from ..report import units

    cost = found.cost
    facts = [
        ("MACs", f"{found.macs:,}"),
        ("FLOPs (2 per MAC)", f"{2 * found.macs:,}"),
        ("other operations", f"{found.elementwise:,}"),
        ("parameters", f"{found.params:,}"),
        ("weights", f"{units.bytes_text(found.weight_bytes)} at {found.dtype}"),
        ("peak RAM (bound)", f"{units.bytes_text(found.peak_ram_bytes)} at {found.peak_at}"),
    ]
    if found.device:
        how = cost.how.get("latency_s", "estimated")
        facts.append((f"latency on {found.device}", f"{units.seconds_text(cost.latency_s)} ({how})"))
        facts.append((f"energy on {found.device}", f"{units.joules_text(cost.energy_j)} ({how})"))
    width = max(len(name) for name, _ in facts)
    texts = [f"{name:<{width}}  {value}" for name, value in facts]
    if found.unknown:
        texts.append(f"without a formula, not counted: {', '.join(found.unknown)}")
    return texts
