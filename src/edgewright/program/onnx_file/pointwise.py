"""Element by element: functions of one tensor become tables, sums and products of two become operations.

A function of one tensor is its value for each code, however many operators write it, and whatever they are called.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .call import QUANTIZE, REPLACE, Call
from .curves import FUNCTIONS, Function
from .layers import per_channel, with_offset
from .values import Coded, Curve, Known, Pending, Value


# -- of one tensor ----------------------------------------------------------------------------------------------------
def function(call: Call) -> Curve:
    return _curve(call, _as_curve(call, 0), FUNCTIONS[call.node.operator](call))


def _as_curve(call: Call, place: int) -> Curve:
    value = call.given(place)
    return value if isinstance(value, Curve) else _identity(call.values(place), call.name)


def _identity(x: Coded, name: str) -> Curve:
    return Curve(source=x.tensor, values=x.grid.values(x.grid.codes), name=name)


def _curve(call: Call, x: Curve, of: Function) -> Curve:
    with np.errstate(all="ignore"):
        values = np.asarray(of(x.values), dtype=np.float64)
    if np.isnan(values).any():
        raise call.refused("gives no number for some code of its input", remedy=REPLACE)
    return Curve(source=x.source, values=values, name=call.name)


def leaky_relu(call: Call) -> Value:
    """LeakyRelu, and PRelu with one slope."""
    slope, x = _slope(call), call.given(0)
    if not math.isfinite(slope):
        raise call.refused("has a slope that is no number", remedy=REPLACE)
    if isinstance(x, Curve) or slope < 0:
        return _curve(call, _as_curve(call, 0), lambda values: np.where(values < 0, slope * values, values))
    source = call.values()
    return call.pending("leaky_relu", [source.tensor], source.shape, settings={"slope": slope})


def _slope(call: Call) -> float:
    if call.node.operator == "LeakyRelu":
        return float(call.attr("alpha", 0.01))
    slopes = call.array(1)
    assert slopes is not None, "the table of operators asks for it"
    if not slopes.size or (slopes != slopes.flat[0]).any():
        raise call.refused("has a slope per channel", remedy="train it with one slope, or replace it")
    return float(slopes.flat[0])


# -- clamps -----------------------------------------------------------------------------------------------------------
def clamp(call: Call) -> Value:
    """Relu, Clip, and Min or Max with a number: where the grid of what they read ends."""
    low, high = _bounds(call)
    x = call.given(0) if not isinstance(call.given(0), Known) else call.given(1)
    if isinstance(x, Curve):
        return _curve(call, x, lambda values: np.clip(values, low, max(low, high)))
    if isinstance(x, Pending):
        return x.clamped(low, high)
    source = call.values(call.inputs.index(x))
    ends = source.grid.clamped(low, high)
    if (ends.low, ends.high) == (source.grid.low, source.grid.high):
        return source
    return call.pending("rescale", [source.tensor], source.shape, natural=ends).clamped(low, high)


def _bounds(call: Call) -> tuple[float, float]:
    if call.node.operator == "Relu":
        return 0.0, math.inf
    if call.node.operator == "Clip":
        ends = (call.attr(name, _number(call, place)) for place, name in ((1, "min"), (2, "max")))
        low, high = ends
        return -math.inf if low is None else float(low), math.inf if high is None else float(high)
    numbers = [_number(call, place) for place in range(len(call.inputs)) if isinstance(call.given(place), Known)]
    if len(call.inputs) != 2 or len(numbers) != 1 or numbers[0] is None:
        raise call.refused("compares two tensors", remedy=REPLACE)
    return (-math.inf, numbers[0]) if call.node.operator == "Min" else (numbers[0], math.inf)


def _number(call: Call, place: int) -> float | None:
    array = call.array(place) if call.given(place) is not None else None
    if array is None:
        return None
    if array.size != 1:
        raise call.refused("has more than one bound", remedy="clamp with two numbers")
    return float(array.flat[0])


# -- of two -----------------------------------------------------------------------------------------------------------
OF_TWO: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide, "Pow": np.power,
    "Sum": np.add,
}  # fmt: skip
KINDS: dict[str, tuple[str, dict[str, int]]] = {
    "Add": ("add", {"sign": 1}), "Sub": ("add", {"sign": -1}), "Mul": ("mul", {}),
    "Sum": ("add", {"sign": 1}),
}  # fmt: skip


def of_two(call: Call) -> Value:
    if len(call.inputs) != 2:
        raise call.refused(f"joins {len(call.inputs)} tensors", remedy="join two at a time, each quantized")
    for place in (0, 1):
        constant = call.given(place)
        if isinstance(constant, Known):
            return _with_constant(call, 1 - place, constant)
    sources = {_source(each) for each in call.inputs}
    if None not in sources and len(sources) == 1:
        first, second = _as_curve(call, 0), _as_curve(call, 1)
        return _curve(call, first, lambda x: OF_TWO[call.node.operator](x, second.values))
    if call.node.operator not in KINDS:
        raise call.refused("has no integer operation between two tensors", remedy=REPLACE)
    kind, settings = KINDS[call.node.operator]
    a, b = call.values(0), call.values(1)
    if len(a.shape) != len(b.shape):
        raise call.refused(f"joins the shapes {a.shape} and {b.shape}", remedy="give both the same number of axes")
    shape = tuple(np.broadcast_shapes(a.shape, b.shape))
    return call.pending(kind, [a.tensor, b.tensor], shape, settings=settings)


def _source(value: Value | None) -> str | None:
    """The tensor that a value is a function of."""
    if isinstance(value, Curve):
        return value.source.name
    return value.tensor.name if isinstance(value, Coded) and not value.raw else None


def _with_constant(call: Call, place: int, constant: Known) -> Value:
    x = call.given(place)
    assert x is not None and not isinstance(x, Known)
    number = _uniform(constant, x.shape)
    if number is not None and not isinstance(x, Pending):
        ordered = (lambda a, b: (a, b)) if place == 0 else (lambda a, b: (b, a))
        operator = OF_TWO[call.node.operator]
        return _curve(call, _as_curve(call, place), lambda values: operator(*ordered(values, np.float64(number))))
    if isinstance(x, Pending) and x.of is not None and call.node.operator in ("Add", "Sum"):
        return with_offset(call, x.of, x.shape, _per_output(call, constant, x.of.kind, x.shape))
    return _per_channel(call, place, constant)


def _uniform(constant: Known, shape: tuple[int, ...]) -> float | None:
    """The one number that a constant is, where it makes the result no larger."""
    values = constant.values
    if not values.size or np.broadcast_shapes(values.shape, (1, *shape)) != (1, *shape):
        return None
    return float(values.flat[0]) if (values == values.flat[0]).all() else None


def _per_output(call: Call, constant: Known, kind: str, shape: tuple[int, ...]) -> Known:
    """A constant as one number per output of a layer; with its codes, where it lies like that in the file."""
    if constant.stored is not None and constant.values.size == constant.values.shape[-1] and kind == "linear":
        return constant
    axis = 1 if kind == "conv" else len(shape)
    return Known(values=_along(call, constant, shape, axis).astype(np.float32))


def _along(call: Call, constant: Known, shape: tuple[int, ...], axis: int) -> np.ndarray:
    """A constant's values along one axis of (1, *shape), where it varies along no other."""
    whole = (1, *shape)
    if not constant.values.size or np.broadcast_shapes(constant.values.shape, whole) != whole:
        raise call.refused(f"repeats values of the shape {shape}", remedy="export the file with static shapes")
    lined = np.moveaxis(np.broadcast_to(constant.values, whole), axis, 0).reshape(whole[axis], -1)
    if (lined != lined[:, :1]).any():
        raise call.refused("has constants that differ from place to place", remedy="use one per channel")
    return lined[:, 0].astype(np.float64)


def _per_channel(call: Call, place: int, constant: Known) -> Pending:
    x = call.values(place)
    values_C = _along(call, constant, x.shape, 1)
    ones, zeros = np.ones_like(values_C), np.zeros_like(values_C)
    operator = call.node.operator
    if len(x.shape) != 3 or operator == "Pow" or (operator == "Div" and place == 1):
        raise call.refused("has constants per channel here", remedy=QUANTIZE)
    sign = -1.0 if operator == "Sub" and place == 1 else 1.0
    if operator in ("Add", "Sum", "Sub"):
        offset = -values_C if operator == "Sub" and place == 0 else values_C
        return per_channel(call, x, sign * ones, offset)
    return per_channel(call, x, values_C if operator == "Mul" else 1.0 / values_C, zeros)


def batch_norm(call: Call) -> Pending:
    """A normalization that no layer has taken in: a factor and an offset per channel."""
    x = call.values()
    scale, offset, mean, variance = (call.array(place) for place in range(1, 5))
    assert scale is not None and offset is not None and mean is not None and variance is not None
    factor = scale.astype(np.float64) / np.sqrt(variance.astype(np.float64) + float(call.attr("epsilon", 1e-5)))
    if len(x.shape) != 3 or factor.shape != x.shape[:1]:
        raise call.refused(f"normalizes values of the shape {x.shape}", remedy="fold it into the layer in front")
    return per_channel(call, x, factor, offset - mean * factor)
