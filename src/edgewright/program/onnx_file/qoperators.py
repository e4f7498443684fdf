"""ONNX Runtime's operators on codes, rewritten as what they mean: quantizers around an operator of the standard.

QLinearConv(x, x_scale, x_zero, w, ...) is DequantizeLinear of each, Conv, QuantizeLinear. Source: the ONNX operator
specification (QLinearConv, QLinearMatMul) and ONNX Runtime's `ContribOperators.md` (the others).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
from onnx import helper

from ...errors import ModelError, UnsupportedError
from .graph import Graph, Node, node_of

Nodes = list[onnx.NodeProto]


class _Rewriting:
    """One operator, taken apart."""

    def __init__(self, graph: Graph, node: Node) -> None:
        self.graph, self.node, self.made = graph, node, Nodes()
        self.base = node.outputs[0]

    def dequantized(self, codes: str, scale: str, zero: str, axis: int | None = None) -> str:
        output = f"{self.base}.{len(self.made)}"
        inputs = [codes, scale, *([zero] if zero else [])]
        self.made.append(helper.make_node("DequantizeLinear", inputs, [output], axis=axis))
        return output

    def finish(self, operator: str, inputs: list[str], grid: tuple[str, str], *drop: str) -> Nodes:
        """The operator itself, named as its like, and its quantizer."""
        values = f"{self.base}_QuantizeLinear_Input"
        plain = helper.make_node(operator, inputs, [values], name=self.node.name)
        plain.attribute.extend(each for each in self.node.proto.attribute if each.name not in drop)
        scale, zero = grid
        ends = helper.make_node("QuantizeLinear", [values, scale, *([zero] if zero else [])], [self.base])
        return [*self.made, plain, ends]

    def input(self, place: int) -> str:
        names = self.node.inputs
        return names[place] if place < len(names) else ""

    def array(self, name: str) -> np.ndarray:
        if name not in self.graph.arrays:
            raise UnsupportedError(
                f"The operator {self.node.operator} at {self.node.name} of {self.graph.path} has a scale that is no "
                "stored constant: fold constants first."
            )
        return self.graph.arrays[name]

    def bias(self, name: str, first: str, second: str) -> str:
        """A bias of codes, whose scale is the product of two."""
        if not name:
            return ""
        scale = f"{self.base}.bias_scale"
        self.graph.arrays[scale] = np.asarray(self.array(first) * self.array(second), dtype=np.float32)
        return self.dequantized(name, scale, "", axis=0)


def _conv(op: _Rewriting) -> Nodes:
    x = op.dequantized(op.input(0), op.input(1), op.input(2))
    weight = op.dequantized(op.input(3), op.input(4), op.input(5), axis=0)
    bias = op.bias(op.input(8), op.input(1), op.input(4))
    return op.finish("Conv", [x, weight, *([bias] if bias else [])], (op.input(6), op.input(7)), "channels_last")


def _matmul(op: _Rewriting) -> Nodes:
    a = op.dequantized(op.input(0), op.input(1), op.input(2))
    b = op.dequantized(op.input(3), op.input(4), op.input(5), axis=1)
    return op.finish("MatMul", [a, b], (op.input(6), op.input(7)))


def _gemm(op: _Rewriting) -> Nodes:
    a = op.dequantized(op.input(0), op.input(1), op.input(2))
    b = op.dequantized(op.input(3), op.input(4), op.input(5), axis=0 if op.node.attributes.get("transB") else 1)
    bias = op.bias(op.input(6), op.input(1), op.input(4))
    if not op.input(7):
        raise UnsupportedError(
            f"The operator QGemm at {op.node.name} of {op.graph.path} gives floats: quantize its output."
        )
    return op.finish("Gemm", [a, b, *([bias] if bias else [])], (op.input(7), op.input(8)))


def _two(operator: str) -> Callable[[_Rewriting], Nodes]:
    def rewrite(op: _Rewriting) -> Nodes:
        a, b = (op.dequantized(op.input(first), op.input(first + 1), op.input(first + 2)) for first in (0, 3))
        return op.finish(operator, [a, b], (op.input(6), op.input(7)))

    return rewrite


def _one(operator: str, *drop: str) -> Callable[[_Rewriting], Nodes]:
    def rewrite(op: _Rewriting) -> Nodes:
        x = op.dequantized(op.input(0), op.input(1), op.input(2))
        return op.finish(operator, [x], (op.input(3), op.input(4)), "channels_last", *drop)

    return rewrite


def _concat(op: _Rewriting) -> Nodes:
    parts = [
        op.dequantized(op.input(first), op.input(first + 1), op.input(first + 2))
        for first in range(2, len(op.node.inputs), 3)
    ]
    return op.finish("Concat", parts, (op.input(0), op.input(1)))


REWRITES: dict[str, Callable[[_Rewriting], Nodes]] = {
    "QLinearConv": _conv, "QLinearMatMul": _matmul, "QGemm": _gemm, "QLinearAdd": _two("Add"),
    "QLinearMul": _two("Mul"), "QLinearConcat": _concat, "QLinearSigmoid": _one("Sigmoid"),
    "QLinearLeakyRelu": _one("LeakyRelu"),
    "QLinearGlobalAveragePool": _one("GlobalAveragePool"), "QLinearAveragePool": _one("AveragePool"),
    "QLinearReduceMean": _one("ReduceMean"), "QLinearSoftmax": _one("Softmax", "opset"),
}  # fmt: skip


def with_quantizers(graph: Graph) -> Graph:
    """The same graph without operators on codes.

    Raises:
        UnsupportedError: one works on maps that lie as rows, columns, channels, or gives floats.
    """
    nodes: list[Node] = []
    for node in graph.nodes:
        rewrite = REWRITES.get(node.operator)
        if rewrite is None:
            nodes.append(node)
            continue
        if node.attributes.get("channels_last", 0):
            raise UnsupportedError(
                f"The operator {node.operator} at {node.name} of {graph.path} has its channels last: give the file as "
                "it was before the runtime optimized it."
            )
        if len(node.outputs) != 1:
            raise ModelError(f"{graph.path} is damaged: {node.operator} {node.name} makes {len(node.outputs)} tensors.")
        nodes += [node_of(each, graph.path) for each in rewrite(_Rewriting(graph, node))]
    return replace(graph, nodes=nodes)
