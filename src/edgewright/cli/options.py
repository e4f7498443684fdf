"""The arguments and options that several commands share: one spelling, one help text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

MODEL_HELP = (
    "Zoo name (resnet8, mobilenet_v1:0.25@128), timm:NAME, torchvision:NAME, FILE.py:factory, FILE.onnx, FILE.coded or "
    "a run."
)
DATA_HELP = "digits, mnist, fashion-mnist, cifar10, folder:PATH or npz:FILE (`edgewright datasets`)."

Model = Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP)]
Data = Annotated[str, typer.Option("--data", metavar="DATA", help=DATA_HELP)]
DeviceName = Annotated[
    str, typer.Option("--device", metavar="DEVICE", help="A name (`edgewright devices`) or the path of a .toml file.")
]
Weights = Annotated[
    Path | None,
    typer.Option("--weights", metavar="FILE", help="State dict to load into MODEL (.safetensors, .pt, .pth, .th)."),
]
DataRoot = Annotated[
    Path | None, typer.Option("--data-root", metavar="DIR", help="Where mnist, fashion-mnist and cifar10 lie.")
]
Download = Annotated[bool, typer.Option("--download", help="Fetch the data set into --data-root when it is not there.")]
ImageSize = Annotated[
    int | None,
    typer.Option("--image-size", metavar="PIXELS", help="Bring images to this size; default: the model's own."),
]
Channels = Annotated[
    int | None, typer.Option("--channels", metavar="1|3", help="Grey or RGB images; default: the model's own.")
]
ValFrom = Annotated[
    str,
    typer.Option(
        "--val-from",
        metavar="train|test",
        help="Carve the validation split out of train, or out of test when MODEL has seen all of train.",
    ),
]
Accelerator = Annotated[
    str,
    typer.Option("--accelerator", metavar="cpu|cuda|cuda:N", help="Where PyTorch learns; see docs/scale.md."),
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Every random draw follows from it.")]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="The run directory to write.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on where a killed or interrupted run stopped.")]
Epochs = Annotated[int | None, typer.Option("--epochs", metavar="N", help="Epochs of each training.")]
Json = Annotated[
    Path | None,
    typer.Option("--json", metavar="FILE", help="Write the result as JSON too; - is the standard output."),
]
