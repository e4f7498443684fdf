"""What the runtime really does: the graph as it optimized it, read for operators that stayed in float."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import onnx

from .runner import open_session

# Operators that have an integer kernel when their weights are stored. A Fused or Nhwc form has the same meaning.
HEAVY = {"Conv", "Gemm", "MatMul"}
INTEGER = {"QGemm", "MatMulInteger", "MatMulIntegerToFloat", "ConvInteger", "DynamicQuantizeMatMul"}
MOVING = {
    "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "MaxPool", "Slice", "Split", "Gather", "Identity",
    "Shape", "Concat", "Expand", "Pad", "DepthToSpace", "Constant", "Cast", "ReorderInput", "ReorderOutput", "Resize",
}  # fmt: skip
BORDERS = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"}
BYTES = (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)
NEEDS_QUANTIZED_OUTPUT = {"Conv", "FusedConv"}  # products of matrices have a form with a float output
NO_KERNEL = {
    "ConvTranspose": "ONNX Runtime has no integer kernel for it",
    "HardSwish": "ONNX Runtime has no integer kernel for it",
    "HardSigmoid": "ONNX Runtime has no integer kernel for it",
    "ReduceMean": "ONNX Runtime has no integer kernel for it",
    "LayerNormalization": "ONNX Runtime has no integer kernel for it",
    "Gelu": "ONNX Runtime has no integer kernel for it",
    "Resize": "ONNX Runtime interpolates integers by another rounding than its quantizer's",
    "BatchNormalization": "it could not be folded into the layer before it",
}


@dataclass(frozen=True, kw_only=True)
class FloatNode:
    """An operator that computes in float; `name` is its output tensor (for layers: the layer's path).

    `heavy`: it has stored weights, and the runtime has an integer kernel for its kind.
    """

    name: str
    op: str
    heavy: bool
    reason: str


@dataclass(frozen=True, kw_only=True)
class Kernels:
    """What runs: how many operators of each integer kind, the float ones, and the borders between the two."""

    integer: dict[str, int]
    stayed_float: tuple[FloatNode, ...]
    num_borders: int

    @property
    def heavy(self) -> tuple[FloatNode, ...]:
        return tuple(node for node in self.stayed_float if node.heavy)


def kernels(path: Path) -> Kernels:
    """Load `path` with all optimizations and read what became of it."""
    with tempfile.TemporaryDirectory() as folder:
        optimized = Path(folder) / "optimized.onnx"
        open_session(str(path), Path(path), save_to=optimized)
        graph = _Graph(onnx.load(optimized).graph)
    integer = Counter(node.op_type for node in graph.nodes if _is_integer(node.op_type))
    floats = [graph.float_node(node) for node in graph.nodes if _computes_in_float(node)]
    borders = sum(node.op_type in BORDERS for node in graph.nodes)
    return Kernels(integer=dict(sorted(integer.items())), stayed_float=tuple(floats), num_borders=borders)


def _plain(op: str) -> str:
    return op.removeprefix("Fused").removeprefix("Nhwc")


def _is_integer(op: str) -> bool:
    return op.startswith(("QLinear", "NhwcQLinear")) or op in INTEGER


def _computes_in_float(node: onnx.NodeProto) -> bool:
    op = _plain(node.op_type)
    if _is_integer(node.op_type) or op in BORDERS:
        return False
    return op not in MOVING or (op == "Resize" and _mode(node) not in (b"nearest", None))


def _mode(node: onnx.NodeProto) -> bytes | None:
    return next((each.s for each in node.attribute if each.name == "mode"), None)


class _Graph:
    """The optimized graph, with who makes and who reads each tensor."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.nodes = list(graph.node)
        self.made_by = {name: node for node in self.nodes for name in node.output}
        self.types = {tensor.name: tensor.data_type for tensor in graph.initializer}
        self.read_by: dict[str, list[onnx.NodeProto]] = {}
        for node in self.nodes:
            for name in node.input:
                self.read_by.setdefault(name, []).append(node)

    def float_node(self, node: onnx.NodeProto) -> FloatNode:
        op = _plain(node.op_type)
        heavy = op in HEAVY and len(node.input) > 1 and self.is_stored(node.input[1])
        reason = NO_KERNEL.get(op) or self.reason(node, heavy=heavy)
        return FloatNode(name=node.output[0], op=op, heavy=heavy, reason=reason)

    def is_stored(self, name: str) -> bool:
        """Whether a tensor is an initializer, or dequantized from one."""
        maker = self.made_by.get(name)
        if maker is None:
            return name in self.types
        return maker.op_type in BORDERS and self.is_stored(maker.input[0])

    def reason(self, node: onnx.NodeProto, *, heavy: bool) -> str:
        """The first thing in the way of an integer kernel: inputs, their bits, stored weights, the output."""
        computed = [name for name in node.input if name and not self.is_stored(name)]
        in_float = [name for name in computed if not self.is_dequantized(name)]
        if in_float and len(in_float) < len(computed):
            return f"one of its inputs does not arrive as integers: {in_float[0]}"
        if in_float:
            return "its input does not arrive as integers"
        if any(self.code_type(name) not in (*BYTES, None) for name in computed):
            return "its input has 16 bits: integer kernels take 8"
        if not heavy:
            return "it has no integer form here"
        if self.code_type(node.input[1]) not in BYTES:
            return "its weights are not stored as 8-bit integers"
        behind = [reader.op_type for reader in self.read_by.get(node.output[0], [])]
        if node.op_type in NEEDS_QUANTIZED_OUTPUT and "QuantizeLinear" not in behind:
            return f"its output is not quantized: it goes to {behind[0] if behind else 'the output'} in float"
        return "the runtime did not fuse it with the quantization around it"

    def is_dequantized(self, name: str) -> bool:
        maker = self.made_by.get(name)
        return maker is not None and maker.op_type == "DequantizeLinear"

    def code_type(self, name: str) -> int | None:
        """The type of the integers behind a dequantized tensor, known by its zero point or by what is stored."""
        maker = self.made_by.get(name)
        if maker is None or maker.op_type != "DequantizeLinear":
            return None
        known = [self.types[each] for each in (maker.input[0], *maker.input[2:]) if each in self.types]
        return known[0] if known else None
