"""Weights of fewer than 8 bits, packed in the file and widened by plain operators when it is loaded.

    planes (G, 1, b) uint8 -> BitShift by 0..7 -> BitwiseAnd 1 -> MatMulInteger with the places' values (b, 1)
                           -> Cast to int8 -> [drop the end of the last group] -> Reshape -> DequantizeLinear as before

The operators read nothing but stored tensors, so a runtime computes them once, when it loads the file, and its integer
kernels see the int8 weights that they would have read from a wider file. (ONNX Runtime 1.31 folds constants at level 1
and fuses quantized operators at level 2, in this order; stored 4-bit types it leaves in float.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from ..model.packed import GROUP, PACKED_BITS, pack, place_values
from ..model.quantized import StoredWeights

Step = tuple[str, list[str], dict[str, Any]]  # an operator, its inputs beside the tensor, its attributes
SHIFTS, ONE = "unpack.shifts", "unpack.one"


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
    packed = {f"{path}.weight": bits for path, bits in found.items() if bits in PACKED_BITS}
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
        self.number = 0

    def unpacking(self, tensor: onnx.TensorProto, bits: int) -> tuple[list[onnx.NodeProto], str]:
        """The operators that make what `tensor` held, and the name of their result; `tensor` becomes its planes."""
        codes = numpy_helper.to_array(tensor)
        planes_GB = pack(torch.from_numpy(codes.copy()), bits=bits).numpy()
        self.stored[tensor.name] = numpy_helper.from_array(planes_GB[:, None, :], tensor.name)
        shifts = self._constant(SHIFTS, np.arange(GROUP, dtype=np.uint8)[:, None])
        one = self._constant(ONE, np.array(1, dtype=np.uint8))
        values = self._constant(f"unpack.values{bits}", place_values(bits).numpy()[:, None])
        steps: list[Step] = [("BitShift", [shifts], {"direction": "RIGHT"}), ("BitwiseAnd", [one], {}),
                 ("MatMulInteger", [values], {}), ("Cast", [], {"to": TensorProto.INT8})]  # fmt: skip
        if codes.size % GROUP:
            steps += [("Reshape", [self._sizes(-1)], {}), ("Slice", [self._sizes(0), self._sizes(codes.size)], {})]
        steps += [("Reshape", [self._sizes(*codes.shape)], {})]
        return list(self._chain(tensor.name, steps)), self._name()

    def _chain(self, source: str, steps: list[Step]) -> Iterator[onnx.NodeProto]:
        for op, more, attributes in steps:
            self.number += 1
            yield helper.make_node(op, [source, *more], [self._name()], **attributes)
            source = self._name()

    def _name(self) -> str:
        return f"u{self.number}"

    def _sizes(self, *sizes: int) -> str:
        return self._constant(f"unpack.{'x'.join(map(str, sizes))}", np.array(sizes, dtype=np.int64))

    def _constant(self, name: str, values: np.ndarray) -> str:
        if name not in self.stored:
            self.stored[name] = numpy_helper.from_array(values, name)
        return name
