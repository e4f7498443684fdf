"""Weights of fewer than 8 bits, packed in the file and widened by plain operators when it is loaded.

    bytes (k, G) of a field -> Cast to int32 -> Gather from a table (256, 8 / k) of int8
    several fields: Split before, each Reshape to (n) and BitwiseOr behind
    codes -> Reshape -> DequantizeLinear as before

(Layout: see `model.packed`.) The operators read nothing but stored tensors, so a runtime computes them once, when it
loads the file, and its integer kernels see the int8 weights that they would have read from a wider file. (ONNX Runtime
1.31 folds constants at level 1 and fuses quantized operators at level 2, in this order; stored 4-bit types it leaves in
float. Shifts and masks would unpack faster, but OpenVINO 2026.4 computes BitShift by a division that does not round.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from ..model.packed import FIELDS, GROUP, field_table, pack
from ..model.quantized import StoredWeights


def bits_by_layer(net: nn.Module) -> dict[str, int]:
    """Bits of the weights of each layer of a simulation, by the layer's path."""
    return {path: layer.bits for path, layer in net.named_modules() if isinstance(layer, StoredWeights)}


def pack_weights(model: onnx.ModelProto, bits_of: Mapping[str, int]) -> dict[str, int]:
    """Pack the stored int8 weights of `model` in place.

    Args:
        model: a tidy file; each weight is an initializer `LAYER.weight` that a DequantizeLinear reads.
        bits_of: layer -> bits of its weights; those of 8 stay as they are.

    Returns:
        Layer -> bits of each weight in the file, in the order of `bits_of`.
    """
    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    found = {path: bits for path, bits in bits_of.items() if _is_weight(stored.get(f"{path}.weight"))}
    packed = {f"{path}.weight": bits for path, bits in found.items() if bits in FIELDS}
    if packed:
        writer = _Writer(stored)
        nodes = list(graph.node)
        for name, bits in packed.items():
            first = next(index for index, node in enumerate(nodes) if name in node.input)
            made, wide = writer.unpacking(stored[name], bits)
            for node in nodes:
                node.input[:] = [wide if each == name else each for each in node.input]
            nodes[first:first] = made
        _replace(graph.node, nodes)
        _replace(graph.initializer, sorted(stored.values(), key=lambda tensor: tensor.name))
    return found


def _is_weight(tensor: onnx.TensorProto | None) -> bool:
    return tensor is not None and tensor.data_type == TensorProto.INT8


def _replace(place: object, content: list) -> None:
    del place[:]  # type: ignore[attr-defined]
    place.extend(content)  # type: ignore[attr-defined]


class _Writer:
    """Writes packed tensors and the operators that widen them. `stored` receives what they share."""

    def __init__(self, stored: dict[str, onnx.TensorProto]) -> None:
        self.stored = stored
        self.nodes: list[onnx.NodeProto] = []
        self.number = 0

    def unpacking(self, tensor: onnx.TensorProto, bits: int) -> tuple[list[onnx.NodeProto], str]:
        """The operators that make what `tensor` held, and the name of their result; `tensor` becomes its bytes."""
        codes, self.nodes = numpy_helper.to_array(tensor), []
        packed_BG = pack(torch.from_numpy(codes.copy()), bits=bits).numpy()
        self.stored[tensor.name] = numpy_helper.from_array(packed_BG, tensor.name)
        wide = self._joined(tensor.name, bits)
        if codes.size % GROUP:
            flat = self._call("Reshape", wide, self._sizes(-1))
            wide = self._call("Slice", flat, self._sizes(0), self._sizes(codes.size))
        return self.nodes, self._call("Reshape", wide, self._sizes(*codes.shape))

    def _joined(self, source: str, bits: int) -> str:
        """The codes, from all of their fields."""
        widths = FIELDS[bits]
        if len(widths) == 1:
            return self._field(source, widths[0], 0, bits)
        parts = [f"{self._name()}{letter}" for letter in "abc"[: len(widths)]]
        self.nodes.append(helper.make_node("Split", [source, self._sizes(*widths)], parts, axis=0))
        whole, place = "", 0
        for part, width in zip(parts, widths, strict=True):
            field = self._call("Reshape", self._field(part, width, place, bits), self._sizes(-1))
            whole, place = self._call("BitwiseOr", whole, field) if place else field, place + width
        return whole

    def _field(self, source: str, width: int, place: int, bits: int) -> str:
        """One field of all codes, in its place, from the bytes that they share."""
        sign = "s" if place + width == bits else ""
        table = self._constant(f"t{width}at{place}{sign}", field_table(width, place, bits=bits).numpy())
        return self._call("Gather", table, self._call("Cast", source, to=TensorProto.INT32))

    def _call(self, op: str, *inputs: str, **attributes: Any) -> str:
        output = self._name()
        self.nodes.append(helper.make_node(op, list(inputs), [output], **attributes))
        return output

    def _name(self) -> str:
        self.number += 1
        return f"u{self.number}"

    def _sizes(self, *sizes: int) -> str:
        return self._constant("x".join(map(str, sizes)), np.array(sizes, dtype=np.int64))

    def _constant(self, name: str, values: np.ndarray) -> str:
        name = f"unpack.{name}"
        if name not in self.stored:
            self.stored[name] = numpy_helper.from_array(values, name)
        return name
