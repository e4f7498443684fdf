"""`analyze`: what a model costs, seen from many sides."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConfigError, DataError
from ..files import read_json
from ..types import BYTES_PER_ELEMENT
from .cost_listing import Asked, Listing, View, show_listing
from .cost_views import VIEWS
from .options import DATA_HELP, Channels, DataRoot, ImageSize, Json, Model, Weights
from .show import as_json

if TYPE_CHECKING:
    import torch

    from ..analyze.analysis import Analysis
    from .load import Opened

NAMES = "|".join(VIEWS)
NUM_IMAGES = 8


def analyze(
    model: Model,
    input_shape: Annotated[
        str | None,
        typer.Option(
            "--input",
            metavar="[B,]C,H,W",
            help="Shape of the input, batch first; default: one sample of the model's own size.",
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
        str | None,
        typer.Option(
            "--bits",
            metavar="N|FILE.json",
            help="Bits, for all layers or {layer: bits}: --by bit-serial and bits.",
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="DATA", help=f"Images for --by sparse and bit-serial: {DATA_HELP}"),
    ] = None,
    data_root: DataRoot = None,
    num_images: Annotated[
        int | None, typer.Option("--num-images", metavar="N", help=f"How many of --data; default: {NUM_IMAGES}.")
    ] = None,
    optimizer: Annotated[
        str | None,
        typer.Option("--optimizer", metavar="NAME", help="Whose state counts in --by training; default: adamw."),
    ] = None,
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
        Path | None, typer.Option("--html", metavar="FILE", help="Write the model's cost as one page with plots.")
    ] = None,
) -> None:
    """Count MACs, parameters, bytes, peak RAM; with a device also roofline, latency and energy.

    --json writes totals and operators whichever view is shown, and that view's rows under "view".
    """
    files = _Files(json=json_file, csv=csv_file, html=html_file)
    given = {"--bits": bits, "--data": data, "--optimizer": optimizer, "--train-ram-gb": train_ram_gb}
    _check(by, dtype, sizes=sizes, files=files)
    _refuse_unused(given, by if sizes is None else None)
    if data is None and (data_root is not None or num_images is not None):
        raise ConfigError("--data-root and --num-images are about the images of --data: add it, or leave them out.")
    asked = Asked(bits=_bits(bits), memory_bytes=_bytes(train_ram_gb), optimizer=optimizer or "adamw")
    from ..analyze.analysis import Analysis
    from ..devices import device as find_device
    from .cost_sizes import SIZE_COLUMNS, by_size
    from .load import open_model, parse_shape

    target = find_device(device) if device else None
    batch, shape = parse_shape(input_shape) if input_shape else (1, None)
    opened = open_model(
        model, num_classes=num_classes, channels=channels, image_size=image_size, weights=weights, input_shape=shape
    )
    subject = Analysis(
        model=opened.model if data is None else _captured(opened), name=opened.name, input_shape=opened.input_shape,
        batch=batch, dtype=dtype, device=target,
    )  # fmt: skip
    if sizes is not None:
        view = View(list_=lambda subject, asked: by_size(subject, sizes), columns=SIZE_COLUMNS)
        _write(subject, "sizes", view, asked, files)
        return
    asked = replace(asked, trained=opened.trained, source=data or "")
    if data is not None:
        asked = replace(asked, images_BCHW=_images(opened, data, data_root, num_images))
    _write(subject, by, VIEWS[by], asked, files)


@dataclass(frozen=True, kw_only=True)
class _Files:
    """Where to write what."""

    json: Path | None
    csv: Path | None
    html: Path | None


# --- what was typed ---------------------------------------------------------------------------------------------------


def _check(by: str, dtype: str, *, sizes: str | None, files: _Files) -> None:
    if by not in VIEWS:
        raise ConfigError(f"--by is one of {', '.join(VIEWS)}, got '{by}'.")
    if dtype not in BYTES_PER_ELEMENT:
        raise ConfigError(f"--dtype is one of {', '.join(BYTES_PER_ELEMENT)}, got '{dtype}'.")
    if str(files.json) == str(files.csv) == "-":
        raise ConfigError("--json - and --csv - both print to the standard output: give one of them a file.")
    if sizes is not None and (by != "layer" or files.html is not None):
        other = "--html" if files.html is not None else f"--by {by}"
        raise ConfigError(f"--sizes is a view of its own and does not go with {other}: leave out one of them.")
    if by == "channels" and files.html is not None:
        raise ConfigError("The page of --html is about costs and holds no channels: leave it out, or take --json.")


def _refuse_unused(given: Mapping[str, Any], by: str | None) -> None:
    """Refuse an option that the view would ignore; `by` is None for --sizes."""
    takes = VIEWS[by].takes if by else ()
    for flag, value in given.items():
        if value is not None and flag not in takes:
            users = " or ".join(name for name, view in VIEWS.items() if flag in view.takes)
            shown = f"--by {by}" if by else "--sizes"
            raise ConfigError(f"{flag} changes nothing in {shown}: it goes with --by {users}.")


def _bytes(gigabytes: float | None) -> int | None:
    if gigabytes is None:
        return None
    if not (gigabytes > 0 and math.isfinite(gigabytes)):
        raise ConfigError(f"--train-ram-gb is a number greater than 0, got {gigabytes}.")
    return int(gigabytes * 1024**3)


def _bits(text: str | None) -> dict[str, int] | int | None:
    """`8` as a number, anything else as the name of a file with {layer: bits}."""
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        pass
    if not text.endswith(".json"):
        raise ConfigError(f"--bits is a number or a .json file that holds {{layer: bits}}, got '{text}'.")
    try:
        found = read_json(Path(text))
    except OSError as error:
        raise ConfigError(f"Cannot read {text} ({error.strerror}): choose another file with --bits.") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f'{text} is not valid JSON ({error}): write for instance {{"conv1": 6}}.') from error
    if not isinstance(found, dict) or not all(type(bits) is int for bits in found.values()):
        raise DataError(f'{text} holds no whole number of bits by layer: write for instance {{"conv1": 6}}.')
    return found


# --- images -----------------------------------------------------------------------------------------------------------


def _captured(opened: Opened) -> Any:
    from ..model import capture

    return capture(opened.model, opened.input_shape, name=opened.name)


def _images(opened: Opened, source: str, root: Path | None, asked: int | None) -> torch.Tensor:
    """So many training images, as the model takes them."""
    from ..data import load_data

    count = NUM_IMAGES if asked is None else asked
    if count < 1:
        raise ConfigError(f"--num-images is at least 1, got {count}.")
    fitted = load_data(source, root=root).fitted_to(opened.input_shape, opened.mean, opened.std)
    return fitted.calibration(count, seed=0)


# --- what is written --------------------------------------------------------------------------------------------------


def _write(subject: Analysis, name: str, view: View, asked: Asked, files: _Files) -> None:
    """The files that were asked for, and the table unless one of them went to the standard output."""
    from .cells import write_csv

    listing = view.list_(subject, asked)
    content = subject.content() if files.json or files.html else {}
    if files.html is not None:
        from ..report import write_cost_page

        write_cost_page(content, files.html)
    if files.csv is not None:
        write_csv(listing.rows, files.csv)
    if as_json({**content, "view": _shown(listing, name, view, content)}, files.json) or str(files.csv) == "-":
        return
    show_listing(listing, view.columns, below=_below(subject) if view.sums else ())
    if files.html is not None:
        print(f"page: {files.html}")


def _below(subject: Analysis) -> list[str]:
    from .cost_totals import fits, totals

    return [*totals(subject), *fits(subject)]


def _shown(listing: Listing, name: str, view: View, content: Mapping[str, Any]) -> dict[str, Any]:
    found = listing.content(name)
    return {**found, "totals": content.get("totals")} if view.sums else found
