"""A captured model as one small file, `model.coded`: zeros skipped, shared values and gaps in Huffman codes.

The file loads back bit for bit (`model.coded.load_coded`), so it stands for the model wherever edgewright takes one. No
runtime reads it: a device unpacks it first. It saves flash and transfer, not RAM or time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import fx

from ..model import fingerprint, input_shape, tensor_specs
from ..model.coded import MODEL_FILE, encode_model
from ..model.quantized import is_quantized, scheme_of
from ..types import EXPECTED_FILE, Artifact
from .artifact import expected as golden
from .artifact import npz
from .folder import write_folder


def export_coded(
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

    The model is written as it is: `Cluster` folds batch norms and shares weights before. `parts_bytes` and `fp32_bytes`
    of the manifest say what the bytes of the file are spent on, and what the weights take uncompressed.
    """
    told = {"name": name, "preprocess": dict(preprocess), "class_names": list(class_names)}
    coded = encode_model(net, facts=told)
    files = {MODEL_FILE: coded.data}
    if samples_BCHW is not None:
        files[EXPECTED_FILE] = npz(golden(net, samples_BCHW))
    manifest = {
        **told, "model": MODEL_FILE, "runtime": "torch", "quantized": is_quantized(net), "scheme": scheme_of(net),
        **_interface(net), "weights": fingerprint(net), "tensors": {}, "lanes": {}, "parts_bytes": coded.parts_bytes,
        "fp32_bytes": coded.fp32_bytes, "versions": {"torch": torch.__version__}, **(facts or {}),
    }  # fmt: skip
    return write_folder(folder, files, manifest)


def _interface(net: fx.GraphModule) -> dict[str, Any]:
    """Input and outputs, as the manifest says them."""
    outputs = next(node for node in net.graph.nodes if node.op == "output").all_input_nodes
    shapes = [["batch", *tensor_specs(net)[node.name].shape[1:]] for node in outputs]
    names = ["output"] if len(shapes) == 1 else [f"output_{index}" for index in range(len(shapes))]
    return {
        "input": {"name": "input", "shape": ["batch", *input_shape(net)], "dtype": "float32"},
        "outputs": [{"name": name, "shape": shape} for name, shape in zip(names, shapes, strict=True)],
    }
