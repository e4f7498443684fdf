"""What `bench` measures: files, runs and names as subjects, in the forms that are asked for."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import fx

from ..errors import ConfigError
from ..export import export_executorch, export_onnx
from ..model import input_shape, save_model
from ..model.quantized import is_quantized
from ..types import ARTIFACT_FOLDERS, MANIFEST_FILE, RUN_FILE
from ..verify import Stored, Subject, file_subject
from ..verify.subjects import IN_TORCH
from .load import Loaded, coded_file, read_model

FILES = (".onnx", ".xml", ".pte")
LOADER = "edgewright.model:load_model"  # what a fresh process loads a PyTorch model with


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
        return not IN_TORCH.isdisjoint(self.runtimes)

    @property
    def makes_program(self) -> bool:
        return "executorch" in self.runtimes


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
    return not (Path(spec).is_dir() or Path(spec).name == MANIFEST_FILE or spec.endswith(FILES))


def _subjects_of(spec: str, wanted: Wanted) -> list[Subject]:
    path = Path(spec)
    if coded_file(spec) is not None:
        return [_model_subject(spec, wanted)]
    if (path / RUN_FILE).exists():
        return _run_subjects(path, wanted)
    return [_model_subject(spec, wanted)] if _is_name(spec) else [file_subject(path)]


def _run_subjects(path: Path, wanted: Wanted) -> list[Subject]:
    """The artifacts of a run. In PyTorch its final model runs, which the artifact that ships was made from."""
    kept = "a run keeps its final model alone as a PyTorch model"
    folders = {kind: path / name for kind, name in ARTIFACT_FOLDERS.items() if (path / name).is_dir()}
    files = {
        kind: replace(file_subject(folder), lacks=dict.fromkeys((*IN_TORCH, "executorch"), kept))
        for kind, folder in folders.items()
    }
    if files and not wanted.in_torch and not wanted.makes_program:
        return list(files.values())
    shipped = files.pop("int8", None)
    return [_model_subject(str(path), wanted, shipped), *files.values()]


def _model_subject(spec: str, wanted: Wanted, shipped: Subject | None = None) -> Subject:
    """A model in the forms that are asked for, written to the temporary folder where they need files.

    Args:
        shipped: the file that was made from it already, and the name that both go by.
    """
    loaded = _loaded(spec, wanted)
    name = shipped.name if shipped else spec
    folder = Path(tempfile.mkdtemp(dir=wanted.folder))
    return Subject(
        name=name,
        onnx=shipped.onnx if shipped else _exported(loaded.net, folder, spec, wanted),
        executorch=_program(loaded.net, folder, spec, wanted),
        is_quantized=is_quantized(loaded.net),
        net=loaded.net,
        stored=_stored(loaded.net, folder, wanted),
        input_shape=input_shape(loaded.net),
        preprocess={"mean": loaded.mean, "std": loaded.std},
        remark=_simulated(loaded.net, name) if wanted.in_torch else "",
    )


def _exported(net: fx.GraphModule, folder: Path, spec: str, wanted: Wanted) -> Path | None:
    if not {"onnxruntime", "openvino"} & set(wanted.runtimes):
        return None
    return export_onnx(net, folder / "onnx", name=Path(spec).name, preprocess={}).model_path


def _program(net: fx.GraphModule, folder: Path, spec: str, wanted: Wanted) -> Path | None:
    if not wanted.makes_program:
        return None
    return export_executorch(net, folder / "executorch", name=Path(spec).name, preprocess={}).model_path


def _stored(net: fx.GraphModule, folder: Path, wanted: Wanted) -> Stored | None:
    if not wanted.in_torch:
        return None
    (folder / "torch").mkdir()
    save_model(net, folder / "torch")
    return Stored(folder=folder / "torch", loader=LOADER)


def _loaded(spec: str, wanted: Wanted) -> Loaded:
    return read_model(
        spec, num_classes=wanted.num_classes, channels=wanted.channels, image_size=wanted.image_size,
        weights=wanted.weights, input_shape=wanted.input_shape,
    )  # fmt: skip


def _simulated(net: fx.GraphModule, name: str) -> str:
    """A word about a quantized model in PyTorch: it runs, but it is not what ships."""
    if not is_quantized(net):
        return ""
    return f"{name} in PyTorch is the simulation of its integers in float: its speed there is not that of int8 kernels."
