"""`bench`: models, runs and files side by side, in several runtimes, in turns."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConfigError, LookupFailed
from ..types import ARTIFACT_FOLDERS, MANIFEST_FILE, RUN_FILE
from . import options
from .guard import typed
from .show import as_json

if TYPE_CHECKING:
    from torch import fx

    from ..verify import Stored, Subject
    from .load import Loaded

RUNTIMES = ("onnxruntime", "eager", "compiled")
LOADER = "edgewright.model:load_model"  # what a fresh process loads a PyTorch model with
Threads = Annotated[str, typer.Option("--threads", metavar="N,...", help="Cores that one call may use; a list.")]
Batches = Annotated[str, typer.Option("--batch", metavar="N,...", help="Images per call; a list.")]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """How models that are named, not stored, are built; and which forms are asked for."""

    runtimes: tuple[str, ...]
    folder: Path  # temporary: what is exported and saved for the measurement
    num_classes: int | None = None
    weights: Path | None = None
    image_size: int | None = None
    channels: int | None = None
    input_shape: tuple[int, int, int] | None = None

    @property
    def builds(self) -> bool:
        """Whether anything is said about how a model is built."""
        return any(value is not None for value in (self.weights, self.num_classes, self.input_shape))

    @property
    def in_torch(self) -> bool:
        return bool({"eager", "compiled"} & set(self.runtimes))


def bench(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...", help="Artifact folders, .onnx files, runs (int8 and fp32), or models as `analyze` has."
        ),
    ],
    runtime: Annotated[
        str, typer.Option("--runtime", metavar="onnxruntime,eager,compiled|all", help="Where to run them; a list.")
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
    """`all`, or runtimes with commas between them.

    Raises:
        LookupFailed: one that there is not.
    """
    names = RUNTIMES if text == "all" else tuple(part.strip() for part in text.split(","))
    unknown = [name for name in names if name not in RUNTIMES]
    if unknown:
        raise LookupFailed(f"--runtime is one or more of {', '.join(RUNTIMES)}, or all; got '{unknown[0]}'.")
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


def read_subjects(specs: Sequence[str], wanted: Wanted) -> list[Subject]:
    """What each argument stands for: a file is itself, a run its artifacts, a name the model that is built."""
    if wanted.builds and not any(_is_name(spec) for spec in specs):
        raise ConfigError("--weights, --num-classes and --input are for models that are built by name: leave them out.")
    found: list[Subject] = []
    for spec in specs:
        found += _subjects_of(spec, wanted)
    return found


def _is_name(spec: str) -> bool:
    """Neither a run nor an artifact nor a file: a model that is to be built."""
    return not (Path(spec).is_dir() or Path(spec).name == MANIFEST_FILE or spec.endswith(".onnx"))


def _subjects_of(spec: str, wanted: Wanted) -> list[Subject]:
    from ..verify import file_subject

    path = Path(spec)
    if (path / RUN_FILE).exists():
        return _run_subjects(path, wanted)
    return [_model_subject(spec, wanted)] if _is_name(spec) else [file_subject(path)]


def _run_subjects(path: Path, wanted: Wanted) -> list[Subject]:
    """The artifacts of a run. In PyTorch its final model runs, which the artifact that ships was made from."""
    from ..verify import file_subject

    kept = "a run keeps its final model alone as a PyTorch model"
    folders = {kind: path / name for kind, name in ARTIFACT_FOLDERS.items() if (path / name).is_dir()}
    files = {
        kind: replace(file_subject(folder), lacks={"eager": kept, "compiled": kept}) for kind, folder in folders.items()
    }
    if files and not wanted.in_torch:
        return list(files.values())
    shipped = files.pop("int8", None)
    return [_model_subject(str(path), wanted, shipped), *files.values()]


def _model_subject(spec: str, wanted: Wanted, shipped: Subject | None = None) -> Subject:
    """A model in the forms that are asked for, written to the temporary folder where they need files.

    Args:
        shipped: the file that was made from it already, and the name that both go by.
    """
    from ..model import input_shape
    from ..model.quantized import is_quantized
    from ..verify import Subject

    loaded = _loaded(spec, wanted)
    name = shipped.name if shipped else spec
    folder = Path(tempfile.mkdtemp(dir=wanted.folder))
    return Subject(
        name=name,
        onnx=shipped.onnx if shipped else _exported(loaded.net, folder, spec, wanted),
        is_quantized=is_quantized(loaded.net),
        net=loaded.net,
        stored=_stored(loaded.net, folder, wanted),
        input_shape=input_shape(loaded.net),
        preprocess={"mean": loaded.mean, "std": loaded.std},
        remark=_simulated(loaded.net, name) if wanted.in_torch else "",
    )


def _exported(net: fx.GraphModule, folder: Path, spec: str, wanted: Wanted) -> Path | None:
    from ..export import export_onnx

    if "onnxruntime" not in wanted.runtimes:
        return None
    return export_onnx(net, folder / "onnx", name=Path(spec).name, preprocess={}).model_path


def _stored(net: fx.GraphModule, folder: Path, wanted: Wanted) -> Stored | None:
    from ..model import save_model
    from ..verify import Stored

    if not wanted.in_torch:
        return None
    (folder / "torch").mkdir()
    save_model(net, folder / "torch")
    return Stored(folder=folder / "torch", loader=LOADER)


def _loaded(spec: str, wanted: Wanted) -> Loaded:
    from .load import read_model

    return read_model(
        spec, num_classes=wanted.num_classes, channels=wanted.channels, image_size=wanted.image_size,
        weights=wanted.weights, input_shape=wanted.input_shape,
    )  # fmt: skip


def _simulated(net: fx.GraphModule, name: str) -> str:
    """A word about a quantized model in PyTorch: it runs, but it is not what ships."""
    from ..model.quantized import is_quantized

    if not is_quantized(net):
        return ""
    return f"{name} in PyTorch is the simulation of its integers in float: its speed there is not that of int8 kernels."
