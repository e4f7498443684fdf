"""What verification needs to know of each format: who runs the file, and what it computes in integers there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..types import Artifact
from .coded_runner import CodedRunner
from .executorch_runner import ExecuTorchRunner
from .kernels import FloatNode, Kernels, kernels
from .openvino_runner import HEAVY, OpenVinoRunner
from .runner import OnnxRunner
from .timing import Model

INTEGER_TYPES = ("u8", "i8")
BORDER = "Reorder"  # OpenVINO's change of type or layout


@dataclass(frozen=True, kw_only=True)
class Format:
    """A kind of file. `loads` are the suffixes that its runtime takes."""

    runtime: str
    loads: tuple[str, ...]
    run: Callable[..., Model]
    kernels: Callable[[Artifact], Kernels]


def format_of(path: Path) -> Format:
    """By the file's suffix; what is unknown is taken for ONNX, whose runner says what is wrong with it."""
    return FORMATS.get(path.suffix, FORMATS[".onnx"])


def _onnx_kernels(artifact: Artifact) -> Kernels:
    return kernels(artifact.model_path)


def _openvino_kernels(artifact: Artifact) -> Kernels:
    """Of the graph that the plugin runs."""
    found = OpenVinoRunner(artifact.model_path).precisions()
    integer = {kind: count for (kind, type_), count in sorted(found.items()) if type_ in INTEGER_TYPES}
    floats = [
        FloatNode(name=kind, op=kind, heavy=True, reason="the plugin computes it in float")
        for (kind, type_), count in found.items()
        for _ in range(count)
        if kind in HEAVY and type_ not in INTEGER_TYPES
    ]
    borders = sum(count for (kind, _), count in found.items() if kind == BORDER)
    return Kernels(integer=integer, stayed_float=(*floats, *_gates(artifact)), num_borders=borders)


def _gates(artifact: Artifact) -> list[FloatNode]:
    """Those that the export wrote as one operator in float, for the format's kernels want them so."""
    counts: Mapping[str, int] = artifact.manifest.get("float_gates", {})
    return [
        FloatNode(name=name, op=name, heavy=False, reason=f"in float between integers ({count} times)")
        for name, count in counts.items()
    ]


def _executorch_kernels(artifact: Artifact) -> Kernels:
    """As the export recorded it: the program does not tell what its delegates hold."""
    manifest: Mapping[str, Any] = artifact.manifest
    layers = [
        FloatNode(name=path, op="Linear", heavy=False, reason="no quantizer stands behind it")
        for path in manifest.get("float_layers", ())
    ]
    portable = Counter(manifest.get("portable", {}))
    others = [
        FloatNode(name=name, op=name, heavy=False, reason=f"XNNPACK does not take it ({count} times)")
        for name, count in sorted(portable.items())
    ]
    integer = {"XNNPACK": len(manifest.get("tensors", {}))}
    return Kernels(integer=integer, stayed_float=(*layers, *_gates(artifact), *others), num_borders=0)


def _no_kernels(artifact: Artifact) -> Kernels:
    """PyTorch computes the unpacked model operator by operator, all in float."""
    return Kernels(integer={}, stayed_float=(), num_borders=0)


FORMATS = {
    ".onnx": Format(runtime="ONNX Runtime", loads=(".onnx",), run=OnnxRunner, kernels=_onnx_kernels),
    ".xml": Format(runtime="OpenVINO", loads=(".xml", ".onnx"), run=OpenVinoRunner, kernels=_openvino_kernels),
    ".pte": Format(runtime="ExecuTorch", loads=(".pte",), run=ExecuTorchRunner, kernels=_executorch_kernels),
    ".coded": Format(runtime="PyTorch", loads=(".coded",), run=CodedRunner, kernels=_no_kernels),
}
