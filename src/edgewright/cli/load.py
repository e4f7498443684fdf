"""From what the user typed to a captured model, a data set and a job."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import fx

from ..data import Data, load_data
from ..devices import device as find_device
from ..errors import ConfigError, UnsupportedError
from ..model import capture, input_shape
from ..runs import RUN_FILE, load_final_model, read_run
from ..tasks import Classify
from ..types import Budget, Job
from ..zoo import resolve


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A captured model and what is known about it. `mean` and `std` are those it was trained with, if any."""

    net: fx.GraphModule
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
    seed: int = 0
    teacher: str | None = None
    teacher_weights: Path | None = None


def parse_shape(text: str) -> tuple[int, int, int]:
    """`1,3,224,224` or `3,224,224` as (C, H, W).

    Raises:
        ConfigError: it is neither.
    """
    try:
        sizes = tuple(int(part) for part in text.split(","))
    except ValueError:
        sizes = ()
    if len(sizes) == 4 and sizes[0] == 1:
        sizes = sizes[1:]
    if len(sizes) != 3 or min(sizes) < 1:
        raise ConfigError(
            f"--input is the shape of one input as 1,C,H,W, got '{text}': write for instance 1,3,224,224."
        )
    return sizes[0], sizes[1], sizes[2]


def read_model(
    spec: str,
    *,
    num_classes: int | None = None,
    channels: int | None = None,
    image_size: int | None = None,
    weights: Path | None = None,
    input_shape: tuple[int, int, int] | None = None,
    seed: int = 0,
) -> Loaded:
    """The captured model that `spec` names.

    Args:
        spec: see `zoo.resolve`, or a run directory.
        num_classes: width of the output; None for the model's own.
        channels: channels of the image; None for the model's own.
        image_size: height and width; None for the model's own.
        weights: state dict to load.
        input_shape: capture at exactly this (C, H, W); replaces the two sizes above.
        seed: of random weights.

    Raises:
        LookupFailed, ModelError, ConfigError, UnsupportedError: what is wrong with the model.
    """
    if spec.endswith(".onnx"):
        raise UnsupportedError(
            f"{spec} is an ONNX file, and this command reads PyTorch models: give the run that wrote it."
        )
    if _is_run(spec):
        if weights is not None:
            raise ConfigError(f"{spec} is a run directory and has its own weights: leave out --weights.")
        return _from_run(Path(spec))
    size = image_size if input_shape is None else input_shape[1:]
    channels = channels if input_shape is None else input_shape[0]
    built = resolve(spec, num_classes=num_classes, channels=channels, image_size=size, weights=weights, seed=seed)
    net = capture(built.model, input_shape or built.input_shape, name=built.name)
    return Loaded(net=net, name=built.name, trained=built.trained, mean=built.mean, std=built.std)


def _is_run(spec: str) -> bool:
    path = Path(spec)
    return path.is_dir() or (path / RUN_FILE).exists()


def _from_run(folder: Path) -> Loaded:
    """The model a run ended with, and the statistics that it was trained with."""
    content = read_run(folder)
    preprocess = content["data"]["preprocess"]
    net = load_final_model(folder)
    return Loaded(
        net=net,
        name=str(content["asked"]["model"]),
        trained=True,
        mean=tuple(preprocess["mean"]),
        std=tuple(preprocess["std"]),
    )


def job_for(asked: Asked, budget: Budget) -> Job:
    """The job that the options describe: data loaded and fitted to the model, model captured, teacher beside it."""
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
        num_classes=data.num_classes,
        channels=asked.channels,
        image_size=asked.image_size,
        weights=asked.weights,
        seed=asked.seed,
    )
    teacher = _teacher(asked, loaded, data) if asked.teacher else None
    trained_on = teacher or loaded  # a teacher answers well only on what it was trained with
    return Job(
        model=loaded.net,
        task=Classify(num_classes=data.num_classes),
        data=data.fitted_to(input_shape(loaded.net), trained_on.mean, trained_on.std),
        device=target,
        budget=budget,
        seed=asked.seed,
        model_name=loaded.name,
        trained=loaded.trained,
        teacher=teacher.net if teacher else None,
    )


def _teacher(asked: Asked, student: Loaded, data: Data) -> Loaded:
    channels, height, width = input_shape(student.net)
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
