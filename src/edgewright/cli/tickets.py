"""`tickets`: lottery tickets of an untrained model, beside the controls that show what is in them."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from . import options
from .show import as_json, lines, table
from .stages import DEVICE, Augment, BatchSize, Lr, OnDevice, Preset, given


def tickets(
    model: options.Model,
    data: options.Data,
    rounds: Annotated[int | None, typer.Option("--rounds", metavar="N", help="How often weights are removed.")] = None,
    rate: Annotated[
        float | None, typer.Option("--rate", metavar="SHARE", help="Of the weights left, removed by each round.")
    ] = None,
    last_rate: Annotated[
        float | None, typer.Option("--last-rate", metavar="SHARE", help="The same of the last layer; default: half.")
    ] = None,
    scope: Annotated[
        str | None, typer.Option("--scope", metavar="layer|global", help="Among which weights the smallest are sought.")
    ] = None,
    rewind: Annotated[
        int | None, typer.Option("--rewind", metavar="0|STEP", help="Weights go back to this step; 0: initialization.")
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", metavar="N", help="Everything so often, drawn anew.")] = 3,
    preset: Preset = "default",
    epochs: options.Epochs = None,
    batch_size: BatchSize = None,
    lr: Lr = None,
    augment: Augment = None,
    device: OnDevice = DEVICE,
    data_root: options.DataRoot = None,
    download: options.Download = False,
    image_size: options.ImageSize = None,
    channels: options.Channels = None,
    val_from: options.ValFrom = "train",
    out: options.Out = Path("runs/tickets"),
    resume: options.Resume = False,
    accelerator: options.Accelerator = "cpu",
    seed: options.Seed = 0,
    json_file: options.Json = None,
) -> None:
    """Look for lottery tickets: prune MODEL by magnitude, rewind, train again; compare with re-initialized weights,
    random masks and the dense net over several seeds."""
    from ..compress.prune.tickets import Tickets
    from ..pipeline import find_tickets
    from ..recipes import recipe
    from ..report import ticket_rows
    from ..types import Budget
    from .load import Asked, job_for, read_model
    from .progress import progress_for

    training = given(epochs=epochs, batch_size=batch_size, lr=lr, augment=augment)
    train = dataclasses.replace(recipe(preset).train, keep="last", **training)
    if last_rate is None and rate is not None:
        last_rate = rate / 2
    pruning = given(rounds=rounds, rate=rate, last_rate=last_rate, scope=scope, rewind=rewind)
    settings = Tickets(train=train, **pruning)
    asked = Asked(
        model=model, data=data, device=device, data_root=data_root, download=download, image_size=image_size,
        channels=channels, val_from=val_from, accelerator=accelerator, seed=seed,
    )  # fmt: skip
    job = job_for(asked, Budget())
    found = find_tickets(
        job, settings, num_seeds=seeds, out=out, resume=resume, command=f"edgewright {shlex.join(sys.argv[1:])}",
        initial=lambda drawn: read_model(
            model, num_classes=job.data.num_classes, channels=channels, image_size=image_size, seed=drawn
        ).net,
        progress=progress_for(),
    )  # fmt: skip
    if not as_json(found.content, json_file):
        headings, rows = ticket_rows(found.content)
        table(headings, rows, right=headings[1:])
        said = found.content["tickets"]["sentences"]
        lines(["", *said, "", f"page:  {found.page}", f"model: {found.folder}"])
