"""The artifact folder: `model.onnx`, `manifest.json`, and golden vectors when samples are given.

Equal models give equal bytes. Every file's size and hash is in the manifest; `verify` refuses files that differ.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import fx

from ..errors import ExportError, first_line
from ..files import folder_atomic, sha256_file, write_atomic, write_json
from ..model import fingerprint, input_shape, watch
from ..model.fold import fold_batch_norms
from ..model.quantized import QuantizeActivation, is_quantized, quantizers, scheme_of
from ..types import ARTIFACT_FORMAT, EXPECTED_FILE, MANIFEST_FILE, Artifact
from .freeze import freeze
from .frozen import code_form
from .lanes import fill_lanes
from .onnx_file import INPUT, OPSET, to_onnx
from .packing import bits_by_layer, pack_weights
from .sixteen import use_runtime_domain
from .stored import store_weights

MODEL_FILE = "model.onnx"


def export_onnx(
    net: fx.GraphModule,
    folder: Path,
    *,
    name: str,
    preprocess: Mapping[str, Any],
    class_names: Sequence[str] = (),
    samples_BCHW: torch.Tensor | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Artifact:
    """Write a captured model to `folder`, which is replaced as a whole.

    A quantized model keeps its integers (int8 weights, int32 biases, uint8 activations) and its own scales; weights of
    fewer bits are packed. Any other is written in float32, batch normalization folded.

    Args:
        name: what the model is called in the file.
        preprocess: how an image becomes the model's input; JSON-able.
        samples_BCHW: a few model inputs; what the simulation makes of them (every tensor's codes, and the outputs) is
            written as `expected.npz`, for `verify` and for other runtimes.
        facts: more JSON-able facts for the manifest.

    Raises:
        ExportError: the model has no ONNX form, or ONNX Runtime does not load the file.
    """
    quantized = is_quantized(net)
    written, lanes = fill_lanes(net) if quantized else (fold_batch_norms(net)[0], {})
    model = to_onnx(freeze(written), name=name)
    store_weights(model, written)
    use_runtime_domain(model)
    weight_bits = pack_weights(model, bits_by_layer(written))
    data = model.SerializeToString(deterministic=True)
    _check_loads(data, name)
    told = tensors(net, model)
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder_atomic(folder) as temporary:
        write_atomic(temporary / MODEL_FILE, data)
        if samples_BCHW is not None:
            write_atomic(temporary / EXPECTED_FILE, npz(expected(net, samples_BCHW, names=told)))
        manifest = {
            "format": ARTIFACT_FORMAT, "name": name, "model": MODEL_FILE, "quantized": quantized,
            "scheme": scheme_of(net), **interface(model, net), "preprocess": dict(preprocess),
            "class_names": list(class_names),
            "tensors": told, "weight_bits": weight_bits, "lanes": lanes, "weights": fingerprint(net),
            "versions": versions(), **(facts or {}),
            "files": [_file(path) for path in sorted(temporary.iterdir())],
        }  # fmt: skip
        write_json(temporary / MANIFEST_FILE, manifest)
    return Artifact(folder=folder, manifest=manifest)


def expected(
    net: fx.GraphModule, samples_BCHW: torch.Tensor, *, names: Collection[str] | None = None
) -> dict[str, np.ndarray]:
    """Golden vectors: `input`, `output`, and `codes/NAME` of each quantized tensor (uint8, above 8 bits int16).

    Args:
        names: the tensors to tell; None for all.
    """
    layers = {name: layer for name, layer in quantizers(net).items() if names is None or name in names}
    found: dict[str, np.ndarray] = {"input": samples_BCHW.numpy()}

    def see(node: fx.Node, values: torch.Tensor) -> None:
        if node.name in layers:
            dtype, shift = code_form(layers[node.name])
            found[f"codes/{node.name}"] = (layers[node.name].codes(values) + shift).to(dtype).numpy()

    output = watch(net, samples_BCHW, see)
    outputs = output if isinstance(output, (tuple, list)) else [output]
    names = ["output"] if len(outputs) == 1 else [f"output_{index}" for index in range(len(outputs))]
    found.update({key: value.numpy() for key, value in zip(names, outputs, strict=True)})
    return found


def npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The arrays as the content of an `.npz` file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _check_loads(data: bytes, name: str) -> None:
    """ONNX Runtime must take the file with all of its optimizations."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's exceptions have no common base
        runtime = f"ONNX Runtime {onnxruntime.__version__}"
        raise ExportError(f"{runtime} does not load {name} ({first_line(error)}).") from error


def interface(model: onnx.ModelProto, net: fx.GraphModule) -> dict[str, Any]:
    """Opset, input and outputs, as the manifest says them."""
    shape = ["batch", *input_shape(net)]
    outputs = [
        {"name": value.name, "shape": [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]}
        for value in model.graph.output
    ]
    return {"opset": OPSET, "input": {"name": INPUT, "shape": shape, "dtype": "float32"}, "outputs": outputs}


def tensors(net: fx.GraphModule, model: onnx.ModelProto) -> dict[str, Any]:
    """Node of the simulation -> tensor in the file and its grid; codes in the file are unsigned."""
    written = {node.output[0] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    layers = quantizers(net)
    kept = {name: layer for name, layer in layers.items() if name in written}
    for name in set(layers) - set(kept):
        _check_merged(net, name, kept)
    return {
        name: {"tensor": name, "scale": layer.spec.scale[0],
               "zero_point": layer.spec.zero_point[0] + code_form(layer)[1]}
        for name, layer in kept.items()
    }  # fmt: skip


def _check_merged(net: fx.GraphModule, name: str, kept: Mapping[str, QuantizeActivation]) -> None:
    """The exporter computes what does not depend on the image, and joins operators that do the same to one tensor.

    Raises:
        ExportError: it is neither a constant, nor is there a tensor of the same grid that it can have been joined with.
    """
    node = next(each for each in net.graph.nodes if each.name == name)
    is_constant = "placeholder" not in {each.op for each in _ancestors(node)}
    twins = [each for each in kept.values() if each.spec == quantizers(net)[name].spec]
    if not is_constant and not twins:
        raise ExportError(f"The quantized tensor {name} was lost on the way to ONNX: leave that layer in float.")


def _ancestors(node: fx.Node) -> set[fx.Node]:
    found, edge = {node}, [node]
    while edge:
        new = set(edge.pop().all_input_nodes) - found
        found |= new
        edge += new
    return found


def _file(path: Path) -> dict[str, Any]:
    return {"path": path.name, "bytes": path.stat().st_size, "sha256": sha256_file(path)}


def versions() -> dict[str, str]:
    """Of the libraries that write a file."""
    import onnxruntime

    return {"torch": torch.__version__, "onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__}
