"""`calibrate`: time this machine, and keep it as a device."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import ConfigError
from ..types import Device, LatencyTable
from .options import Json
from .show import as_json, lines, table


def calibrate(
    out: Annotated[Path, typer.Option("--out", metavar="FILE.toml", help="The device file to write.")],
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="What to call the machine; default: the file's name.")
    ] = None,
    threads: Annotated[int, typer.Option("--threads", metavar="N", help="Cores that one call may use.")] = 1,
    base: Annotated[
        str, typer.Option("--base", metavar="DEVICE", help="Whose energy figures to take over: they are not measured.")
    ] = "generic-x86",
    quick: Annotated[
        bool, typer.Option("--quick", help="Half the networks and models: minutes, a larger error.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an interrupted calibration stopped.")] = False,
    json_file: Json = None,
) -> None:
    """Time operators in ONNX Runtime on this machine, and write them as a device file with their error."""
    if out.suffix != ".toml":
        raise ConfigError(f"--out is a device file and ends in .toml, got '{out}': write for instance mybox.toml.")
    from ..calibrate import Calibration
    from ..calibrate import calibrate as measure_machine
    from ..devices import device as find_device
    from .progress import progress_for

    found = measure_machine(
        out,
        base=find_device(base),
        settings=Calibration(name=name or out.stem, threads=threads, quick=quick),
        resume=resume,
        progress=progress_for(),
    )
    assert found.latency_table is not None
    if not as_json(found.latency_table.validation, json_file):
        _show(found, found.latency_table, out)


def _show(found: Device, measured: LatencyTable, out: Path) -> None:
    from ..report import units

    rows = [
        (
            each.name,
            units.seconds_text(each.predicted_s),
            units.seconds_text(each.measured_s),
            f"{100 * each.error:+.0f} %",
        )
        for each in measured.validation
    ]
    headings = ("unseen model", "predicted", "measured", "error")
    table(headings, rows, right=headings[1:])
    num_points = sum(len(points) for kinds in measured.points.values() for points in kinds.values())
    num_kinds = sum(len(kinds) for kinds in measured.points.values())
    lines(
        [
            "",
            f"{num_points} points of {num_kinds} kinds of operator on {measured.machine}, {measured.runtime}",
            f"peak {units.count_text(found.macs_per_second('float32'))} MAC/s at float32, "
            f"{units.count_text(found.bandwidth_bytes_s)} B/s from memory",
            measured.accuracy("float32"),
            f"wrote {out}: use it as --device {out}",
        ]
    )
