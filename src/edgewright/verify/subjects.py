"""What is measured: a model in each form that it has, and the runtime that runs each form.

This room makes no forms: whoever asks brings the ONNX file, the module, and the folder that a fresh process loads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ConfigError, UnsupportedError
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
        """Ready to be called; PyTorch uses the threads that are set, ONNX Runtime those given here.

        Raises:
            UnsupportedError: this machine cannot run this form.
        """
        return OPEN[self.runtime](self.subject, images_BCHW, threads)

    @property
    def num_bytes(self) -> int | None:
        """Of the ONNX file; None for the forms that do not ship as one."""
        return self.subject.onnx.stat().st_size if self.runtime == "onnxruntime" and self.subject.onnx else None


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
            if has_form(subject, runtime):
                found.append(Contender(subject=subject, runtime=runtime))
            else:
                reason = subject.lacks.get(runtime, "it has no form for this runtime")
                skipped.append(Skipped(model=subject.name, runtime=runtime, reason=reason))
    if not found:
        raise ConfigError(f"Nothing can be measured: {skipped[0].model} does not run in {skipped[0].runtime}: "
                          f"{skipped[0].reason}.")  # fmt: skip
    return tuple(found), tuple(skipped)


def has_form(subject: Subject, runtime: str) -> bool:
    """Whether the subject brings what `runtime` runs."""
    return (subject.onnx if runtime == "onnxruntime" else subject.net) is not None


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
    if subject.onnx is None:
        return tuple(subject.input_shape or ())
    batch, *shape = OnnxRunner(subject.onnx).input_shape
    if not all(isinstance(size, int) for size in shape):
        raise ConfigError(f"{subject.name} takes inputs of no fixed size ({shape}): export it for one size.")
    if isinstance(batch, int) and any(asked != batch for asked in batches):
        raise ConfigError(f"{subject.name} takes batches of {batch} alone, got {max(batches)}: write --batch {batch}.")
    return tuple(shape)


def _open_onnx(subject: Subject, images_BCHW: Any, threads: int) -> Model:
    if subject.onnx is None:
        raise UnsupportedError(f"{subject.name} has no ONNX file.")
    return OnnxRunner(subject.onnx, threads=threads)


def _open_eager(subject: Subject, images_BCHW: Any, threads: int) -> Model:
    from .torch_runner import TorchRunner

    return TorchRunner(subject.net)


def _open_compiled(subject: Subject, images_BCHW: Any, threads: int) -> Model:
    from .torch_runner import compiled_runner

    return compiled_runner(subject.net, images_BCHW)


OPEN: Mapping[str, Callable[[Subject, Any, int], Model]] = {
    "onnxruntime": _open_onnx, "eager": _open_eager, "compiled": _open_compiled,
}  # fmt: skip
RUNTIMES = tuple(OPEN)
IN_TORCH = frozenset(RUNTIMES) - {"onnxruntime"}
