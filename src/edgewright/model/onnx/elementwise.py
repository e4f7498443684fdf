"""Operators that treat each element by itself, and those that combine tensors element by element.

A function that `ELEMENTWISE` lists is the ONNX operator of its name there; source: the ONNX operator specification.
"""

from __future__ import annotations

import math
from functools import reduce
from typing import Any

import onnx
import torch

from .op import Builder, Built, Op, aten, scalar
from .values import Value

UNARY = {
    "Relu": aten.relu.default, "Sigmoid": aten.sigmoid.default, "Tanh": aten.tanh.default, "Abs": aten.abs.default,
    "Neg": aten.neg.default, "Exp": aten.exp.default, "Log": aten.log.default, "Sqrt": aten.sqrt.default,
    "Reciprocal": aten.reciprocal.default, "Floor": aten.floor.default, "Ceil": aten.ceil.default,
    "Round": aten.round.default, "Sign": aten.sign.default, "Sin": aten.sin.default, "Cos": aten.cos.default,
    "Erf": aten.erf.default, "HardSwish": aten.hardswish.default, "Mish": aten.mish.default,
    "Not": aten.logical_not.default,
}  # fmt: skip


def unary(function: Any) -> Builder:
    return lambda op: op.call(function, op.x)


# --- two tensors ----------------------------------------------------------------------------------------------------


WITH_NUMBER = {
    aten.eq.Tensor: aten.eq.Scalar, aten.gt.Tensor: aten.gt.Scalar, aten.lt.Tensor: aten.lt.Scalar,
    aten.ge.Tensor: aten.ge.Scalar, aten.le.Tensor: aten.le.Scalar, aten.fmod.Tensor: aten.fmod.Scalar,
    aten.remainder.Tensor: aten.remainder.Scalar,
}  # fmt: skip


def binary(function: Any, *, turned: Any = None) -> Builder:
    """A function of two tensors.

    Args:
        function: takes the first as a tensor and the second as a tensor or a number.
        turned: the function with its operands exchanged, None where a number cannot come first.
    """

    def build(op: Op) -> Built:
        return combine(op, op.x, op.need(1), function, turned)

    return build


def combine(op: Op, left: Value, right: Value, function: Any, turned: Any = None) -> Value:
    """`function(left, right)`, with numbers for constants of one element."""
    if left.known and right.known:
        return op.call(function, left, right)
    if left.known and turned is not None and left.rank <= right.rank and scalar(left) is not left:
        return op.call(turned, right, scalar(left))
    number = scalar(right) if right.rank <= left.rank and not left.known else right
    return op.call(function if isinstance(number, Value) else WITH_NUMBER.get(function, function), left, number)


def variadic(function: Any) -> Builder:
    """A function of two tensors over any number of inputs, from the left."""

    def build(op: Op) -> Built:
        values = [each for each in op.inputs if each is not None]
        return reduce(lambda left, right: op.call(function, left, right), values)

    return build


def sum_of(op: Op) -> Built:
    values = [each for each in op.inputs if each is not None]
    return reduce(lambda left, right: combine(op, left, right, aten.add.Tensor, aten.add.Tensor), values)


def mean_of(op: Op) -> Built:
    return op.call(aten.div.Tensor, sum_of(op), len(op.inputs))


def divide(op: Op) -> Built:
    """Integers are divided as in C, towards zero."""
    left, right = op.x, op.need(1)
    if not left.dtype.is_floating_point:
        return op.call(aten.div.Tensor_mode, left, right, rounding_mode="trunc")
    if left.known and not right.known and scalar(left) is not left:
        inverse = op.call(aten.reciprocal.default, right)
        return inverse if scalar(left) == 1 else op.call(aten.mul.Tensor, inverse, scalar(left))
    return combine(op, left, right, aten.div.Tensor)


def power(op: Op) -> Built:
    base, exponent = op.x, op.need(1)
    if exponent.uniform and exponent.seen[0].numel() == 1 and exponent.rank <= base.rank:
        return op.call(aten.pow.Tensor_Scalar, base, exponent.seen[0].item())
    if base.known and not exponent.known and scalar(base) is not base:
        return op.call(aten.pow.Scalar, scalar(base), exponent)
    return op.call(aten.pow.Tensor_Tensor, base, exponent)


def modulo(op: Op) -> Built:
    return combine(op, op.x, op.need(1), aten.fmod.Tensor if op.attr("fmod", 0) else aten.remainder.Tensor)


def where(op: Op) -> Built:
    return op.call(aten.where.self, op.x, op.need(1), op.need(2))


# --- functions with settings ----------------------------------------------------------------------------------------


def clip(op: Op) -> Built:
    """Bounds are attributes up to operator set 10, inputs from 11."""
    low, high = op.attr("min", op.number(1)), op.attr("max", op.number(2))
    low = None if low is None or low <= -3.4028e38 else low
    high = None if high is None or high >= 3.4028e38 else high
    if low is None and high is None:
        return op.x
    if (low, high) == (0.0, 6.0) and not op.x.known:
        return op.call(aten.relu6.default, op.x)
    return op.call(aten.clamp.default, op.x, low, high)


def leaky_relu(op: Op) -> Built:
    return op.call(aten.leaky_relu.default, op.x, op.attr("alpha", 0.01))


def prelu(op: Op) -> Built:
    """One slope for each channel on axis 1, or one for all; others are written out."""
    slope = op.need(1)
    shape = list(slope.seen[0].shape)
    per_channel = slope.known and op.x.rank >= 2 and math.prod(shape) in (1, op.x.seen[0].shape[1])
    along = slope.rank == op.x.rank - 1 and shape[:1] == [math.prod(shape)]
    aligned = slope.rank == op.x.rank and shape[1:2] == [math.prod(shape)]
    if per_channel and (along or aligned or math.prod(shape) == 1):
        return op.call(aten.prelu.default, op.x, op.call(aten.reshape.default, slope, [-1]))
    return op.call(aten.where.self, op.call(aten.lt.Scalar, op.x, 0), op.call(aten.mul.Tensor, op.x, slope), op.x)


def elu(op: Op) -> Built:
    return op.call(aten.elu.default, op.x, op.attr("alpha", 1.0))


def celu(op: Op) -> Built:
    return op.call(aten.celu.default, op.x, op.attr("alpha", 1.0))


SELU_ALPHA, SELU_GAMMA = 1.67326319217681884765625, 1.05070102214813232421875


def selu(op: Op) -> Built:
    return op.call(aten.elu.default, op.x, op.attr("alpha", SELU_ALPHA), op.attr("gamma", SELU_GAMMA))


def softplus(op: Op) -> Built:
    return op.call(aten.softplus.default, op.x)


def softsign(op: Op) -> Built:
    return op.call(aten.div.Tensor, op.x, op.call(aten.add.Tensor, op.call(aten.abs.default, op.x), 1))


def thresholded_relu(op: Op) -> Built:
    alpha = op.attr("alpha", 1.0)
    return op.call(aten.mul.Tensor, op.x, op.call(aten.gt.Scalar, op.x, alpha))


def hard_sigmoid(op: Op) -> Built:
    """PyTorch has the slope 1/6 only; others are a clamp of a line."""
    alpha, beta = op.attr("alpha", 0.2), op.attr("beta", 0.5)
    if math.isclose(alpha, 1 / 6, rel_tol=1e-5) and beta == 0.5:
        return op.call(aten.hardsigmoid.default, op.x)
    line = op.call(aten.add.Tensor, op.call(aten.mul.Tensor, op.x, alpha), beta)
    return op.call(aten.clamp.default, line, 0, 1)


def gelu(op: Op) -> Built:
    return op.call(aten.gelu.default, op.x, approximate=op.text("approximate", "none"))


def swish(op: Op) -> Built:
    alpha = op.attr("alpha", 1.0)
    if alpha == 1:
        return op.call(aten.silu.default, op.x)
    return op.call(aten.mul.Tensor, op.x, op.call(aten.sigmoid.default, op.call(aten.mul.Tensor, op.x, alpha)))


DTYPES = {
    **dict.fromkeys(("FLOAT", "FLOAT16", "DOUBLE", "BFLOAT16"), torch.float32),  # one float type throughout
    "INT64": torch.int64, "INT32": torch.int32, "INT16": torch.int16, "INT8": torch.int8, "UINT8": torch.uint8,
    "UINT32": torch.int64, "UINT64": torch.int64, "UINT16": torch.int32, "BOOL": torch.bool,
}  # fmt: skip


def dtype_of(code: int) -> torch.dtype | None:
    """The type that ours has for one of ONNX; None for what holds no numbers."""
    return DTYPES.get(onnx.TensorProto.DataType.Name(code))


def cast(op: Op) -> Built:
    dtype = dtype_of(op.attr("to"))
    op.only(dtype is not None, "it makes a type that is not read")
    return op.x if dtype is op.x.dtype else op.call(aten.to.dtype, op.x, dtype)


def cast_like(op: Op) -> Built:
    return op.x if op.x.dtype is op.need(1).dtype else op.call(aten.to.dtype, op.x, op.need(1).dtype)


def identity(op: Op) -> Built:
    return op.x


def dropout(op: Op) -> Built:
    """Nothing, in a model that is used."""
    op.only(len(op.outputs) < 2 or not op.outputs[1], "its mask is asked for")
    return op.x


ELEMENTWISE: dict[str, Builder] = {
    **{kind: unary(function) for kind, function in UNARY.items()},
    "Sub": binary(aten.sub.Tensor, turned=aten.rsub.Scalar),
    "Div": divide, "Pow": power, "Mod": modulo, "Where": where,
    "Equal": binary(aten.eq.Tensor), "Greater": binary(aten.gt.Tensor), "Less": binary(aten.lt.Tensor),
    "GreaterOrEqual": binary(aten.ge.Tensor), "LessOrEqual": binary(aten.le.Tensor),
    "And": variadic(aten.logical_and.default), "Or": variadic(aten.logical_or.default),
    "Xor": variadic(aten.logical_xor.default),
    "Max": variadic(aten.maximum.default), "Min": variadic(aten.minimum.default),
    "Sum": sum_of, "Mean": mean_of, "Clip": clip, "LeakyRelu": leaky_relu, "PRelu": prelu, "Elu": elu, "Celu": celu,
    "Selu": selu, "Softplus": softplus, "Softsign": softsign, "ThresholdedRelu": thresholded_relu,
    "HardSigmoid": hard_sigmoid, "Gelu": gelu, "Swish": swish, "Cast": cast, "CastLike": cast_like,
    "Identity": identity, "Dropout": dropout,
}  # fmt: skip
