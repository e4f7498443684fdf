"""An integer ONNX file cut to the channels that a program without dead ones still has."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper

from ..program import Operation, Program
from ..program.counts import WEIGHTS
from ..program.onnx_file.call import Reading
from ..program.onnx_file.graph import Node
from ..program.onnx_file.values import Coded, Known, Pending, Value
from ..program.sums import sum_scale


class Cutter:
    """Changes a copy of the file: weights, biases, groups, sizes that features are flattened to.

    Attributes:
        slim: `program` without dead channels; tensors have the same names in both.
        kept: tensor -> its channels that are left.
    """

    def __init__(self, reading: Reading, program: Program, slim: Program, kept: Mapping[str, tuple[int, ...]]) -> None:
        self.reading, self.program, self.slim, self.kept = reading, program, slim, kept
        self.model = onnx.ModelProto()
        self.model.CopyFrom(reading.graph.proto)
        self.nodes = {node.output[0]: node for node in self.model.graph.node}
        self.taken = {name for node in self.model.graph.node for name in (*node.input, *node.output)}
        self.new_nodes: list[onnx.NodeProto] = []
        self.left = {operation.output: operation for operation in slim.operations}

    def cut(self) -> onnx.ModelProto:
        """The file without what has gone."""
        for operation in self.program.operations:
            node, after = self.reading.origins[operation.output], self.left.get(operation.output)
            if after is None:
                continue
            if operation.kind in WEIGHTS and _differs(operation, after):
                self._layer(node, operation, after)
            elif operation.kind == "concat":
                self._concat(node)
            elif node.operator == "Reshape":
                self._flatten(node, after)
        self._finish()
        return self.model

    # -- nodes --------------------------------------------------------------------------------------------------------
    def _layer(self, node: Node, before: Operation, after: Operation) -> None:
        proto = self.nodes[node.outputs[0]]
        codes = after.arrays[WEIGHTS[after.kind]]
        turned = node.operator == "MatMul" or (node.operator == "Gemm" and not node.attributes.get("transB", 0))
        proto.input[1] = self._weight(f"{after.output}_weight", node, codes.T if turned else codes, after)
        self._bias(proto, node, before, after)
        for attribute in proto.attribute:
            if attribute.name == "group":
                attribute.i = after.settings["groups"]

    def _weight(self, name: str, node: Node, codes: np.ndarray, after: Operation) -> str:
        """Weights as the file had them: their type, their zero point, one scale or one per output."""
        maker = self.nodes.get(node.inputs[1])
        old = self._known(maker.input[0]).values if maker is not None and maker.op_type == "DequantizeLinear" else None
        zero = 128 if old is not None and old.dtype == np.uint8 else 0
        dtype = np.uint8 if zero else np.int8
        scale = after.arrays["weight_scale_O"].astype(np.float32)
        axis = 0 if codes is after.arrays[WEIGHTS[after.kind]] else 1
        inputs = [self._store(name, (codes.astype(np.int64) + zero).astype(dtype))]
        if (scale == scale[0]).all():
            inputs += [self._store(f"{name}_scale", scale[0]), self._store(f"{name}_zero", np.asarray(zero, dtype))]
            return self._dequantize(name, inputs, None)
        inputs += [self._store(f"{name}_scale", scale), self._store(f"{name}_zero", np.full(len(scale), zero, dtype))]
        return self._dequantize(name, inputs, axis)

    def _bias(self, proto: onnx.NodeProto, node: Node, before: Operation, after: Operation) -> None:
        """The bias with what the channels that go have added: integers where the file had integers, or none."""
        name, bias_O = f"{after.output}_bias", after.arrays["bias_O"]
        grid = self.program.tensors[before.inputs[0]].grid
        assert grid is not None, "a layer reads codes"
        unit_O = sum_scale(grid, after.arrays["weight_scale_O"])
        old = self._known(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] else None
        if old is not None and old.stored is None:  # a float bias stays one
            stay = list(self.kept[after.output])
            added_O = bias_O.astype(np.int64) - before.arrays["bias_O"][stay]
            values = np.broadcast_to(old.values.ravel(), before.arrays["bias_O"].shape)[stay]
            made = self._store(name, (values + added_O * unit_O).astype(np.float32))
        elif old is None and not bias_O.any():
            return
        else:
            scale = self._store(f"{name}_scale", unit_O.astype(np.float32))
            made = self._dequantize(name, [self._store(name, bias_O), scale], 0)
        if len(proto.input) > 2:
            proto.input[2] = made
        else:
            proto.input.append(made)

    def _concat(self, node: Node) -> None:
        """Parts that have gone altogether are read no more."""
        proto = self.nodes[node.outputs[0]]
        stay = [name for name in node.inputs if self._tensor(self.reading.values[name]) in self.slim.tensors]
        if len(stay) < len(node.inputs):
            proto.input[:] = stay

    def _flatten(self, node: Node, after: Operation) -> None:
        """Features are fewer; the first axis stays as it comes."""
        proto, (size,) = self.nodes[node.outputs[0]], self.slim.tensors[after.output].shape
        if self.program.tensors[after.output].shape != (size,):
            proto.input[1] = self._store(f"{after.output}_shape", np.array([0, size], np.int64))
            kept = [each for each in proto.attribute if each.name != "allowzero"]
            del proto.attribute[:]
            proto.attribute.extend(kept)

    # -- what is stored -----------------------------------------------------------------------------------------------
    def _known(self, name: str) -> Known:
        value = self.reading.values[name]
        assert isinstance(value, Known), f"{name} is a constant"
        return value

    def _tensor(self, value: Value) -> str | None:
        if isinstance(value, Coded):
            return value.tensor.name
        assert isinstance(value, Pending), "parts are codes"
        return self.reading.made[id(value), value.natural][1].name

    def _store(self, name: str, array: np.ndarray) -> str:
        name = self._free(name)
        self.model.graph.initializer.append(
            numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
        )
        return name

    def _dequantize(self, name: str, inputs: list[str], axis: int | None) -> str:
        output = self._free(f"{name}_values")
        self.new_nodes.append(helper.make_node("DequantizeLinear", inputs, [output], axis=axis))
        return output

    def _free(self, name: str) -> str:
        free, number = f"live_{name}", 2
        while free in self.taken:
            free, number = f"live_{name}_{number}", number + 1
        self.taken.add(free)
        return free

    def _finish(self) -> None:
        """New constants first; what nobody reads and shapes that have changed are left out."""
        graph = self.model.graph
        wanted = {value.name for value in graph.output}
        kept: list[onnx.NodeProto] = []
        for node in reversed([*self.new_nodes, *graph.node]):
            if any(name in wanted for name in node.output):
                copy = onnx.NodeProto()
                copy.CopyFrom(node)
                kept.insert(0, copy)
                wanted.update(node.input)
        stored = [each for each in graph.initializer if each.name in wanted]
        stored = [onnx.TensorProto.FromString(each.SerializeToString()) for each in stored]
        del graph.node[:], graph.initializer[:], graph.value_info[:]
        graph.node.extend(kept)
        graph.initializer.extend(stored)


def _differs(before: Operation, after: Operation) -> bool:
    """Whether a layer has other weights or biases."""
    pairs: Mapping[str, np.ndarray] = before.arrays
    return any(not np.array_equal(array, after.arrays[name]) for name, array in pairs.items())
