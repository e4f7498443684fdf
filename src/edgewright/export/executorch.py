"""A captured model as an ExecuTorch program (`model.pte`), its operators given to XNNPACK.

A quantized model is written in PyTorch's quantized dialect with its own integers and scales (see `dialect`), which
XNNPACK turns into operators on int8. The batch is fixed at 1, as on the devices that run such programs.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import fx

from ..errors import ExportError, MissingExtraError, first_line
from ..model import fingerprint, input_shape
from ..model.fold import fold_batch_norms
from ..model.quantized import is_quantized, quantizers
from ..types import EXPECTED_FILE, Artifact
from .artifact import expected as golden
from .artifact import npz, versions
from .dialect import float_layers, in_dialect
from .folder import write_folder
from .gates import clip_hard_sigmoids, float_gates, join_gates

PROGRAM_FILE = "model.pte"
DELEGATED = "executorch_call_delegate"
BOOKKEEPING = ("getitem", DELEGATED)


def export_executorch(
    net: fx.GraphModule,
    folder: Path,
    *,
    name: str,
    preprocess: Mapping[str, Any],
    class_names: Sequence[str] = (),
    samples_BCHW: torch.Tensor | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Artifact:
    """Write a captured model to `folder`, which is replaced as a whole; the arguments are those of `export_onnx`.

    The manifest's `float_layers` are those that XNNPACK has no integer form for (no quantizer stands behind them),
    `float_gates` counts the gates by operator (see `gates`: XNNPACK has them in float alone), `portable` the operators
    outside of XNNPACK, which run in slower kernels, and how often each occurs.

    Raises:
        MissingExtraError: ExecuTorch is not installed.
        UnsupportedError: a tensor or layer is quantized in a way that the dialect's backends do not know.
        ExportError: ExecuTorch cannot write the model.
    """
    _check_installed()
    quantized = is_quantized(net)
    plain = join_gates(net) if quantized else fold_batch_norms(net)[0]
    written = clip_hard_sigmoids(plain)
    program, portable, shapes = _lowered(in_dialect(written) if quantized else written, input_shape(net), name)
    files = {PROGRAM_FILE: program}
    if samples_BCHW is not None:
        files[EXPECTED_FILE] = npz(golden(net, samples_BCHW))
    manifest = {
        "name": name, "model": PROGRAM_FILE, "parts": [PROGRAM_FILE], "runtime": "executorch", "quantized": quantized,
        "input": {"name": "image", "shape": [1, *input_shape(net)], "dtype": "float32"},
        "outputs": _outputs(shapes), "preprocess": dict(preprocess), "class_names": list(class_names),
        "tensors": _grids(plain), "lanes": {}, "weights": fingerprint(net),
        "float_layers": list(float_layers(plain)) if quantized else [],
        "float_gates": float_gates(plain) if quantized else {}, "portable": portable,
        "versions": {**versions(), **_version()}, **(facts or {}),
    }  # fmt: skip
    return write_folder(folder, files, manifest)


def _check_installed() -> None:
    try:
        with _quiet():
            import executorch.exir  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("executorch", "executorch") from error


def _lowered(
    net: fx.GraphModule, shape: tuple[int, ...], name: str
) -> tuple[bytes, dict[str, int], list[tuple[int, ...]]]:
    """The program, the operators that XNNPACK did not take, and the shapes of the outputs."""
    example = torch.zeros((1, *shape))
    try:
        with _quiet():
            from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
            from executorch.exir import to_edge_transform_and_lower

            exported = torch.export.export(net, (example,))
            edge = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
            program = edge.to_executorch().buffer
    except Exception as error:  # the library's exceptions have no common base
        raise ExportError(f"ExecuTorch cannot write {name} ({first_line(error, typed=True)}).") from error
    names = [_operator(node) for node in edge.exported_program().graph.nodes if node.op == "call_function"]
    portable = Counter(each for each in names if each not in BOOKKEEPING)
    with torch.no_grad():
        outputs = net(example)
    found = outputs if isinstance(outputs, (tuple, list)) else [outputs]
    return program, dict(sorted(portable.items())), [tuple(each.shape) for each in found]


def _operator(node: fx.Node) -> str:
    """`slice_copy.Tensor` and so on."""
    named = getattr(node.target, "name", None)
    text = named() if callable(named) else getattr(node.target, "__name__", str(node.target))
    return str(text).rpartition("::")[2]


def _outputs(shapes: Sequence[tuple[int, ...]]) -> list[dict[str, Any]]:
    names = ["output"] if len(shapes) == 1 else [f"output_{index}" for index in range(len(shapes))]
    return [{"name": name, "shape": list(shape)} for name, shape in zip(names, shapes, strict=True)]


def _grids(net: fx.GraphModule) -> dict[str, Any]:
    """Node of the simulation -> its grid; the codes are int8, as in the simulation."""
    return {
        name: {"scale": layer.spec.scale[0], "zero_point": layer.spec.zero_point[0]}
        for name, layer in quantizers(net).items()
    }


def _version() -> dict[str, str]:
    from importlib.metadata import version

    return {"executorch": version("executorch")}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The libraries warn and log about themselves; what concerns the user is raised."""
    before = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(before)
