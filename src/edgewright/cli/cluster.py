"""`cluster`: weights that share few values, for a file that is many times smaller (`export --format coded`)."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConfigError
from . import options
from .artifacts import coded_lines
from .recovery import RECOVERIES, check_recovery
from .show import as_json, lines
from .stages import DEVICE, Augment, BatchSize, Lr, OnDevice, given

if TYPE_CHECKING:
    from ..types import Stage

INIT_NAMES = ("linear", "density", "random")  # of `compress.cluster.INITS`: help must not load that room


def cluster(
    model: options.Model,
    data: options.Data,
    bits: Annotated[
        int, typer.Option("--bits", metavar="1-8", help="A layer's weights take at most 2^N values, 0 among them.")
    ] = 5,
    conv_bits: Annotated[
        int | None, typer.Option("--conv-bits", metavar="1-8", help="The same for convolutions; default: --bits.")
    ] = None,
    init: Annotated[str, typer.Option("--init", metavar="|".join(INIT_NAMES), help="Where k-means begins.")] = "linear",
    fold: Annotated[
        bool, typer.Option("--fold/--keep-norms", help="Put batch norms into the layers before them first.")
    ] = True,
    recover: Annotated[
        str, typer.Option("--recover", metavar="|".join(RECOVERIES), help="How the shared values are fine-tuned.")
    ] = "none",
    teacher: Annotated[
        str | None,
        typer.Option("--teacher", metavar="T", help="Whose answers `distill` learns; default: MODEL as it came."),
    ] = None,
    teacher_weights: Annotated[
        Path | None, typer.Option("--teacher-weights", metavar="FILE", help="State dict to load into the teacher.")
    ] = None,
    epochs: options.Epochs = None,
    batch_size: BatchSize = None,
    lr: Lr = None,
    augment: Augment = None,
    device: OnDevice = DEVICE,
    weights: options.Weights = None,
    data_root: options.DataRoot = None,
    download: options.Download = False,
    image_size: options.ImageSize = None,
    channels: options.Channels = None,
    val_from: options.ValFrom = "train",
    out: options.Out = Path("runs/cluster"),
    resume: options.Resume = False,
    accelerator: options.Accelerator = "cpu",
    seed: options.Seed = 0,
    json_file: options.Json = None,
) -> None:
    """Let the weights of each layer of MODEL share few values; `export --format coded` then writes a small file.

    Prune or sparsify first: weights that are zero stay zero, and zeros are skipped in the file.
    """
    from ..pipeline import run_stage
    from ..report import summary_lines
    from .load import Asked, trained_job
    from .progress import progress_for

    training = given(epochs=epochs, batch_size=batch_size, lr=lr, augment=augment)
    by_kind = bits if conv_bits is None else {"conv": conv_bits, "linear": bits}
    stage = _stage({"bits": by_kind, "init": init, "fold": fold}, recover, training, teacher)
    asked = Asked(
        model=model, data=data, device=device, weights=weights, data_root=data_root, download=download,
        image_size=image_size, channels=channels, val_from=val_from, accelerator=accelerator, seed=seed,
        teacher=teacher, teacher_weights=teacher_weights,
    )  # fmt: skip
    job = trained_job(asked, "cluster")
    found = run_stage(job, stage, name="cluster", out=out, resume=resume, progress=progress_for())
    if not as_json(found.content, json_file):
        done = found.content["stages"][-1]
        lines([*summary_lines(found.content), "", *done["notes"]])
        lines(coded_lines(done["details"], done["details"]["coded_bytes"])[:-1])
        print(f"model: {found.folder}")


def _stage(settings: dict[str, Any], recover: str, training: dict[str, Any], teacher: str | None) -> Stage:
    """The stage that the options describe.

    Raises:
        ConfigError: an option that would change nothing.
    """
    from ..compress.cluster import CENTROIDS, Cluster
    from ..pipeline.taught import TaughtCluster

    check_recovery(recover, training)
    if ":" in recover:
        raise ConfigError(f"cluster imitates soft answers only, got --recover {recover}: write --recover distill.")
    if teacher is not None and recover != "distill":
        raise ConfigError(f"--teacher teaches nothing with --recover {recover}: add --recover distill.")
    train = None if recover == "none" else dataclasses.replace(CENTROIDS, **training)
    stage = Cluster(train=train, **settings)
    return TaughtCluster(cluster=stage) if recover == "distill" else stage
