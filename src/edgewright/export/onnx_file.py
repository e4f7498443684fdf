"""One captured model as one ONNX file: translated by torch.onnx, then made small and repeatable.

What is cut away says nothing to a runtime (traces of the exporter, shapes of intermediate tensors, attributes that
repeat a default). Names stay readable: a quantized tensor is called as its node in the simulation.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from itertools import count

import onnx
import torch
from onnx import numpy_helper
from torch import fx
from torch.export import Dim

from ..errors import ExportError, first_line
from ..model import input_shape
from .dynamic_operators import DYNAMIC_TRANSLATIONS
from .operators import OPSET, TRANSLATIONS

INPUT, OUTPUT = "image", "output"


def to_onnx(frozen: fx.GraphModule, *, name: str) -> onnx.ModelProto:
    """The ONNX form of a frozen model, batch axis dynamic.

    Raises:
        ExportError: an operator of the model has no ONNX form.
    """
    example = torch.zeros((2, *input_shape(frozen)))
    try:
        with _quiet():
            program = torch.onnx.export(
                frozen, (example,), dynamo=True, dynamic_shapes=({0: Dim.DYNAMIC},), opset_version=OPSET,
                custom_translation_table={**TRANSLATIONS, **DYNAMIC_TRANSLATIONS}, input_names=[INPUT], optimize=False,
                verbose=False,
            )  # fmt: skip
            assert program is not None
            _name_codes(program)
            program.optimize()
    except torch.onnx.errors.OnnxExporterError as error:
        raise ExportError(f"{name} cannot be written as ONNX ({first_line(error.__cause__ or error)}).") from error
    return _tidy(program.model_proto, name)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns and logs about itself; what concerns the user is raised."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir", "torch.export")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _name_codes(program: torch.onnx.ONNXProgram) -> None:
    """Call each quantized tensor as its quantizer's node in the simulation: known by the name of its scale."""
    for node in program.model.graph:
        if node.op_type == "QuantizeLinear":
            path = str(node.inputs[1].name).removesuffix(".scale")  # type: ignore[union-attr]
            node.outputs[0].name = f"{path.rpartition('.')[2]}_codes"


def _tidy(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """Remove what no runtime reads, and everything that may differ between two exports of one model."""
    graph = model.graph
    model.producer_name, model.producer_version, model.doc_string, graph.doc_string = "edgewright", "", "", ""
    graph.name = name
    for described in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        del described.metadata_props[:]
    del graph.value_info[:]
    for node in graph.node:
        node.name, node.doc_string = "", ""
        _drop_default_attributes(node)
    for tensor in graph.initializer:
        _inline_values(tensor)
    _rename(graph)
    _name_batch_axis(graph)
    ordered = sorted(graph.initializer, key=lambda tensor: tensor.name)
    del graph.initializer[:]
    graph.initializer.extend(ordered)
    return model


DEFAULTS = {
    "group": 1, "auto_pad": b"NOTSET", "ceil_mode": 0, "storage_order": 0, "count_include_pad": 0, "allowzero": 0,
    "alpha": 1.0, "beta": 1.0, "transA": 0, "noop_with_empty_axes": 0,
}  # fmt: skip
ONES, ZEROS = {"strides", "dilations"}, {"pads", "output_padding"}
WEIGHTED = {"Conv", "ConvTranspose", "Gemm", "MatMul"}
WITHOUT_DEFAULTS = {"Conv", "ConvTranspose", "MaxPool", "AveragePool", "Gemm", "Reshape", "ReduceMean"}


def _drop_default_attributes(node: onnx.NodeProto) -> None:
    kept = [each for each in node.attribute if not _is_default(node, each.name, onnx.helper.get_attribute_value(each))]
    del node.attribute[:]
    node.attribute.extend(kept)


def _is_default(node: onnx.NodeProto, name: str, value: object) -> bool:
    if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
        return name == "axis" and value == 1
    if node.op_type not in WITHOUT_DEFAULTS:
        return False
    if name in ONES:
        return set(value) == {1}  # type: ignore[call-overload]
    if name in ZEROS:
        return set(value) == {0}  # type: ignore[call-overload]
    if name == "kernel_shape":
        return node.op_type in ("Conv", "ConvTranspose")  # known from the weight
    return name in DEFAULTS and DEFAULTS[name] == value


def _inline_values(tensor: onnx.TensorProto) -> None:
    """All values as raw bytes: one layout whatever the exporter chose."""
    name, values = tensor.name, numpy_helper.to_array(tensor)
    tensor.CopyFrom(numpy_helper.from_array(values, name))


def _rename(graph: onnx.GraphProto) -> None:
    """Short names for what nobody looks up: layers are called as in the model, dequantized tensors are numbered."""
    names: dict[str, str] = {graph.input[0].name: INPUT}
    for index, value in enumerate(graph.output):
        names[value.name] = OUTPUT if len(graph.output) == 1 else f"{OUTPUT}_{index}"
    names |= _short_constants(graph)
    taken = {*names.values(), *(name for node in graph.node for name in node.output)}
    taken |= {tensor.name for tensor in graph.initializer}
    paths = _layer_paths(graph)
    for index, node in enumerate(graph.node):
        wish = f"d{index}" if node.op_type == "DequantizeLinear" else paths.get(node.output[0])
        if node.output[0] not in names and wish is not None and wish not in taken:
            names[node.output[0]] = wish
            taken.add(wish)
    _apply_names(graph, names)


def _short_constants(graph: onnx.GraphProto) -> dict[str, str]:
    """Scales become s0, s1, ..., zero points z0, ..., other constants c0, ...; weights and biases keep their names."""
    letters = {name: "c" for name in (tensor.name for tensor in graph.initializer)}
    for node in graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            letters.update(zip(node.input[1:], "sz", strict=False))
    made = {name for node in graph.node for name in node.output}
    free = {letter: _numbered(letter, made) for letter in "szc"}
    return {name: next(free[letter]) for name, letter in letters.items() if not name.endswith((".weight", ".bias"))}


def _numbered(letter: str, taken: set[str]) -> Iterator[str]:
    return (name for name in map(f"{letter}{{}}".format, count()) if name not in taken)


def _layer_paths(graph: onnx.GraphProto) -> dict[str, str]:
    """Output of each node with stored weights -> dotted path of its layer in the user's model."""
    stored = {tensor.name: tensor.name.removesuffix(".weight") for tensor in graph.initializer}
    stored |= {node.output[0]: stored[node.input[0]] for node in graph.node if node.input and node.input[0] in stored}
    return {
        node.output[0]: stored[node.input[1]]
        for node in graph.node
        if node.op_type in WEIGHTED and node.input[1] in stored
    }


def _apply_names(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    for node in graph.node:
        for place in (node.input, node.output):
            place[:] = [names.get(name, name) for name in place]
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = names.get(value.name, value.name)


def _name_batch_axis(graph: onnx.GraphProto) -> None:
    symbol = graph.input[0].type.tensor_type.shape.dim[0].dim_param
    for value in (*graph.input, *graph.output):
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param == symbol:
                size.dim_param = "batch"
