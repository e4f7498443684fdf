"""Firmware on the command line: what `export --format c` is given, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from ..types import ARTIFACT_FOLDERS, MANIFEST_FILE, Device
from .show import as_json, table

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import fx

    from ..data import Data
    from ..export.c.artifact import Writing
    from ..program import Program
    from ..types import Artifact
    from ..verify.firmware.judge import FirmwareVerification
    from .artifacts import Subject

NUM_SAMPLES = 8  # golden vectors of an export
NEEDS_NO_FILES = ("digits",)  # data sets that are there whatever was typed
C = "c"  # the runtime of devices that take generated C


def samples_for(
    format_: str, run: Path, content: Mapping[str, Any], net: fx.GraphModule
) -> tuple[torch.Tensor, dict[str, Any]]:
    """A few inputs of a model, and a fact for the manifest that says what they are: for C images, where they are at
    hand, else noise."""
    import torch

    from ..model import input_shape
    from ..seeding import torch_generator

    found = _images(run, content) if format_ == C else None
    if found is not None:
        return found[0][:NUM_SAMPLES], {"samples": found[1]}
    noise = torch.randn((NUM_SAMPLES, *input_shape(net)), generator=torch_generator(0, "export.samples"))
    return noise, {"samples": "noise"} if format_ == C else {}


def _read_onnx(path: Path, *, name: str) -> Program:
    from ..program.onnx_file import read_onnx

    return read_onnx(path, name=name)


def _read_tflite(path: Path, *, name: str) -> Program:
    from ..program.tflite_file import read_tflite

    return read_tflite(path, name=name)


FILES: Mapping[str, Callable[..., Program]] = {".onnx": _read_onnx, ".tflite": _read_tflite}
"""Kinds of integer networks that are read, by suffix; those of .tflite round as TensorFlow Lite Micro does."""


def export_file(path: Path, out: Path | None, asked: AskedC) -> Artifact:
    """The C of a file that holds an integer network, beside it unless `out` names a folder.

    What our own export knows of an ONNX file (preprocessing, classes, images) is taken over; else the self-test is
    random codes.

    Raises:
        ModelError, UnsupportedError: the file is missing, damaged, or holds what the kernels cannot compute.
        BudgetError: it does not fit the device.
    """
    from ..errors import ModelError
    from ..export.c.artifact import c_name, export_program
    from ..verify import read_artifact, read_expected

    if not path.is_file():
        raise ModelError(f"There is no file {path}: give a run directory, or the path of an integer network.")
    program = FILES[path.suffix](path, name=c_name(path.stem))
    facts: dict[str, Any] = {"samples": "random codes"}
    images_BCHW = random_images(program)
    if (path.parent / MANIFEST_FILE).is_file() and (found := read_artifact(path.parent)).model_path == path:
        facts |= {name: found.manifest[name] for name in ("preprocess", "class_names")}
        kept = read_expected(found)
        if kept is not None:
            images_BCHW, facts["samples"] = kept["input"][:NUM_SAMPLES], "images of the artifact"
    writing = asked.writing(None)
    return export_program(
        program, out or path.with_name(f"{path.stem}-c"), images_BCHW=images_BCHW, facts=facts, writing=writing
    )


def slim_onnx(path: Path, out: Path | None, *, format_: str, json_file: Path | None) -> None:
    """Write an integer ONNX file without its dead channels, and say what went.

    Raises:
        ConfigError: it is no ONNX file, or another format was asked for.
    """
    from ..export.dead_channels import remove_dead_channels

    if path.suffix != ".onnx" or format_ != "onnx":
        raise ConfigError(f"--remove-dead-channels makes an .onnx file of an .onnx file, got {path} and {format_}.")
    target = out or path.with_name(f"{path.stem}-slim.onnx")
    found = remove_dead_channels(path, target)
    if not as_json(found, json_file):
        gone = {"macs_before": found.macs_before, "macs_removed": found.macs_removed,
                "weights_before": found.weights_before, "weights_removed": found.weights_removed}  # fmt: skip
        print(f"{target}: {target.stat().st_size:,} bytes of {path.stat().st_size:,}; {_removed(gone)}")


def random_images(program: Program) -> np.ndarray | None:
    """Values of uniform codes, None for a program with several inputs."""
    import numpy as np

    if len(program.inputs) != 1:
        return None
    tensor = program.tensors[program.inputs[0]]
    assert tensor.grid is not None
    shape = (NUM_SAMPLES, *tensor.shape)
    codes = np.random.default_rng(0).integers(tensor.grid.low, tensor.grid.high + 1, shape)
    return np.asarray(tensor.grid.values(codes), dtype=np.float32)


def _images(run: Path, content: Mapping[str, Any]) -> tuple[torch.Tensor, str] | None:
    """Test images of the run: those that `fit` kept beside its artifact, or those of a built-in data set."""
    import torch

    from ..data import load_data
    from ..verify import read_artifact, read_expected

    name = content["data"]["name"]
    folder = run / ARTIFACT_FOLDERS["int8"]
    if folder.is_dir():
        kept = read_expected(read_artifact(folder))
        if kept is not None:
            return torch.from_numpy(kept["input"]), f"test images of {name}"
    if name not in NEEDS_NO_FILES:
        return None
    preprocess = content["data"]["preprocess"]
    loaded = load_data(name, seed=content["asked"]["seed"])
    data = loaded.fitted_to(tuple(preprocess["shape"]), tuple(preprocess["mean"]), tuple(preprocess["std"]))
    return next(data.batches("test", batch_size=NUM_SAMPLES))[0], f"test images of {name}"


@dataclass(frozen=True, kw_only=True)
class AskedC:
    """The options of `export` that are for C alone."""

    device: str | None
    kernels: str | None
    rounding: str | None
    favor: str | None

    def refuse(self, format_: str) -> None:
        """Nothing, when no such option was given.

        Raises:
            ConfigError: one was, with another format.
        """
        given = next((name for name, value in vars(self).items() if value is not None), None)
        if given is not None:
            raise ConfigError(f"--{given} is for --format c, which is plain C for a device; got {format_}.")

    def writing(self, content: Mapping[str, Any] | None) -> Writing:
        """For the named device, or for the run's where that one takes C.

        Args:
            content: of the run; None for a file.

        Raises:
            LookupFailed, ConfigError: there is no such device.
        """
        from ..devices import device as find_device
        from ..export.c.artifact import Writing

        device = None if self.device is None else find_device(self.device)
        if device is None and content is not None and C in content["device"]["runtimes"]:
            device = Device(**content["device"])
        return Writing(device=device, kernels=self.kernels, rounding=self.rounding, favor=self.favor or "time")


def firmware_lines(manifest: Mapping[str, Any]) -> list[str]:
    """What generated C needs and what was removed from it; nothing for other files."""
    if manifest.get("runtime") != C:
        return []
    need, dead, plan = manifest["need"], manifest["dead"], manifest["plan"]
    device = manifest["device"] or "none, so nothing was held against it"
    return [
        f"  {plan['headline'].removesuffix('.')} ({plan['peak']}).",
        f"  RAM    {need['ram_bytes']:>10,}  arena {need['arena']:,}, float outputs {need['floats']:,}, stack "
        f"{need['stack']:,}, start-up {need['start_ram']:,}",
        f"  flash  {need['flash_bytes']:>10,}  weights and tables {need['tables']:,}, code about {need['code']:,}, "
        f"start-up {need['start_flash']:,}",
        f"  MACs   {manifest['macs']:>10,}  {_removed(dead)}",
        f"  kernels {manifest['kernels']}, rounding {manifest['rounding']}; self-test: {manifest['samples']}; "
        f"device: {device}",
        *_plain_vectors(manifest),
    ]  # fmt: skip


def _plain_vectors(manifest: Mapping[str, Any]) -> list[str]:
    """A word about vectors that the device's core does not have."""
    from ..export.c.kernel_sets import runs_as_plain_c

    target = manifest["target"]
    if target is None or not runs_as_plain_c(manifest["kernels"], device := Device(**target)):
        return []
    core = "its core" if device.core is None else f"the Cortex-{device.core}"
    return [f"  {device.name}: {core} has no Helium, so the vectors of {manifest['kernels']} run as plain C there"]


def _removed(dead: Mapping[str, Any]) -> str:
    if not dead["macs_removed"] and not dead["weights_removed"]:
        return "no channel is dead"
    return (
        f"dead channels removed: {dead['macs_removed'] / dead['macs_before']:.1%} of the MACs, "
        f"{dead['weights_removed'] / dead['weights_before']:.1%} of the weights"
    )


def judge_firmware(subject: Subject, data: Data | None, *, split: str, device: str | None) -> FirmwareVerification:
    """The verdict on a folder of C, beside what its run knows."""
    from ..devices import device as find_device
    from ..tasks import Classify
    from ..verify import OnnxRunner
    from ..verify.firmware.judge import Trial, verify_firmware
    from .progress import progress_for

    others: dict[str, Any] = {}
    onnx = None if subject.run is None else subject.run / ARTIFACT_FOLDERS["int8"] / "model.onnx"
    if onnx is not None and onnx.is_file():
        others["ONNX Runtime"] = OnnxRunner(onnx)
    if subject.simulation is not None:
        others["the simulation"] = subject.simulation
    trial = Trial(
        task=None if data is None else Classify(num_classes=data.num_classes), data=data, split=split, others=others,
        baseline=subject.baseline, budget=subject.budget, must_run=device is not None,
    )  # fmt: skip
    named = None if device is None else find_device(device)
    return verify_firmware(subject.folder, device=named, trial=trial, progress=progress_for())


def show_firmware(found: FirmwareVerification) -> None:
    """The tables of a verification of firmware: operations, scores."""
    counted = found.board is not None
    names = ("operation", "kind", "MACs", "instructions", "per MAC", "differing bytes")
    rows = [
        (
            each["tensor"], each["kind"], f"{each['macs']:,}" if each["macs"] else "",
            f"{each['instructions']:,}" if counted else "not run",
            "" if each["per_mac"] is None else f"{each['per_mac']:.2f}",
            f"{each['differing']:,} of {each['compared']:,}",
        )
        for each in found.layers
    ]  # fmt: skip
    table(names, rows, right=("MACs", "instructions", "per MAC", "differing bytes"))
    if found.scores:
        print()
        scored = [(each.name, f"{each.score.value:.2f}", f"{each.score.num_samples}") for each in found.scores]
        table((found.scores[0].score.metric, "points", "images"), scored, right=("points", "images"))
    print()
