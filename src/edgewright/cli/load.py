"""From what the user typed to a captured model, a data set and a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import fx, nn

from ..data import Data, load_data
from ..devices import device as find_device
from ..errors import ConfigError, first_line
from ..model import capture, input_shape, tensor_specs
from ..model.coded import MODEL_FILE, SUFFIX, load_coded
from ..model.onnx import read_onnx
from ..runs import RUN_FILE, load_final_model, read_run
from ..tasks import Classify
from ..types import Budget, Job
from ..zoo import resolve


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A captured model and what is known about it. `mean` and `std` are those it was trained with, if any."""

    net: fx.GraphModule  # or, of a teacher that a runtime answers for, a `compress.distill.Frozen`
    name: str
    trained: bool
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the options of a command say about model and data."""

    model: str
    data: str
    device: str
    weights: Path | None = None
    data_root: Path | None = None
    download: bool = False
    image_size: int | None = None
    channels: int | None = None
    val_from: str = "train"
    accelerator: str = "cpu"
    seed: int = 0
    teacher: str | None = None
    teacher_weights: Path | None = None
    new_head: bool = False  # the last layer is made anew for the classes of the data
    task: Mapping[str, Any] = field(default_factory=dict)  # settings of `Classify`
    answers_only: bool = False  # nobody looks inside the teacher: a file may answer from its runtime


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A model as it was built or read, captured or not, and the input it takes."""

    model: nn.Module
    name: str
    input_shape: tuple[int, ...]
    trained: bool
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None


def parse_shape(text: str) -> tuple[int, tuple[int, int, int]]:
    """`8,3,224,224` as 8 and (3, 224, 224); `3,224,224` is a batch of one.

    Raises:
        ConfigError: it is neither.
    """
    try:
        sizes = tuple(int(part) for part in text.split(","))
    except ValueError:
        sizes = ()
    batch, sizes = (sizes[0], sizes[1:]) if len(sizes) == 4 else (1, sizes)
    if len(sizes) != 3 or min(batch, *sizes) < 1:
        raise ConfigError(f"--input is a shape as [B,]C,H,W, got '{text}': write for instance 3,224,224.")
    return batch, (sizes[0], sizes[1], sizes[2])


def open_model(
    spec: str,
    *,
    num_classes: int | None = None,
    channels: int | None = None,
    image_size: int | None = None,
    weights: Path | None = None,
    input_shape: tuple[int, int, int] | None = None,
    seed: int = 0,
) -> Opened:
    """The model that `spec` names, as it comes.

    Args:
        spec: see `zoo.resolve`, a run directory, an .onnx or a .coded file.
        num_classes: width of the output; None for the model's own.
        channels: channels of the image; None for the model's own.
        image_size: height and width; None for the model's own.
        weights: state dict to load.
        input_shape: exactly this (C, H, W); replaces the two sizes above.
        seed: of random weights.

    Raises:
        LookupFailed, ModelError, ConfigError, UnsupportedError, DataError: what is wrong with the model.
    """
    if spec.endswith(".onnx"):
        if weights is not None:
            raise ConfigError(f"{spec} is an ONNX file and has its own weights: leave out --weights.")
        return _from_onnx(spec, num_classes, input_shape or (channels, image_size, image_size))
    coded = coded_file(spec)
    if coded is not None:
        if weights is not None:
            raise ConfigError(f"{spec} is a coded model and has its own weights: leave out --weights.")
        return _from_coded(coded, num_classes, input_shape)
    if _is_run(spec):
        if weights is not None:
            raise ConfigError(f"{spec} is a run directory and has its own weights: leave out --weights.")
        return _from_run(Path(spec), input_shape)
    size = image_size if input_shape is None else input_shape[1:]
    channels = channels if input_shape is None else input_shape[0]
    built = resolve(spec, num_classes=num_classes, channels=channels, image_size=size, weights=weights, seed=seed)
    return Opened(
        model=built.model, name=built.name, input_shape=input_shape or built.input_shape, trained=built.trained,
        mean=built.mean, std=built.std,
    )  # fmt: skip


def read_model(spec: str, **settings: Any) -> Loaded:
    """The captured model that `spec` names; arguments and errors are those of `open_model`."""
    found = open_model(spec, **settings)
    net = capture(found.model, found.input_shape, name=found.name)
    return Loaded(net=net, name=found.name, trained=found.trained, mean=found.mean, std=found.std)


def coded_file(spec: str) -> Path | None:
    """The coded file that `spec` names, itself or by the artifact folder that it lies in; None for anything else."""
    path = Path(spec)
    if spec.endswith(SUFFIX):
        return path
    return path / MODEL_FILE if (path / MODEL_FILE).is_file() else None


def _is_run(spec: str) -> bool:
    path = Path(spec)
    return path.is_dir() or (path / RUN_FILE).exists()


def _from_onnx(spec: str, num_classes: int | None, shape: tuple[int | None, ...]) -> Opened:
    """The model in an ONNX file: trained, with statistics that the file does not tell."""
    net = read_onnx(spec, input_shape=shape if any(shape) else None)
    outputs = next(each for each in net.graph.nodes if each.op == "output").all_input_nodes
    width = tensor_specs(net)[outputs[0].name].shape[-1]
    if num_classes is not None and (len(outputs) > 1 or width != num_classes):
        raise ConfigError(f"{spec} tells {width} classes apart, got {num_classes}: an ONNX file keeps its own output.")
    return Opened(model=net, name=Path(spec).stem, input_shape=input_shape(net), trained=True)


def _from_coded(path: Path, num_classes: int | None, shape: tuple[int, ...] | None) -> Opened:
    """The model in a coded file, and the statistics that it was trained with, where the file tells them."""
    net, facts = load_coded(path)
    names = facts.get("class_names") or ()
    if num_classes is not None and names and len(names) != num_classes:
        raise ConfigError(f"{path} tells {len(names)} classes apart, got {num_classes}: a file keeps its own output.")
    statistics = {key: tuple(facts.get("preprocess", {}).get(key) or ()) or None for key in ("mean", "std")}
    name = str(facts.get("name") or path.stem)
    return Opened(model=net, name=name, input_shape=shape or input_shape(net), trained=True, **statistics)


def _from_run(folder: Path, shape: tuple[int, ...] | None) -> Opened:
    """The model a run ended with, and the statistics that it was trained with."""
    content = read_run(folder)
    preprocess = content["data"]["preprocess"]
    net = load_final_model(folder)
    return Opened(
        model=net, name=str(content["asked"]["model"]), input_shape=shape or input_shape(net), trained=True,
        mean=tuple(preprocess["mean"]), std=tuple(preprocess["std"]),
    )  # fmt: skip


def job_for(asked: Asked, budget: Budget) -> Job:
    """The job that the options describe: data loaded and fitted to the model, model captured, teacher beside it.

    Raises:
        ConfigError: this machine does not have the accelerator, which is found out before anything is loaded.
        UserError: what is wrong with model, data or device.
    """
    check_accelerator(asked.accelerator)
    target = find_device(asked.device)
    data = load_data(
        asked.data,
        root=asked.data_root,
        download=asked.download,
        seed=asked.seed,
        image_size=asked.image_size,
        channels=asked.channels,
        val_from=asked.val_from,  # type: ignore[arg-type]
    )
    loaded = read_model(
        asked.model,
        num_classes=None if asked.new_head else data.num_classes,
        channels=asked.channels,
        image_size=asked.image_size,
        weights=asked.weights,
        seed=asked.seed,
    )
    if asked.new_head:
        from .transfer import with_head

        loaded = with_head(loaded, data.num_classes, seed=asked.seed)
    teacher = _teacher(asked, loaded, data) if asked.teacher else None
    trained_on = teacher or loaded  # a teacher answers well only on what it was trained with
    return Job(
        model=loaded.net,
        task=Classify(num_classes=data.num_classes, **asked.task),
        data=data.fitted_to(input_shape(loaded.net), trained_on.mean, trained_on.std),
        device=target,
        budget=budget,
        seed=asked.seed,
        model_name=loaded.name,
        trained=loaded.trained,
        teacher=teacher.net if teacher else None,
        accelerator=asked.accelerator,
    )


def trained_job(asked: Asked, command: str) -> Job:
    """The job for a command that works on trained weights.

    Raises:
        ConfigError: the model has random ones.
    """
    job = job_for(asked, Budget())
    if not job.trained:
        raise ConfigError(
            f"{job.model_name} has random weights, and {command} needs trained ones: add --weights, or name a run."
        )
    return job


def check_accelerator(name: str) -> None:
    """Refuse a PyTorch device that this machine does not have, or that computes no numbers ("meta").

    Raises:
        ConfigError: names it, and why.
    """
    import torch

    try:
        reason = "it computes shapes alone" if torch.empty(0, device=name).is_meta else ""
    except (RuntimeError, AssertionError, ImportError) as error:  # by the backend that the name is one of
        reason = first_line(error)
    if reason:
        raise ConfigError(f"PyTorch has no device '{name}' here ({reason}): leave --accelerator out.")


def _teacher(asked: Asked, student: Loaded, data: Data) -> Loaded:
    channels, height, width = input_shape(student.net)
    if asked.answers_only and asked.teacher_weights is None:
        from .teachers import in_runtime

        runtime = in_runtime(str(asked.teacher), (channels, height, width))
        if runtime is not None:
            return runtime
    found = read_model(
        str(asked.teacher),
        num_classes=data.num_classes,
        channels=channels,
        image_size=height if height == width else None,
        weights=asked.teacher_weights,
        seed=asked.seed,
    )
    if not found.trained:
        raise ConfigError(
            f"The teacher {found.name} has random weights: add --teacher-weights, or name a run directory."
        )
    ours, theirs = input_shape(student.net), input_shape(found.net)
    if ours != theirs:
        raise ConfigError(
            f"The teacher {found.name} takes inputs {theirs} and the student {ours}: "
            "choose one size for both with --image-size and --channels."
        )
    return found
