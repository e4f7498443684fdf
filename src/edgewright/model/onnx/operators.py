"""The table of all operators that are read. A new one is a line in the table of its kind, and a test."""

from __future__ import annotations

import torch

from .elementwise import ELEMENTWISE
from .integers import INTEGERS
from .layers import LAYERS
from .op import Builder, Built, Op
from .packing import PACKING
from .parts import PARTS
from .patterns import multiply
from .reductions import REDUCTIONS
from .resize import RESIZING
from .shapes import SHAPES
from .windows import WINDOWS


def constant(op: Op) -> Built:
    """The content stands in one of several attributes."""
    content = next((op.attributes[name] for name in ("value", "value_float", "value_floats", "value_int", "value_ints")
                    if name in op.attributes), None)  # fmt: skip
    op.only(content is not None, "it holds no numbers")
    return op.emit.constant(content if isinstance(content, torch.Tensor) else torch.tensor(content))


BUILDERS: dict[str, Builder] = {
    "Constant": constant, "Mul": multiply,
    **ELEMENTWISE, **SHAPES, **PARTS, **REDUCTIONS, **WINDOWS, **LAYERS, **RESIZING, **INTEGERS,
    **PACKING,
}  # fmt: skip

# Operators that work on codes as on the values they stand for.
ON_CODES = {
    "DequantizeLinear", "Identity", "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Expand", "Tile",
    "Concat", "Slice", "Split", "Gather", "Pad", "DepthToSpace", "SpaceToDepth", "MaxPool", "Resize", "Shape", "Size",
}  # fmt: skip

INSTEAD = {
    **dict.fromkeys(("If", "Loop", "Scan"), "it is control flow: export the model without branches and loops"),
    **dict.fromkeys(
        ("QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "DynamicQuantizeLinear"),
        "it computes on integers directly: quantize to the QDQ form (QuantizeLinear and DequantizeLinear)",
    ),
    **dict.fromkeys(
        ("LSTM", "GRU", "RNN"), "it is recurrent, and edgewright reads vision models without state"
    ),
}  # fmt: skip
