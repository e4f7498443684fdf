"""Activations of 16 bits: the standard's operators have them from opset 21 on, ONNX Runtime's own from its first.

From opset 21 on ONNX Runtime 1.31 mixes up the types of 8-bit activations when it fuses, so files stay at opset 18 and
16-bit tensors are written in the runtime's domain. Their layers compute in float kernels: there are no others.
"""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper

DOMAIN = "com.microsoft"


def use_runtime_domain(model: onnx.ModelProto) -> None:
    """Put every operator that makes or reads 16-bit codes into the runtime's domain, in place."""
    wide = {tensor.name for tensor in model.graph.initializer if tensor.data_type == TensorProto.INT16}
    moved = [node for node in model.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    moved = [node for node in moved if len(node.input) == 3 and node.input[2] in wide]
    for node in moved:
        node.domain = DOMAIN
    if moved:
        model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
