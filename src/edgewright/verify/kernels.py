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
BORDERS = {"QuantizeLinear", "DequantizeLinear"}
NO_KERNEL = {
    "ConvTranspose": "ONNX Runtime has no integer kernel for it",
    "HardSwish": "ONNX Runtime has no integer kernel for it",
    "HardSigmoid": "ONNX Runtime has no integer kernel for it",
    "ReduceMean": "ONNX Runtime has no integer kernel for it",
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
        graph = onnx.load(optimized).graph
    made_by = {name: node for node in graph.node for name in node.output}
    integer = Counter(node.op_type for node in graph.node if _is_integer(node.op_type))
    stored = {tensor.name for tensor in graph.initializer}
    stored |= {node.output[0] for node in graph.node if node.op_type in BORDERS and node.input[0] in stored}
    floats = [_float_node(node, made_by, stored) for node in graph.node if _computes_in_float(node.op_type)]
    borders = sum(node.op_type in BORDERS for node in graph.node)
    return Kernels(integer=dict(sorted(integer.items())), stayed_float=tuple(floats), num_borders=borders)


def _plain(op: str) -> str:
    return op.removeprefix("Fused").removeprefix("Nhwc")


def _is_integer(op: str) -> bool:
    return op.startswith("QLinear") or op in INTEGER


def _computes_in_float(op: str) -> bool:
    return not (_is_integer(op) or op in BORDERS or _plain(op) in MOVING)


def _float_node(node: onnx.NodeProto, made_by: dict[str, onnx.NodeProto], stored: set[str]) -> FloatNode:
    op = _plain(node.op_type)
    heavy = op in HEAVY and len(node.input) > 1 and node.input[1] in stored
    arrives = made_by.get(node.input[0]) if node.input else None
    if op in NO_KERNEL:
        reason = NO_KERNEL[op]
    elif arrives is None or arrives.op_type != "DequantizeLinear":
        reason = "its input does not arrive as integers"
    elif heavy:
        reason = "the runtime did not fuse it with the quantization around it"
    else:
        reason = "it has no integer form here"
    return FloatNode(name=node.output[0], op=op, heavy=heavy, reason=reason)
