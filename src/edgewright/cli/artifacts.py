"""`export`, `verify`, `report`: from a run to files, proof and the page."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConfigError, UnsupportedError
from ..types import ARTIFACT_FOLDERS, EXPORT_FOLDERS, FIRMWARE_FOLDER, RUN_FILE, Device
from . import options
from .firmware import (
    FILES,
    AskedC,
    C,
    export_file,
    firmware_lines,
    judge_firmware,
    samples_for,
    show_firmware,
    slim_onnx,
)
from .show import as_json, lines, table

if TYPE_CHECKING:
    from torch import fx

    from ..types import Artifact, Budget, Check, Score

RunOrFile = Annotated[
    Path,
    typer.Argument(metavar="RUN|FILE", help="A run directory; for c also an integer .onnx or .tflite file."),
]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")]
ARTIFACT, FP32 = ARTIFACT_FOLDERS["int8"], ARTIFACT_FOLDERS["fp32"]

Turns = Annotated[int, typer.Option("--turns", metavar="N", help="Rounds; in each, every file is timed in turn.")]
Threads = Annotated[int, typer.Option("--threads", metavar="N", help="Cores that one call may use.")]


def export(
    run: RunOrFile,
    format_: Annotated[
        str, typer.Option("--format", metavar="onnx|openvino|executorch|c|coded", help="What to write.")
    ] = "onnx",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="The folder to write, replaced as a whole; default: RUN/artifact[-FORMAT]."
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option("--device", metavar="DEVICE", help="For c: whose memories it must fit; default: the run's."),
    ] = None,
    kernels: Annotated[
        str | None,
        typer.Option("--kernels", metavar="portable|dsp|helium", help="For c; default: the fastest of the core."),
    ] = None,
    rounding: Annotated[
        str | None,
        typer.Option(
            "--rounding", metavar="single|tflm", help="For c: one rounding, or TensorFlow Lite Micro's to the bit."
        ),
    ] = None,
    favor: Annotated[
        str | None,
        typer.Option("--favor", metavar="time|ram|flash", help="For c: ram makes stripes, flash shares code."),
    ] = None,
    remove_dead_channels: Annotated[
        bool,
        typer.Option("--remove-dead-channels", help="Of an integer .onnx file: what no image can change; C has none."),
    ] = False,
    json_file: options.Json = None,
) -> None:
    """Write the model of a run as files to ship, with a manifest of hashes.

    Exit code 1: firmware does not fit its device, and the answer says by how much and what would help.
    """
    if format_ not in EXPORT_FOLDERS:
        raise UnsupportedError(
            f"--format is one of {', '.join(EXPORT_FOLDERS)}, got '{format_}': this version writes no other."
        )
    asked = AskedC(device=device, kernels=kernels, rounding=rounding, favor=favor)
    if format_ != C:
        asked.refuse(format_)
    if remove_dead_channels:
        slim_onnx(run, out, format_=format_, json_file=json_file)
        return
    if run.suffix in FILES:
        if format_ != C:
            raise ConfigError(f"{run} is a file, of which only --format c is made: give a run directory.")
        _show_export(export_file(run, out, asked), json_file)
        return
    from ..export import EXPORTERS
    from ..files import writable_folder
    from ..runs import load_final_model, read_run

    content, net = read_run(run), load_final_model(run)
    if out is None and format_ == "onnx" and content.get("artifacts"):
        raise ConfigError(
            f"{run / ARTIFACT} was exported and judged by `fit` already: ship it, or name a folder with --out."
        )
    folder = out or run / EXPORT_FOLDERS[format_]
    writable_folder(folder.parent)
    samples, told = samples_for(format_, run, content, net)
    data, more = content["data"], {}
    if format_ == C:
        more, told = {"writing": asked.writing(content)}, {**told, "score": (content.get("scores") or {}).get("after")}
    written = EXPORTERS[format_](
        net, folder, name=content["asked"]["model"], preprocess=data["preprocess"], class_names=data["class_names"],
        samples_BCHW=samples, facts=told, **more,
    )  # fmt: skip
    _show_export(written, json_file)


def _show_export(written: Artifact, json_file: Path | None) -> None:
    if not as_json(written.manifest, json_file):
        shipped = written.manifest.get("parts", [written.manifest["model"]])
        num_bytes = sum(each["bytes"] for each in written.manifest["files"] if each["path"] in shipped)
        text = " of source" if written.manifest.get("runtime") == "c" else ""
        print(f"{written.model_path}: {_kind(written.manifest)}, {num_bytes:,} bytes{text}")
        lines(coded_lines(written.manifest, num_bytes))
        lines(firmware_lines(written.manifest))


def _kind(manifest: Mapping[str, Any]) -> str:
    """How the weights of a file are written, in a word or two."""
    if "parts_bytes" in manifest:
        return "coded"
    if manifest.get("runtime") == "c":
        return "C of an int8 network"
    if manifest["quantized"]:
        return "int8"
    return f"{manifest['scheme']} quantization" if manifest.get("scheme") else "float32"


def coded_lines(facts: Mapping[str, Any], num_bytes: int) -> list[str]:
    """What the bytes of a coded file are spent on, and how many times smaller it is; nothing for other files."""
    if "parts_bytes" not in facts:
        return []
    parts = {name: count for name, count in facts["parts_bytes"].items() if count}
    width = max(map(len, parts))
    rows = [f"  {name:{width}}  {count:>12,}  {count / num_bytes:6.1%}" for name, count in parts.items()]
    return [
        *rows,
        f"{facts['fp32_bytes'] / num_bytes:.1f} times smaller than its {facts['fp32_bytes']:,} bytes in float32",
    ]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What `verify` judges, and what a run knows besides the files."""

    folder: Path
    run: Path | None = None
    fp32: Path | None = None
    simulation: fx.GraphModule | None = None
    baseline: Score | None = None
    budget: Budget | None = None
    is_target: bool = True  # this machine stands for the device that the run was made for


def verify(
    artifact: Annotated[Path, typer.Argument(metavar="ARTIFACT", help="An artifact folder, or a run that made one.")],
    data: Annotated[
        str | None, typer.Option("--data", metavar="DATA", help=f"{options.DATA_HELP} Firmware can do without.")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option("--device", metavar="DEVICE", help="For firmware: the device to emulate; default: its own."),
    ] = None,
    split: Annotated[str, typer.Option("--split", metavar="train|val|test", help="The images to judge on.")] = "test",
    fp32: Annotated[
        Path | None, typer.Option("--fp32", metavar="DIR", help="The float artifact to be smaller and faster than.")
    ] = None,
    threads: Threads = 1,
    turns: Turns = 7,
    data_root: options.DataRoot = None,
    download: options.Download = False,
    image_size: options.ImageSize = None,
    channels: options.Channels = None,
    val_from: options.ValFrom = "train",
    seed: options.Seed = 0,
    json_file: options.Json = None,
) -> int:
    """Run ARTIFACT in its runtime and check it: files, score, parity, integer kernels, size, speed.

    Exit code 0: all checks passed; 1: one failed.
    """
    from ..data import load_data
    from ..tasks import Classify
    from ..verify import Timing, read_artifact, verify_artifact
    from .progress import progress_for

    subject = _subject(artifact, split)
    manifest = read_artifact(subject.folder).manifest
    is_c, preprocess, fitted = manifest.get("runtime") == C, manifest["preprocess"], None
    if not is_c and (data is None or device is not None):
        wrong = "--data is needed" if data is None else "--device is for firmware"
        raise ConfigError(f"{subject.folder} holds {manifest['model']}, and {wrong}.")
    if data is not None:
        loaded = load_data(
            data, root=data_root, download=download, seed=seed, image_size=image_size, channels=channels,
            val_from=val_from,  # type: ignore[arg-type]
        )  # fmt: skip
        if not preprocess:
            raise ConfigError(f"Nothing says how images become inputs of {subject.folder}: leave --data out.")
        fitted = loaded.fitted_to(tuple(preprocess["shape"]), tuple(preprocess["mean"]), tuple(preprocess["std"]))
    if is_c:
        judged = judge_firmware(subject, fitted, split=split, device=device)
        if not as_json(judged, json_file):
            show_firmware(judged)
            _show_checks(judged.checks)
        return 0 if judged.passed else 1
    assert fitted is not None
    found = verify_artifact(
        subject.folder,
        task=Classify(num_classes=fitted.num_classes),
        data=fitted,
        split=split,
        simulation=subject.simulation,
        fp32=fp32 or subject.fp32,
        baseline=subject.baseline,
        budget=subject.budget,
        timing=Timing(threads=threads, turns=turns),
        is_target=subject.is_target,
        progress=progress_for(),
    )
    if not as_json(found, json_file):
        _show_checks(found.checks)
    return 0 if found.passed else 1


def _subject(path: Path, split: str) -> Subject:
    """An artifact folder alone, or with what its run knows about it."""
    from ..runs import load_final_model, read_run
    from ..verify import read_artifact

    if path.name.endswith((".onnx", ".xml", ".pte", ".coded", ".c")):
        path = path.parent
    folder = ARTIFACT
    if path.match(f"*/{FIRMWARE_FOLDER}") and (path.parent.parent / RUN_FILE).exists():
        path, folder = path.parent.parent, FIRMWARE_FOLDER
    if path.name in EXPORT_FOLDERS.values() and (path.parent / RUN_FILE).exists():
        path, folder = path.parent, path.name
    if path.name in ARTIFACT_FOLDERS.values() and (path.parent / RUN_FILE).exists():
        path = path.parent
    if not (path / RUN_FILE).exists():
        host = read_artifact(path).manifest.get("host", platform.machine())
        return Subject(folder=path, is_target=host == platform.machine())
    content = read_run(path)
    before = (content.get("scores") or {}).get("before")
    return Subject(
        folder=path / folder,
        run=path,
        fp32=path / FP32 if (path / FP32).is_dir() else None,
        simulation=load_final_model(path),
        baseline=_score(before, split),
        budget=_budget(content),
        is_target=Device(**content["device"]).is_here,
    )


def _score(stored: dict[str, Any] | None, split: str) -> Score | None:
    from ..types import Score

    return Score(**stored) if stored and stored["split"] == split else None


def _budget(content: dict[str, Any]) -> Budget:
    """The score limits that the run was asked for; the cost limits need the device and are the run's own checks."""
    from ..types import Budget

    asked = content["asked"]["budget"]
    return Budget(max_drop=asked["max_drop"], min_score=asked["min_score"])


def _show_checks(checks: Sequence[Check]) -> None:
    table(("", "check", "value", "limit", "how"), [_check_row(each) for each in checks], right=("value", "limit"))
    for each in checks:
        if each.blame:
            print(f"{each.name}: {each.blame}")
    passed = all(check.passed for check in checks)
    judged = any(check.name.startswith("score") and check.limit is not None for check in checks)
    print("FAILED" if not passed else "PASSED" if judged else "PASSED, but the score was not judged")


def _check_row(check: Check) -> tuple[str, ...]:
    from ..report.units import quantity_text

    value, limit = (
        "" if number is None else quantity_text(number, check.unit) for number in (check.value, check.limit)
    )
    verdict = "FAILED" if not check.passed else "info" if check.limit is None else "ok"
    return (verdict, check.name, value, limit, check.how)


def report(
    run: RunFolder,
    open_page: Annotated[bool, typer.Option("--open", help="Show the page in the browser.")] = False,
    json_file: options.Json = None,
) -> None:
    """Write the HTML page of a finished run again, from its run.json."""
    from ..report import summary_lines, write_report
    from ..runs import read_run

    content = read_run(run)
    page = write_report(run)
    if not as_json(content, json_file):
        lines(summary_lines(content))
        print(f"report: {page}")
    if open_page:
        import webbrowser

        webbrowser.open(page.resolve().as_uri())
