"""`models`, `devices`, `datasets`: what is there."""

from __future__ import annotations

from typing import Annotated

import typer

from ..errors import ConfigError, unknown_name
from .options import Json
from .show import as_json, table


def models(
    pattern: Annotated[str | None, typer.Argument(metavar="[PATTERN]", help="Only names that contain this.")] = None,
    library: Annotated[
        str, typer.Option("--library", metavar="zoo|timm|torchvision", help="Whose models to list.")
    ] = "zoo",
    json_file: Json = None,
) -> None:
    """List the models that can be named on the command line."""
    from .. import zoo

    if library != "zoo":
        _library_models(library, pattern or "", json_file)
        return
    found = [entry for entry in zoo.entries() if (pattern or "") in entry.name]
    if not found:
        raise unknown_name("model", str(pattern), zoo.names(), command="edgewright models")
    if as_json(found, json_file):
        return
    rows = [
        (
            each.name,
            "x".join(map(str, each.input_shape)),
            each.num_classes,
            f"{each.params:,}",
            f"{each.macs:,}",
            each.description,
        )
        for each in found
    ]
    table(("name", "input", "classes", "params", "MACs", "what"), rows, right=("classes", "params", "MACs"))


def _library_models(library: str, pattern: str, json_file: Json) -> None:
    if library == "timm":
        from ..zoo.timm_models import model_names
    elif library == "torchvision":
        from ..zoo.torchvision_models import model_names
    else:
        raise ConfigError(f"--library is zoo, timm or torchvision, got '{library}'.")
    found = [f"{library}:{name}" for name in sorted(model_names()) if pattern in name]
    if not as_json(found, json_file):
        for name in found:
            print(name)


def devices(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Show one device with its sources.")] = None,
    json_file: Json = None,
) -> None:
    """List the devices, or one with the source of each of its numbers."""
    from .. import devices as room
    from ..report import units

    if name is not None:
        _one_device(name, json_file)
        return
    found = [room.device(each) for each in room.device_names()]
    if as_json(found, json_file):
        return
    rows = [
        (
            each.name,
            each.kind,
            units.bytes_text(each.ram_bytes),
            units.bytes_text(each.flash_bytes),
            units.count_text(each.macs_per_second("int8")),
            units.count_text(each.macs_per_second("float32")),
            each.title,
        )
        for each in found
    ]
    headings = ("name", "kind", "RAM", "flash", "int8 MAC/s", "fp32 MAC/s", "what")
    table(headings, rows, right=("RAM", "flash", "int8 MAC/s", "fp32 MAC/s"))


def _one_device(name: str, json_file: Json) -> None:
    from .. import devices as room
    from ..report.units import number_text

    found = room.device(name)
    if as_json(found, json_file):
        return
    print(found.title)
    rows = []
    for key, source in found.sources.items():
        field, _, dtype = key.partition(".")
        value = getattr(found, field)
        rows.append((key, number_text(value[dtype] if dtype else value), source))
    table(("field", "value", "source"), rows, right=("value",))


def datasets(json_file: Json = None) -> None:
    """List the data sets and how to name your own."""
    from ..data import dataset_table

    found = dataset_table()
    rows = [(each.name, each.classes, each.what, each.get) for each in found]
    if not as_json([dict(zip(("name", "classes", "what", "get"), row, strict=True)) for row in rows], json_file):
        table(("name", "classes", "what", "where from"), rows)
