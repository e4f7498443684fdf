"""Functions of one number that the file has operators for, float64: what tables are made of."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ...reference.integer import functions
from .call import Call

Function = Callable[[np.ndarray], np.ndarray]
erf = np.vectorize(math.erf, otypes=[np.float64])
SELU = (1.6732632423543772, 1.0507009873554805)  # alpha, gamma: Klambauer 2017, appendix A


def _hard_sigmoid(call: Call) -> Function:
    slope, offset = float(call.attr("alpha", 0.2)), float(call.attr("beta", 0.5))
    if math.isclose(slope, 1 / 6, rel_tol=1e-6) and offset == 0.5:  # float32 has no sixth
        return functions.hard_sigmoid
    return lambda x: np.clip(slope * x + offset, 0.0, 1.0)


def _gelu(call: Call) -> Function:
    return functions.gelu_tanh if call.attr("approximate", "none") == "tanh" else functions.gelu


def _elu(call: Call) -> Function:
    alpha = float(call.attr("alpha", 1.0))
    return lambda x: functions.elu(x, alpha)


def _celu(call: Call) -> Function:
    alpha = float(call.attr("alpha", 1.0))
    return lambda x: np.maximum(x, 0.0) + np.minimum(0.0, alpha * np.expm1(x / alpha))


def _selu(call: Call) -> Function:
    alpha, gamma = float(call.attr("alpha", SELU[0])), float(call.attr("gamma", SELU[1]))
    return lambda x: gamma * functions.elu(x, alpha)


def _swish(call: Call) -> Function:
    alpha = float(call.attr("alpha", 1.702 if call.node.operator == "QuickGelu" else 1.0))
    return lambda x: x * functions.sigmoid(alpha * x)


def _thresholded(call: Call) -> Function:
    alpha = float(call.attr("alpha", 1.0))
    return lambda x: np.where(x > alpha, x, 0.0)


def _stepped(function: Function) -> Callable[[Call], Function]:
    """A function with steps, where a runtime's float32 values decide on which side of a step a code lies."""
    return lambda call: lambda x: function(x.astype(np.float32))


def _plain(function: Function) -> Callable[[Call], Function]:
    return lambda call: function


FUNCTIONS: dict[str, Callable[[Call], Function]] = {
    "Sigmoid": _plain(functions.sigmoid), "HardSigmoid": _hard_sigmoid, "HardSwish": _plain(functions.hard_swish),
    "Tanh": _plain(np.tanh), "Gelu": _gelu, "FastGelu": _plain(functions.gelu_tanh), "QuickGelu": _swish,
    "Swish": _swish, "Mish": _plain(functions.mish), "Elu": _elu, "Celu": _celu, "Selu": _selu,
    "Softplus": _plain(functions.softplus), "Softsign": _plain(lambda x: x / (1.0 + np.abs(x))),
    "ThresholdedRelu": _thresholded, "Erf": _plain(erf), "Exp": _plain(np.exp), "Log": _plain(np.log),
    "Sqrt": _plain(np.sqrt), "Reciprocal": _plain(np.reciprocal), "Abs": _plain(np.abs), "Neg": _plain(np.negative),
    "Floor": _stepped(np.floor), "Ceil": _stepped(np.ceil), "Round": _stepped(np.rint), "Sign": _plain(np.sign),
    "Sin": _plain(np.sin), "Cos": _plain(np.cos),
}  # fmt: skip
"""Operator -> the function that it is with its attributes, float64."""
