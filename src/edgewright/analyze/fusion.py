"""Which calls another operator does on the side, and which write over their input.

- A batch normalization is *folded* into the weights of the convolution or linear layer before it, under the same
  conditions as `model.fold`: it costs nothing, and the layer has a bias then.
- A clamp (ReLU, ReLU6, ...) is *fused*: the operator before it clamps its own output.
- An elementwise function of one tensor (sigmoid, GELU, a normalization that cannot be folded) stays an operator, but
  writes over its input.

All of it only where nothing else reads that input.
"""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from ..model import functions
from .tracing import Call
from .windows import SLIDING


def _aten(*names: str) -> frozenset[str]:
    return frozenset(f"aten.{name}" for name in names)


CLAMPS = frozenset(str(function.overloadpacket) for function in functions.CLAMPS)  # what the quantizer merges, too
ELEMENTWISE = CLAMPS | _aten(
    "clamp_max",
    "sigmoid", "hardsigmoid", "tanh", "silu", "hardswish", "gelu", "mish", "elu", "selu", "leaky_relu", "softplus",
    "neg", "abs", "exp", "log", "sqrt", "rsqrt", "reciprocal", "square", "erf", "sin", "cos",
)  # fmt: skip
CLAMP_THEIR_OUTPUT = _aten(*SLIDING, "linear", "addmm", "add", "sub", "mul", "mean")


def can_fold(norm: Call, before: Call, *, calls_of_layer: int) -> bool:
    """Whether the batch normalization `norm`, the only reader of `before`, goes into the weights of `before`."""
    if not isinstance(norm.layer, _BatchNorm) or norm.layer.running_mean is None or calls_of_layer > 1:
        return False
    if isinstance(before.layer, nn.Linear):
        return before.out.dim() == 2  # otherwise its features are on the last axis and the normalization's on axis 1
    return isinstance(before.layer, _ConvNd)


def can_fuse(clamp: Call, host: Call) -> bool:
    """Whether `host` can clamp its own output."""
    if clamp.function not in CLAMPS:
        return False
    if host.layer is not None:
        return isinstance(host.layer, (_ConvNd, nn.Linear, _BatchNorm))
    return host.function in CLAMP_THEIR_OUTPUT


def can_overwrite(call: Call) -> bool:
    """Whether each output value depends on the input value at the same place and on no other."""
    return call.function in ELEMENTWISE or isinstance(call.layer, _BatchNorm)
