"""`analyze`: what a model costs, seen from many sides."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConfigError, EdgewrightError
from ..types import BYTES_PER_ELEMENT
from .cost_views import VIEWS, Asked, Listing, show_listing
from .options import Channels, ImageSize, Json, Model, Weights
from .show import as_json, lines

if TYPE_CHECKING:
    from ..analyze.analysis import Analysis
    from ..types import Device

CHANNELS = "channels"  # a view of the captured graph, not of costs
NAMES = "|".join((*VIEWS, CHANNELS))


def analyze(
    model: Model,
    input_shape: Annotated[
        str | None,
        typer.Option(
            "--input", metavar="B,C,H,W", help="Shape of the input, batch first; default: one of the model's."
        ),
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", metavar="DEVICE", help="Add latency, energy and limits of this device.")
    ] = None,
    by: Annotated[str, typer.Option("--by", metavar=NAMES, help="Which view.")] = "layer",
    dtype: Annotated[
        str, typer.Option("--dtype", metavar="float32|float16|int8|int4", help="Type of weights and activations.")
    ] = "float32",
    sizes: Annotated[
        str | None,
        typer.Option("--sizes", metavar="N,N,...", help="The totals at several image sizes (pixels) side by side."),
    ] = None,
    bits: Annotated[
        int | None, typer.Option("--bits", metavar="N", help="Bits per activation, for --by bit-serial and bits.")
    ] = None,
    optimizer: Annotated[
        str, typer.Option("--optimizer", metavar="NAME", help="Whose state counts in --by training.")
    ] = "adamw",
    train_ram_gb: Annotated[
        float | None, typer.Option("--train-ram-gb", metavar="GB", help="Find the largest batch that trains in this.")
    ] = None,
    num_classes: Annotated[
        int | None, typer.Option("--num-classes", metavar="N", help="Width of the output; default: the model's own.")
    ] = None,
    weights: Weights = None,
    image_size: ImageSize = None,
    channels: Channels = None,
    json_file: Json = None,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write the view's rows as CSV; - prints them instead.")
    ] = None,
    html_file: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write everything as one page with plots.")
    ] = None,
) -> None:
    """Count MACs, parameters, bytes, peak RAM; with a device also roofline, latency and energy.

    --json writes all views at once, whichever is shown.
    """
    _check(by, dtype)
    from ..analyze.analysis import Analysis
    from ..devices import device as find_device
    from .load import open_model, parse_shape

    target = find_device(device) if device else None
    batch, shape = parse_shape(input_shape) if input_shape else (1, None)
    opened = open_model(
        model, num_classes=num_classes, channels=channels, image_size=image_size, weights=weights, input_shape=shape
    )
    if by == CHANNELS:
        _show_channels(opened)
        return
    subject = Analysis(
        model=opened.model, name=opened.name, input_shape=opened.input_shape, batch=batch, dtype=dtype, device=target
    )
    if sizes is not None:
        _write(subject, _by_size(subject, sizes), SIZE_COLUMNS, json_file, csv_file, html_file)
        return
    asked = Asked(bits=bits, optimizer=optimizer, memory_bytes=_bytes(train_ram_gb))
    view = VIEWS[by]
    listing = view.list_(subject, asked)
    if view.sums:
        listing = Listing(rows=listing.rows, below=["", *_totals(subject), *_fits(subject), *listing.below])
    _write(subject, listing, view.columns, json_file, csv_file, html_file)


def _check(by: str, dtype: str) -> None:
    if by not in (*VIEWS, CHANNELS):
        raise ConfigError(f"--by is one of {', '.join((*VIEWS, CHANNELS))}, got '{by}'.")
    if dtype not in BYTES_PER_ELEMENT:
        raise ConfigError(f"--dtype is one of {', '.join(BYTES_PER_ELEMENT)}, got '{dtype}'.")


def _bytes(gigabytes: float | None) -> int | None:
    if gigabytes is None:
        return None
    if not gigabytes > 0:
        raise ConfigError(f"--train-ram-gb is greater than 0, got {gigabytes}.")
    return int(gigabytes * 1024**3)


def _write(
    subject: Analysis, listing: Listing, columns: Any, json_file: Path | None, csv_file: Path | None, html: Path | None
) -> None:
    """The files that were asked for, and the table unless one of them went to the standard output."""
    from .cells import write_csv

    content = subject.content() if json_file or html else None
    if html is not None:
        from ..report import write_cost_page

        write_cost_page(content or {}, html)
    if csv_file is not None:
        write_csv(listing.rows, csv_file)
    if as_json(content, json_file) or str(csv_file) == "-":
        return
    show_listing(listing, columns)
    if html is not None:
        print(f"page: {html}")


def _show_channels(opened: Any) -> None:
    from ..model import capture, find_channels

    lines([find_channels(capture(opened.model, opened.input_shape, name=opened.name)).table()])


# --- several sizes ----------------------------------------------------------------------------------------------------

SIZE_COLUMNS = (
    ("pixels", "pixels"), ("macs", "MACs"), ("elementwise", "other ops"), ("activation_bytes", "moved"),
    ("peak_ram_bytes", "peak RAM"), ("latency_s", "latency"), ("energy_j", "energy"), ("note", ""),
)  # fmt: skip


def _by_size(subject: Analysis, text: str) -> Listing:
    """The totals at each size; one that the model does not take says so in its row."""
    rows = []
    for pixels in _pixels(text):
        try:
            rows.append({"pixels": pixels, **_totals_at(subject, pixels)})
        except EdgewrightError as error:
            rows.append({"pixels": pixels, "note": str(error)})
    if all("note" in row for row in rows):
        raise ConfigError(f"{subject.name} takes none of these sizes ({rows[0]['note']})")
    return Listing(rows=rows, below=["", f"{subject.name} at {subject.dtype}, batch {subject.batch}"])


def _pixels(text: str) -> list[int]:
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        found = [0]
    if min(found) < 1:
        raise ConfigError(f"--sizes takes image sizes in pixels, separated by commas, got '{text}': write 128,192,224.")
    return found


def _totals_at(subject: Analysis, pixels: int) -> dict[str, Any]:
    from ..analyze import profile, total

    shape = (subject.input_shape[0], pixels, pixels)
    found = profile(subject.model, input_shape=shape, batch=subject.batch, device=subject.device, dtype=subject.dtype)
    return {key: total(found)[key] for key, _ in SIZE_COLUMNS if key not in ("pixels", "note")}


# --- totals -----------------------------------------------------------------------------------------------------------


def _totals(subject: Analysis) -> list[str]:
    from ..report import units

    found, moved = subject.profile, sum(row.activation_bytes for row in subject.profile.rows)
    weights = ", ".join(f"{units.bytes_text(each.weight_bytes)} at {each.dtype}" for each in subject.at_each_dtype)
    intensity = found.macs / (found.weight_bytes + moved) if found.weight_bytes + moved else 0.0
    facts = [
        ("input", f"{subject.batch} x {'x'.join(map(str, subject.input_shape))} at {subject.dtype}"),
        ("MACs", f"{found.macs:,}"),
        ("FLOPs (2 per MAC)", f"{2 * found.macs:,}"),
        ("other operations", f"{found.elementwise:,}"),
        ("parameters", f"{found.params:,} trainable, {found.buffers:,} in buffers"),
        ("weights", weights),
        ("intensity", f"{units.number_text(intensity)} MACs per byte"),
        (
            "peak RAM (bound)",
            f"{units.bytes_text(found.peak_ram_bytes)}{f' at {found.peak_at}' if found.peak_at else ''}",
        ),
        ("alive there", ", ".join(found.peak_tensors)),
    ]
    if subject.device is not None:
        facts += _on_device(subject, subject.device)
    width = max(len(name) for name, _ in facts)
    texts = [f"{name:<{width}}  {value}" for name, value in facts]
    if found.unknown:
        texts.append(f"without a formula, not counted: {', '.join(found.unknown)}")
    return texts


def _on_device(subject: Analysis, device: Device) -> list[tuple[str, str]]:
    from ..report import units

    cost, energy = subject.profile.cost, subject.energy()
    moving = units.share_text(energy["share_of_data_movement"]) if energy else ""
    return [
        (f"latency on {device.name}", f"{units.seconds_text(cost.latency_s)} ({_how(subject, device)})"),
        (f"energy on {device.name}", f"{units.joules_text(cost.energy_j)} (estimated, {moving} moves data)"),
    ]


def _how(subject: Analysis, device: Device) -> str:
    """How the latency was found, and how far off it may be."""
    if device.latency_table is None:
        return "estimated from the data sheet, roofline"
    from ..analyze.latency import coverage

    answered, running = coverage(subject.profile.rows, device.latency_table, subject.dtype)
    accuracy = device.latency_table.accuracy(subject.dtype)
    return f"estimated from measured operators, {answered} of {running} in the table; {accuracy}"


def _fits(subject: Analysis) -> list[str]:
    """Each memory of the device, whether the model fits into it, and who is to blame if not."""
    from ..report import units

    texts = []
    for check in subject.fits():
        needed, there = units.bytes_text(check.value), units.bytes_text(check.limit)
        verdict = "fits" if check.passed else f"DOES NOT FIT: {check.blame}"
        texts.append(f"{check.name} of {subject.device.name if subject.device else ''}: {needed} of {there}, {verdict}")
    return texts
