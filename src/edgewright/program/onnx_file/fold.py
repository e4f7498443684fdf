"""Constants of the file computed ahead, and moves tried on numbers, both by ONNX's own reference evaluation.

Only operators that `MOST` lists are computed, for each bounds the size of what it makes before it makes it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from ...errors import UnsupportedError
from .graph import Node

MOST_VALUES = 2**27


def _largest(node: Node, arrays: Sequence[np.ndarray]) -> int:
    return max((each.size for each in arrays), default=0)


def _all(node: Node, arrays: Sequence[np.ndarray]) -> int:
    return sum(each.size for each in arrays)


def _broadcast(node: Node, arrays: Sequence[np.ndarray]) -> int:
    return math.prod(np.broadcast_shapes(*(each.shape for each in arrays)))


def _filled(node: Node, arrays: Sequence[np.ndarray]) -> int:
    return math.prod(int(size) for size in arrays[0].ravel())


def _expanded(node: Node, arrays: Sequence[np.ndarray]) -> int:
    return math.prod(np.broadcast_shapes(arrays[0].shape, tuple(int(size) for size in arrays[1].ravel())))


def _counted(node: Node, arrays: Sequence[np.ndarray]) -> int:
    start, limit, delta = (float(each) for each in arrays)
    return int(max(0.0, (limit - start) / delta)) + 1


def _gathered(node: Node, arrays: Sequence[np.ndarray]) -> int:
    return arrays[0].size * max(arrays[1].size, 1)


SAME = (
    "Cast", "Slice", "Split", "Squeeze", "Unsqueeze", "Reshape", "Flatten", "Transpose", "Identity", "Floor", "Ceil",
    "Neg", "Abs", "Sqrt", "Exp", "Log", "Reciprocal", "DepthToSpace", "SpaceToDepth", "ReduceProd", "Relu", "Clip",
    "Constant", "Not",
)  # fmt: skip
PAIRS = ("Add", "Sub", "Mul", "Div", "Mod", "Pow", "Min", "Max", "Where", "Equal", "Less", "Greater", "And", "Or")
MOST: dict[str, Callable[[Node, Sequence[np.ndarray]], int]] = {
    **dict.fromkeys(SAME, _largest), **dict.fromkeys(PAIRS, _broadcast), "Concat": _all, "ConstantOfShape": _filled,
    "Expand": _expanded, "Range": _counted, "Gather": _gathered,
}  # fmt: skip


def evaluate(node: Node, arrays: Mapping[str, np.ndarray], opset: int) -> list[np.ndarray]:
    """What an operator of `MOST` makes of its inputs.

    Raises:
        UnsupportedError: more than 2**27 values.
    """
    found = MOST[node.operator](node, list(arrays.values()))
    if found > MOST_VALUES:
        raise UnsupportedError(f"would make a constant of {found} values")
    empty: Any = [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in arrays]
    made: Any = [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in node.outputs if name]
    graph = helper.make_graph([node.proto], "one", empty, made)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    return [np.asarray(each) for each in ReferenceEvaluator(model).run(None, dict(arrays))]  # type: ignore[union-attr]
