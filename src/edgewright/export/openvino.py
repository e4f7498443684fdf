"""A captured model as OpenVINO's own files: `model.xml`, the graph, and `model.bin`, its numbers.

They are made from the ONNX form, whose integers and scales OpenVINO keeps: int8 weights in the file, and uint8 between
quantizers, which its plugins compute with. A gate behind a layer is one operator without codes before it (see `gates`):
the plugin computes it inside of the layer's kernel.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import fx

from ..errors import ExportError, MissingExtraError, first_line
from ..model.fold import fold_batch_norms
from ..model.quantized import is_quantized
from ..types import EXPECTED_FILE, Artifact
from .artifact import expected as golden
from .artifact import interface, npz, tensors, versions
from .folder import write_folder
from .freeze import freeze
from .gates import float_gates, join_gates, open_layers
from .onnx_file import to_onnx

GRAPH_FILE, NUMBERS_FILE = "model.xml", "model.bin"


def export_openvino(
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

    The manifest's `float_gates` counts the gates, which compute in float between integers, by operator.

    Raises:
        MissingExtraError: OpenVINO is not installed.
        ExportError: the model has no ONNX form, or OpenVINO does not read it.
    """
    openvino = _openvino()
    quantized = is_quantized(net)
    written = open_layers(join_gates(net)) if quantized else fold_batch_norms(net)[0]
    model = to_onnx(freeze(written), name=name)
    files = dict(zip((GRAPH_FILE, NUMBERS_FILE), _converted(openvino, model, name), strict=True))
    if samples_BCHW is not None:
        files[EXPECTED_FILE] = npz(golden(net, samples_BCHW))
    manifest = {
        "name": name, "model": GRAPH_FILE, "parts": [GRAPH_FILE, NUMBERS_FILE], "runtime": "openvino",
        "quantized": quantized, **interface(model, net), "preprocess": dict(preprocess),
        "class_names": list(class_names), "tensors": tensors(written, model), "lanes": {},
        "float_gates": float_gates(written) if quantized else {},
        "versions": {**versions(), "openvino": openvino.__version__.partition("-")[0]}, **(facts or {}),
    }  # fmt: skip
    return write_folder(folder, files, manifest)


def _openvino() -> Any:
    try:
        import openvino
    except ImportError as error:
        raise MissingExtraError("openvino", "openvino") from error
    return openvino


def _converted(openvino: Any, model: onnx.ModelProto, name: str) -> tuple[bytes, bytes]:
    """Contents of the two files."""
    with tempfile.TemporaryDirectory() as folder:
        graph = Path(folder) / GRAPH_FILE
        try:
            found = openvino.Core().read_model(model.SerializeToString(deterministic=True), b"")
            _number(found)
            openvino.save_model(found, graph, compress_to_fp16=False)
            openvino.Core().compile_model(openvino.Core().read_model(graph), "CPU")
        except RuntimeError as error:
            raise ExportError(f"OpenVINO does not take {name} ({first_line(error)}).") from error
        return graph.read_bytes(), graph.with_suffix(".bin").read_bytes()


def _number(model: Any) -> None:
    """Name by its place what the library names by a counter of the process: equal models give equal files."""
    for index, node in enumerate(model.get_ordered_ops()):
        kind = node.get_type_name()
        if re.fullmatch(rf"{kind}_\d+", node.get_friendly_name()):
            node.set_friendly_name(f"{kind}_n{index}")
