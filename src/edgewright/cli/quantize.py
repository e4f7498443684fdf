"""`quantize`: integers by one way, or every way side by side (`--compare`)."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConfigError
from . import options
from .show import as_json, lines, table
from .stages import DEVICE, Augment, BatchSize, Lr, OnDevice, Preset, given, run_one

if TYPE_CHECKING:
    from ..compress.quantize import Mixed, Qat, Quantize, Scheme
    from ..types import Job

METHODS = ("minmax", "moving-average", "percentile", "mse", "kl", "aciq", "best")  # help must not load that room
REPAIRS = ("equalize", "split", "reestimate", "rounding", "analytic-bias", "bias")


def quantize(
    model: options.Model,
    data: options.Data,
    bits: Annotated[
        str | None, typer.Option("--bits", metavar="2..8", help="Of the weights; several with --compare: 8,4.")
    ] = None,
    activation_bits: Annotated[
        int | None, typer.Option("--activation-bits", metavar="2..8|16", help="Of the activations; default: 8.")
    ] = None,
    method: Annotated[
        str | None, typer.Option("--method", metavar="|".join(METHODS), help="How ranges are found; default: best.")
    ] = None,
    percentile: Annotated[
        float | None, typer.Option("--percentile", metavar="X", help="Share of values inside the range, in percent.")
    ] = None,
    weight_method: Annotated[
        str | None, typer.Option("--weight-method", metavar="auto|minmax|mse|gain|aciq", help="How weights are scaled.")
    ] = None,
    num_calibration: Annotated[
        int | None, typer.Option("--num-calibration", metavar="N", help="Images that the ranges are measured on.")
    ] = None,
    repair: Annotated[
        str | None, typer.Option("--repair", metavar=",".join(REPAIRS), help="Always do these, with commas between.")
    ] = None,
    repair_if_drop_over: Annotated[
        float | None, typer.Option("--repair-if-drop-over", metavar="PP", help="Try repairs when it costs more points.")
    ] = None,
    ends_at_8_bits: Annotated[
        bool, typer.Option("--ends-at-8-bits", help="First and last layers keep at least 8 bits.")
    ] = False,
    weight_kb: Annotated[
        float | None, typer.Option("--weight-kb", metavar="KB", help="Choose bits per layer so that weights fit.")
    ] = None,
    activation_kb: Annotated[
        float | None, typer.Option("--activation-kb", metavar="KB", help="So that the peak of activations fits.")
    ] = None,
    bit_operations: Annotated[
        float | None, typer.Option("--bit-operations", metavar="N", help="So that MACs times both widths stay below.")
    ] = None,
    latency_ms: Annotated[
        float | None, typer.Option("--latency-ms", metavar="MS", help="So that DEVICE is estimated to take no longer.")
    ] = None,
    mean_bits: Annotated[
        float | None, typer.Option("--mean-bits", metavar="X", help="So that a weight has X bits on average.")
    ] = None,
    pareto: Annotated[
        bool, typer.Option("--pareto", help="List the best choices of bits from the largest to the smallest.")
    ] = False,
    measure: Annotated[
        str | None,
        typer.Option("--measure", metavar="mse|loss|score|hessian", help="What a layer's bits are judged by."),
    ] = None,
    scheme: Annotated[
        str, typer.Option("--scheme", metavar="static|dynamic|weight-only", help="When activations are rounded.")
    ] = "static",
    format_: Annotated[
        str, typer.Option("--format", metavar="int|fp16|bf16|fp8-e4m3|fp8-e5m2", help="Which numbers.")
    ] = "int",
    per: Annotated[
        str, typer.Option("--per", metavar="channel|tensor|group:N", help="What has a weight scale of its own.")
    ] = "channel",
    affine: Annotated[bool, typer.Option("--affine", help="Weights with a zero point (weight-only).")] = False,
    qat: Annotated[bool, typer.Option("--qat", help="Train through the rounding.")] = False,
    qat_if_drop_over: Annotated[
        float | None,
        typer.Option("--qat-if-drop-over", metavar="PP", help="Train through the rounding when it costs more points."),
    ] = None,
    epochs: options.Epochs = None,
    batch_size: BatchSize = None,
    lr: Lr = None,
    augment: Augment = None,
    compare: Annotated[
        bool,
        typer.Option("--compare", help="Every range method, repair and scheme side by side (and --qat, if given)."),
    ] = False,
    preset: Preset = "default",
    device: OnDevice = DEVICE,
    weights: options.Weights = None,
    data_root: options.DataRoot = None,
    download: options.Download = False,
    image_size: options.ImageSize = None,
    channels: options.Channels = None,
    val_from: options.ValFrom = "train",
    out: options.Out = Path("runs/quantize"),
    resume: options.Resume = False,
    accelerator: options.Accelerator = "cpu",
    seed: options.Seed = 0,
    json_file: options.Json = None,
) -> None:
    """Turn MODEL into integers: fold, calibrate on images of the train split, repair, train if asked, score."""
    from ..recipes import recipe
    from .load import Asked, trained_job

    widths = _widths(bits)
    if len(widths) > 1 and not compare:
        raise ConfigError(f"--bits takes one number without --compare, got {bits}.")
    limits = given(
        weight_bytes=_kb(weight_kb), activation_bytes=_kb(activation_kb), bit_operations=bit_operations,
        latency_s=None if latency_ms is None else latency_ms / 1000,
    )  # fmt: skip
    mixed = _mixed(limits, given(mean_weight_bits=mean_bits, front=pareto or None), measure)
    training = given(epochs=epochs, batch_size=batch_size, lr=lr, augment=augment)
    if compare:
        repairs = repair or repair_if_drop_over is not None or qat_if_drop_over is not None
        _refuse_beside_compare(repairs=bool(repairs), limits=mixed is not None, training=bool(training) and not qat)
    changes = given(
        bits=widths[0] if widths else None, activation_bits=activation_bits, method=method, percentile=percentile,
        weight_method=weight_method, num_calibration=num_calibration,
        repairs=tuple(repair.split(",")) if repair else None, repair_if_drop_over=repair_if_drop_over,
        ends_at_8_bits=ends_at_8_bits or None, mixed=mixed, qat_if_drop_over=qat_if_drop_over,
        qat=_qat(training, asked=qat),
    )  # fmt: skip
    start = recipe(preset).quantize
    if qat:  # always, not only when the preset's drop is exceeded
        start = dataclasses.replace(start, qat_if_drop_over=None)
    chosen = _scheme(scheme, format_, per, affine=affine)
    if chosen.mode != "static" or chosen.format != "int":  # the preset's ladder is one of static integers
        start = dataclasses.replace(start, repair_if_drop_over=None, qat_if_drop_over=None)
    stage = dataclasses.replace(start, scheme=chosen, **changes)
    asked = Asked(
        model=model, data=data, device=device, weights=weights, data_root=data_root, download=download,
        image_size=image_size, channels=channels, val_from=val_from, accelerator=accelerator, seed=seed,
    )  # fmt: skip
    job = trained_job(asked, "quantize")
    if compare:
        _compare(job, stage, widths or [8], out=out, resume=resume, json_file=json_file)
    else:
        run_one("quantize", stage, job, out=out, resume=resume, json_file=json_file)
        if pareto and json_file is None:
            _show_front(out)


def _refuse_beside_compare(*, repairs: bool, limits: bool, training: bool) -> None:
    """What a comparison does anyway, or would not use."""
    if repairs:
        raise ConfigError(
            "--compare runs every repair whatever it costs: leave out --repair, --repair-if-drop-over and "
            "--qat-if-drop-over."
        )
    if limits:
        raise ConfigError(
            "--compare has a row for mixed bits at each of --bits: leave out --weight-kb and the other limits."
        )
    if training:
        raise ConfigError("--epochs, --batch-size, --lr and --augment are about training: with --compare add --qat.")


def _widths(text: str | None) -> list[int]:
    try:
        return [int(part) for part in text.split(",")] if text else []
    except ValueError:
        raise ConfigError(f"--bits takes numbers from 2 to 8 with commas between, got '{text}'.") from None


def _kb(value: float | None) -> int | None:
    return None if value is None else int(value * 1024)


def _mixed(limits: dict[str, Any], other: dict[str, Any], measure: str | None) -> Mixed | None:
    from ..compress.quantize import Limits, Mixed

    if not limits and not other:
        if measure is not None:
            raise ConfigError("--measure chooses bits within a limit: add --weight-kb, --mean-bits or another limit.")
        return None
    return Mixed(limits=Limits(**limits), **other, **given(measure=measure))


def _show_front(out: Path) -> None:
    """The choices of bits that no other one betters."""
    from ..runs import read_run

    mixed = next(stage["details"]["mixed"] for stage in read_run(out)["stages"] if stage["name"] == "quantize")
    rows = [
        [f"{each['mean_weight_bits']:.2f}", f"{each['weight_bytes']:,}", f"{each['predicted_loss']:.3g}"]
        for each in mixed["front"]
    ]
    headings = ["bits a weight", "weight bytes", f"predicted loss ({mixed['measure']})"]
    lines([""])
    table(headings, rows, right=headings)


def _qat(training: dict[str, Any], *, asked: bool) -> Qat | None:
    """How to train, where it is asked for or described."""
    from ..compress.quantize import Qat

    settings = Qat()
    changed = dataclasses.replace(settings, train=dataclasses.replace(settings.train, **training))
    return changed if asked or training else None


def _scheme(mode: str, format_: str, per: str, *, affine: bool) -> Scheme:
    from ..compress.quantize import Scheme

    granularity, _, size = per.partition(":")
    if size and not size.isdigit():
        raise ConfigError(f"--per group takes the number of weights in a group, as group:32, got '{per}'.")
    return Scheme(
        mode=mode, format=format_, granularity=granularity, group_size=int(size) if size else None,  # type: ignore[arg-type]
        symmetric=not affine,
    )  # fmt: skip


def _compare(job: Job, stage: Quantize, widths: list[int], *, out: Path, resume: bool, json_file: Path | None) -> None:
    """Run every way, and print the table that the page shows."""
    from ..pipeline import compare_quantizers, variants
    from ..report import comparison_rows
    from .progress import progress_for

    base = dataclasses.replace(stage, qat=None, qat_if_drop_over=None, repair_if_drop_over=None)
    found = compare_quantizers(
        job, variants(base, bits=widths, qat=stage.qat), out=out,
        resume=resume, command=f"edgewright {shlex.join(sys.argv[1:])}", progress=progress_for(),
    )  # fmt: skip
    if not as_json(found.content, json_file):
        headings, rows = comparison_rows(found.content)
        table(headings, rows, right=headings[1:])
        left_out = [f"left out: {each['name']}: {each['reason']}" for each in found.content["comparison_refused"]]
        lines(["", *left_out, found.content["verdict"]["sentence"], f"page:  {found.page}", f"model: {found.folder}"])
