"""Weights as they are stored, int8 codes or 16-bit floats, and the operators that turn them into float32 on loading.

    codes (O, G, S) int8 -> Cast -> [Sub zero points] -> Mul scales, (O, G, 1) -> [Slice] -> Reshape -> [Transpose]
    fp16 or bf16         -> Cast

They read nothing but stored tensors, so a runtime computes them once, when it loads the file, and runs as fast as a
float file. A DequantizeLinear in their place is computed on every call (ONNX Runtime 1.31; a 3x3 convolution of 64
channels on 28x28 then takes 711 us instead of 520). Codes of fewer than 8 bits are packed afterwards (`packing`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from ..model.floats import DTYPES, FloatWeights
from ..model.weight_only import GroupedWeights

ONNX_TYPES = {torch.float16: TensorProto.FLOAT16, torch.bfloat16: TensorProto.BFLOAT16}
Step = tuple[str, list[str], dict[str, Any]]


def store_weights(model: onnx.ModelProto, net: nn.Module) -> None:
    """Replace in place the float32 weights of a tidy file whose layers in `net` store something shorter."""
    graph = model.graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for path, layer in net.named_modules():
        if isinstance(layer, GroupedWeights) and f"{path}.weight" in tensors:
            _store_codes(graph, tensors, f"{path}.weight", layer)
        elif isinstance(layer, FloatWeights):
            for name in (f"{path}.weight", f"{path}.bias"):
                if name in tensors:
                    _store_floats(graph, tensors, name, DTYPES[layer.format])
    ordered = sorted(tensors.values(), key=lambda tensor: tensor.name)
    del graph.initializer[:]
    graph.initializer.extend(ordered)


def _store_floats(graph: onnx.GraphProto, tensors: dict[str, onnx.TensorProto], name: str, dtype: torch.dtype) -> None:
    values = torch.from_numpy(numpy_helper.to_array(tensors[name]).copy()).to(dtype)
    pattern = values.view(torch.int16).numpy().astype("<i2")  # NumPy has no bfloat16
    tensors[name] = helper.make_tensor(name, ONNX_TYPES[dtype], values.shape, pattern.tobytes(), raw=True)
    _insert(graph, name, [("Cast", [], {"to": TensorProto.FLOAT})])


def _store_codes(
    graph: onnx.GraphProto, tensors: dict[str, onnx.TensorProto], name: str, layer: GroupedWeights
) -> None:
    shift = 0 if layer.signed else 1 << (layer.bits - 1)  # unsigned codes are stored as the signed ones below them
    codes_OGS = (layer.group_codes() - shift).to(torch.int8).numpy()
    scales, zeros = layer.weight_scale.detach().numpy(), layer.weight_zero_point.numpy() - shift
    if layer.num_grids == 1:
        scales, zeros = scales.reshape(-1)[0], zeros.reshape(-1)[0]
    else:
        scales, zeros = scales[..., None], zeros[..., None]

    def constant(kind: str, values: np.ndarray) -> str:
        tensors[f"{name}.{kind}"] = numpy_helper.from_array(np.asarray(values), f"{name}.{kind}")
        return f"{name}.{kind}"

    before: list[onnx.NodeProto] = []
    steps: list[Step] = [("Cast", [], {"to": TensorProto.FLOAT})]
    if np.any(zeros):  # a zero point is a code: it takes as many bits in the file as a byte has
        wide = f"{name}.zero_points.values"
        zero = constant("zero_points", zeros.astype(np.int8))
        before.append(helper.make_node("Cast", [zero], [wide], to=TensorProto.FLOAT))
        steps.append(("Sub", [wide], {}))
    steps += [("Mul", [constant("scales", scales)], {}), *_layout(graph, name, codes_OGS.shape, layer, constant)]
    tensors[name] = numpy_helper.from_array(codes_OGS, name)
    _insert(graph, name, steps, before)


Constant = Callable[[str, np.ndarray], str]


def _layout(
    graph: onnx.GraphProto, name: str, stored: tuple[int, ...], layer: GroupedWeights, constant: Constant
) -> list[Step]:
    """The steps from groups to the layout that the weight's reader wants."""
    swapped = tuple(layer.weight.transpose(0, layer.weight_axis).shape)
    row, padded = math.prod(swapped[1:]), stored[1] * stored[2]
    steps: list[Step] = []
    if padded != row:
        steps.append(("Reshape", [constant("rows", np.array([swapped[0], padded]))], {}))
        ends = [constant(kind, np.array([at])) for kind, at in (("begin", 0), ("end", row), ("axis", 1))]
        steps.append(("Slice", ends, {}))
    steps.append(("Reshape", [constant("shape", np.array(swapped))], {}))
    by_tokens = any(node.op_type == "MatMul" and name in node.input for node in graph.node)
    if layer.weight_axis == 1 or by_tokens:
        steps.append(("Transpose", [], {"perm": [1, 0, *range(2, len(swapped))]}))
    return steps


def _insert(graph: onnx.GraphProto, name: str, steps: list[Step], before: Sequence[onnx.NodeProto] = ()) -> None:
    """Let the readers of `name` read what `steps` make of it, after the nodes of `before`."""
    last, source = f"{name}.values", name
    for node in graph.node:
        node.input[:] = [last if each == name else each for each in node.input]
    made = list(before)
    for index, (op, more, attributes) in enumerate(steps):
        target = last if index == len(steps) - 1 else f"{name}.step{index}"
        made.append(helper.make_node(op, [source, *more], [target], **attributes))
        source = target
    for node in reversed(made):
        graph.node.insert(0, node)
