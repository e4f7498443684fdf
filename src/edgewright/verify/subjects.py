"""What is measured: a model in each form that it has, and the runtime that runs each form.

This room makes no forms: whoever asks brings the files, the module, and the folder that a fresh process loads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..devices.machine import package_version
from ..errors import ConfigError, MissingExtraError, UnsupportedError
from .executorch_runner import ExecuTorchRunner
from .openvino_runner import OpenVinoRunner
from .runner import OnnxRunner
from .timing import Model


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A module on disk, and "module:function" that loads its folder: a fresh process imports nothing but that."""

    folder: Path
    loader: str


@dataclass(frozen=True, kw_only=True, eq=False)  # each is itself: a key of tables
class Subject:
    """One model. A form that it does not have says why in `lacks`, by runtime."""

    name: str
    onnx: Path | None = None
    openvino: Path | None = None  # an .xml file; without one OpenVINO runs the ONNX file
    executorch: Path | None = None  # a .pte file
    is_quantized: bool = False  # the file
    net: Any = None  # nn.Module in eval mode
    stored: Stored | None = None
    input_shape: tuple[int, ...] | None = None  # (C, H, W), of `net`
    preprocess: Mapping[str, Any] | None = None  # `mean` and `std` it was trained with
    lacks: Mapping[str, str] = field(default_factory=dict)
    remark: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Contender:
    """A subject in one runtime."""

    subject: Subject
    runtime: str

    @property
    def label(self) -> str:
        return f"{self.subject.name} ({self.runtime})"

    def open(self, images_BCHW: Any, *, threads: int) -> Model:
        """Ready to be called; PyTorch uses the threads that are set, the others those given here.

        Raises:
            MissingExtraError: the runtime is not installed.
            UnsupportedError: this machine cannot run this form.
        """
        return OPEN[self.runtime](self.subject, images_BCHW, threads)

    @property
    def path(self) -> Path | None:
        """The file that the runtime loads; None for the forms that are no file."""
        return FILES[self.runtime](self.subject) if self.runtime in FILES else None

    @property
    def num_bytes(self) -> int | None:
        """Of the file, with the numbers that lie beside an `.xml`; None for the forms that do not ship as one."""
        return file_bytes(self.path) if self.path is not None else None


def file_bytes(path: Path) -> int:
    """Bytes of a model file, with the numbers that lie beside an `.xml`."""
    numbers = path.with_suffix(".bin")
    return path.stat().st_size + (numbers.stat().st_size if path.suffix == ".xml" and numbers.is_file() else 0)


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """What was asked for and not measured, and why."""

    model: str
    runtime: str
    reason: str


def contenders(
    subjects: Sequence[Subject], runtimes: Sequence[str]
) -> tuple[tuple[Contender, ...], tuple[Skipped, ...]]:
    """Every subject in every runtime that it has a form for, and what is left out.

    Raises:
        ConfigError: nothing is given, a name stands twice, or nothing is left.
    """
    if not subjects or not runtimes:
        raise ConfigError("There is nothing to measure: give models, artifact folders or .onnx files.")
    names = [subject.name for subject in subjects]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"{twice} is given twice: name each model once.")
    found, skipped = [], []
    for subject in subjects:
        for runtime in runtimes:
            if runs_in(subject, runtime):
                found.append(Contender(subject=subject, runtime=runtime))
            else:
                reason = subject.lacks.get(runtime, "it has no form for this runtime")
                skipped.append(Skipped(model=subject.name, runtime=runtime, reason=reason))
    if not found:
        raise ConfigError(f"Nothing can be measured: {skipped[0].model} does not run in {skipped[0].runtime}: "
                          f"{skipped[0].reason}.")  # fmt: skip
    return tuple(found), tuple(skipped)


def runs_in(subject: Subject, runtime: str) -> bool:
    """Whether the subject brings what `runtime` runs."""
    return (FILES[runtime](subject) if runtime in FILES else subject.net) is not None


def shared_shape(subjects: Sequence[Subject], batches: Sequence[int]) -> tuple[int, ...]:
    """(C, H, W) that all of them take.

    Raises:
        ConfigError: they take different inputs, sizes that are not fixed, or another batch than asked for.
        DataError, UnsupportedError: a file is missing, damaged, or cannot be run.
    """
    shapes = {subject.name: _input_shape(subject, batches) for subject in subjects}
    first = next(iter(shapes))
    for name, shape in shapes.items():
        if shape != shapes[first]:
            raise ConfigError(f"{name} takes {list(shape)}, {first} takes {list(shapes[first])}: measure them apart.")
    return shapes[first]


def _input_shape(subject: Subject, batches: Sequence[int]) -> tuple[int, ...]:
    runtime = next((name for name, file_of in FILES.items() if file_of(subject) is not None), None)
    if runtime is None or (subject.onnx is None and subject.net is not None):
        return tuple(subject.input_shape or ())
    batch, *shape = OPEN[runtime](subject, None, 1).input_shape  # type: ignore[attr-defined]
    if not all(isinstance(size, int) for size in shape):
        raise ConfigError(f"{subject.name} takes inputs of no fixed size ({shape}): export it for one size.")
    if isinstance(batch, int) and any(asked != batch for asked in batches):
        raise ConfigError(f"{subject.name} takes batches of {batch} alone, got {max(batches)}: write --batch {batch}.")
    return tuple(shape)


def _open_onnx(subject: Subject, images_BCHW: Any, threads: int) -> Model:
    if subject.onnx is None:
        raise UnsupportedError(f"{subject.name} has no ONNX file.")
    return OnnxRunner(subject.onnx, threads=threads)


def _open_openvino(subject: Subject, images_BCHW: Any, threads: int) -> Model:
    path = subject.openvino or subject.onnx
    if path is None:
        raise UnsupportedError(f"{subject.name} has no OpenVINO or ONNX file.")
    return OpenVinoRunner(path, threads=threads)


def _open_executorch(subject: Subject, images_BCHW: Any, threads: int) -> Model:
    if subject.executorch is None:
        raise UnsupportedError(f"{subject.name} has no ExecuTorch program.")
    return ExecuTorchRunner(subject.executorch, threads=threads)


def _open_eager(subject: Subject, images_BCHW: Any, threads: int) -> Model:
    from .torch_runner import TorchRunner

    return TorchRunner(subject.net)


def _open_compiled(subject: Subject, images_BCHW: Any, threads: int) -> Model:
    from .torch_runner import compiled_runner

    return compiled_runner(subject.net, images_BCHW)


OPEN: Mapping[str, Callable[[Subject, Any, int], Model]] = {
    "onnxruntime": _open_onnx, "openvino": _open_openvino, "executorch": _open_executorch, "eager": _open_eager,
    "compiled": _open_compiled,
}  # fmt: skip
FILES: Mapping[str, Callable[[Subject], Path | None]] = {  # what each runtime of files loads
    "onnxruntime": lambda subject: subject.onnx,
    "openvino": lambda subject: subject.openvino or subject.onnx,
    "executorch": lambda subject: subject.executorch,
}
EXTRAS = ("openvino", "executorch")  # runtimes that are optional packages of the same name
RUNTIMES = tuple(OPEN)
IN_TORCH = frozenset(RUNTIMES) - frozenset(FILES)


def installed_runtimes() -> tuple[str, ...]:
    """The runtimes that this machine has."""
    return tuple(name for name in RUNTIMES if name not in EXTRAS or package_version(name) is not None)


def check_installed(runtimes: Sequence[str]) -> None:
    """Refuse runtimes that are not installed.

    Raises:
        MissingExtraError: one of them is missing; the message names the extra.
    """
    for name in runtimes:
        if name in EXTRAS and package_version(name) is None:
            raise MissingExtraError(name, name)
