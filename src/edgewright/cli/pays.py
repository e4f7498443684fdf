"""`pays`: does this sparsity pay here, and where else would it?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConfigError
from . import options
from .guard import typed
from .show import as_json

if TYPE_CHECKING:
    from ..types import Device, Job

HERE = "generic-x86"  # whose widths a cut prefers
ALL = "all"


def pays(
    model: options.Model,
    sparsity: Annotated[
        str, typer.Option("--sparsity", metavar="S,...", help="Shares of zeros, and of MACs that are cut; a list.")
    ] = "0.5,0.8,0.9,0.95,0.99",
    device: Annotated[
        str,
        typer.Option(
            "--device", metavar="DEVICE,...|all", help="Where else it might run (`edgewright devices`); a list."
        ),
    ] = ALL,
    layers: Annotated[
        int, typer.Option("--layers", metavar="N", help="Shapes of layers to time, those with the most MACs first.")
    ] = 5,
    turns: Annotated[int, typer.Option("--turns", metavar="N", help="Rounds; in each, all are timed in turn.")] = 7,
    data: Annotated[
        str | None, typer.Option("--data", metavar="DATA", help="Score every form too, nothing trained after the cut.")
    ] = None,
    data_root: options.DataRoot = None,
    download: options.Download = False,
    val_from: options.ValFrom = "train",
    input_shape: Annotated[
        str | None, typer.Option("--input", metavar="1,C,H,W", help="Shape of one input; default: the model's own.")
    ] = None,
    num_classes: Annotated[
        int | None, typer.Option("--num-classes", metavar="N", help="Width of the output; default: the model's own.")
    ] = None,
    weights: options.Weights = None,
    image_size: options.ImageSize = None,
    channels: options.Channels = None,
    seed: options.Seed = 0,
    json_file: options.Json = None,
) -> None:
    """Time MODEL dense, with zeros, in compressed rows and cut; say which pattern pays, here and elsewhere."""
    shares = parse_shares("--sparsity", sparsity)
    if data is not None and (input_shape or num_classes is not None):
        raise ConfigError("--data brings its own images and classes: leave --input and --num-classes out.")
    from ..pipeline.pays import Pays, does_it_pay
    from ..types import plain
    from ..verify import Timing
    from .bench import one_input
    from .load import Asked, trained_job
    from .pays_tables import show
    from .progress import progress_for

    settings = Pays(sparsities=shares, max_layers=layers, model_timing=Timing(turns=turns, runs=20, seconds=0.3))
    elsewhere = read_devices(device)
    if data is None:
        job = _job_without_data(
            model, num_classes=num_classes, weights=weights, image_size=image_size, channels=channels, seed=seed,
            input_shape=one_input(input_shape) if input_shape else None,
        )  # fmt: skip
    else:
        asked = Asked(
            model=model, data=data, device=HERE, weights=weights, data_root=data_root, download=download,
            image_size=image_size, channels=channels, val_from=val_from, seed=seed,
        )  # fmt: skip
        job = trained_job(asked, "pays --data")
    found = does_it_pay(job, settings, devices=elsewhere, progress=progress_for())
    if not as_json({"command": typed(), **plain(found)}, json_file):
        show(found)


def parse_shares(flag: str, text: str) -> tuple[float, ...]:
    """Numbers with commas between them, each once, rising. `Pays` knows which are shares.

    Raises:
        ConfigError: it is anything else.
    """
    try:
        shares = sorted({float(part) for part in text.split(",")})
    except ValueError:
        shares = []
    if not shares:
        raise ConfigError(f"{flag} takes shares between 0 and 1 with commas between them, got '{text}': write 0.5,0.9.")
    return tuple(shares)


def read_devices(text: str) -> tuple[Device, ...]:
    """The devices of a list, or all that are built in."""
    from ..devices import device, device_names

    names = device_names() if text == ALL else tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    return tuple(device(name) for name in names)


def _job_without_data(model: str, *, seed: int, **settings: object) -> Job:
    from ..devices import device
    from ..types import Job
    from .load import read_model

    loaded = read_model(model, seed=seed, **settings)
    return Job(
        model=loaded.net, task=None, data=None, device=device(HERE), seed=seed, model_name=loaded.name,
        trained=loaded.trained,
    )  # fmt: skip
