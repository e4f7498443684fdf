"""The table of commands. `edgewright --help` loads nothing but this."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from . import (
    analyze,
    artifacts,
    bench,
    calculate,
    calibrate,
    cluster,
    distill,
    doctor,
    fit,
    lab,
    listing,
    pays,
    prune,
    quantize,
    sparsify,
    stages,
    tickets,
    transfer,
    tune,
)
from .guard import guarded

app = typer.Typer(
    name="edgewright",
    help="From a vision model, your data and a named device to a proven int8 artifact.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help and errors: no boxes in logs, and half the time to answer
    context_settings={"help_option_names": ["-h", "--help"]},
)

COMMANDS: dict[str, tuple[Callable[..., Any], str]] = {
    "fit": (fit.fit, "The main job: prune, recover, quantize, export, prove."),
    "analyze": (analyze.analyze, "Count MACs, bytes, peak RAM, time, energy."),
    "train": (stages.train, "Train a model."),
    "tune": (tune.tune, "Search for the settings of a training."),
    "advise": (transfer.advise, "How to train a network that has learnt elsewhere."),
    "prune": (prune.prune, "Cut whole channels where it hurts least."),
    "sparsify": (sparsify.sparsify, "Make weights exactly zero, anywhere or N of M."),
    "distill": (distill.distill, "Train a model on another's answers."),
    "cluster": (cluster.cluster, "Let weights share few values, for a small file."),
    "quantize": (quantize.quantize, "Turn a model into integers."),
    "tickets": (tickets.tickets, "Look for lottery tickets, beside their controls."),
    "pays": (pays.pays, "Does this sparsity pay, here and elsewhere?"),
    "export": (artifacts.export, "Write a run's model as files to ship."),
    "verify": (artifacts.verify, "Prove an artifact in the real runtime."),
    "calibrate": (calibrate.calibrate, "Time this machine's operators and keep it as a device."),
    "bench": (bench.bench, "Time models and artifacts in turns, in several runtimes."),
    "report": (artifacts.report, "Write a run's HTML page again."),
    "models": (listing.models, "List the models."),
    "devices": (listing.devices, "List the devices and their sources."),
    "datasets": (listing.datasets, "List the data sets."),
    "doctor": (doctor.doctor, "Say what this machine can run."),
}
"""Name -> function and its line on the help page; `calc` and `lab` stand beside them with commands of their own."""

for _name, (_function, _line) in COMMANDS.items():
    app.command(_name, short_help=_line)(guarded(_function))
app.add_typer(calculate.app, name="calc", short_help="Closed-form answers, worked step by step.")
app.add_typer(lab.app, name="lab", short_help="Every claim of the theory as a runnable experiment.")


def _print_version(wanted: bool) -> None:
    if wanted:
        from .. import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """What stands before a command."""


def main() -> None:
    """The entry point of the `edgewright` script."""
    app(prog_name="edgewright")
