"""`bench`: models, runs and files side by side, in several runtimes, in turns."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from ..errors import ConfigError
from . import options
from .guard import typed
from .show import as_json

Threads = Annotated[str, typer.Option("--threads", metavar="N,...", help="Cores that one call may use; a list.")]
Batches = Annotated[str, typer.Option("--batch", metavar="N,...", help="Images per call; a list.")]


def bench(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help="Artifact folders, .onnx, .xml or .pte files, runs (int8 and fp32), or models as `analyze` has.",
        ),
    ],
    runtime: Annotated[
        str,
        typer.Option(
            "--runtime", metavar="onnxruntime,openvino,executorch,eager,compiled|all", help="Where to run them; a list."
        ),
    ] = "onnxruntime",
    threads: Threads = "1",
    batch: Batches = "1",
    turns: Annotated[int, typer.Option("--turns", metavar="N", help="Rounds; in each, all are timed in turn.")] = 7,
    runs: Annotated[int, typer.Option("--runs", metavar="N", help="Calls per model and turn, at most.")] = 50,
    starts: Annotated[
        int, typer.Option("--starts", metavar="N", help="Cold starts per model, each a process; 0: none.")
    ] = 3,
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="DATA", help="Also time whole decisions on its images (`edgewright datasets`)."),
    ] = None,
    data_root: options.DataRoot = None,
    download: options.Download = False,
    input_shape: Annotated[
        str | None, typer.Option("--input", metavar="1,C,H,W", help="Shape of one input; default: the model's own.")
    ] = None,
    num_classes: Annotated[
        int | None, typer.Option("--num-classes", metavar="N", help="Width of the output; default: the model's own.")
    ] = None,
    weights: options.Weights = None,
    image_size: options.ImageSize = None,
    channels: options.Channels = None,
    json_file: options.Json = None,
) -> None:
    """Time models side by side: steady state in turns, cold start and memory apart, whole decisions with --data."""
    runtimes = parse_runtimes(runtime)
    numbers = parse_counts("--threads", threads), parse_counts("--batch", batch)
    from .. import verify as room
    from ..types import plain
    from .bench_subjects import Wanted, read_subjects
    from .bench_tables import show
    from .progress import progress_for

    plan = room.BenchPlan(
        runtimes=runtimes, threads=numbers[0], batches=numbers[1], timing=room.Timing(turns=turns, runs=runs),
        starts=starts,
    )  # fmt: skip
    samples = None
    if data is not None:
        samples = room.read_samples(data, root=data_root, download=download, image_size=image_size, channels=channels)
    with tempfile.TemporaryDirectory() as folder:
        wanted = Wanted(
            runtimes=runtimes, folder=Path(folder), num_classes=num_classes, weights=weights, image_size=image_size,
            channels=channels, input_shape=one_input(input_shape) if input_shape else None,
        )  # fmt: skip
        found = room.bench(read_subjects(models, wanted), plan=plan, samples=samples, progress=progress_for())
    if not as_json({"command": typed(), **plain(found)}, json_file):
        show(found)


def parse_runtimes(text: str) -> tuple[str, ...]:
    """`all` that are installed, or runtimes with commas between them, each once. `BenchPlan` knows which there are."""
    from ..verify import installed_runtimes

    names = installed_runtimes() if text == "all" else tuple(part.strip() for part in text.split(","))
    return tuple(dict.fromkeys(names))


def parse_counts(flag: str, text: str) -> tuple[int, ...]:
    """Whole numbers from 1 with commas between them, each once.

    Raises:
        ConfigError: it is anything else.
    """
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) < 1:
        raise ConfigError(f"{flag} takes whole numbers from 1 with commas between them, got '{text}': write 1,4,16.")
    return tuple(dict.fromkeys(numbers))


def one_input(text: str) -> tuple[int, int, int]:
    """The shape of one input.

    Raises:
        ConfigError: it is none, or of a batch.
    """
    from .load import parse_shape

    batch, shape = parse_shape(text)
    if batch != 1:
        raise ConfigError(f"--input has a batch of {batch}: give it with --batch {batch}, and one input as 1,C,H,W.")
    return shape
