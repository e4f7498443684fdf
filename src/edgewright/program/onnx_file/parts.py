"""Joins, paddings, softmax, and operators that move values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...reference.integer import Grid
from ..building import add_move
from ..types import Tensor
from .call import QUANTIZE, REPLACE, Call
from .fold import evaluate
from .integers import HALF
from .values import Coded, Curve, Image, Known, Pending, Shape, Value

BATCH = "keep the first axis for the batch, of one image"


# -- moves ------------------------------------------------------------------------------------------------------------
def move(call: Call) -> list[Value]:
    """Tried on the numbers of the values; what comes out says which value each place holds."""
    x = call.given(0)
    assert x is not None and not isinstance(x, Known)
    if isinstance(x, Curve):
        x = call.coded()  # refuses it, and says why
    results = [_image_part(call, ids) for ids in _moved_numbers(call, x.shape)]
    several = len(results) > 1
    names = [f"{call.name}_{place}" if several else call.name for place in range(len(results))]
    return [_placed(call, x, ids, name) for ids, name in zip(results, names, strict=True)]


def _moved_numbers(call: Call, shape: Shape) -> list[np.ndarray]:
    arrays = {call.node.inputs[0]: np.arange(np.prod(shape, dtype=np.int64)).reshape(1, *shape)}
    for place, name in enumerate(call.node.inputs[1:], 1):
        array = call.array(place)
        if array is not None:
            arrays[name] = array
    return evaluate(call.node, arrays, call.opset)


def _image_part(call: Call, ids: np.ndarray) -> np.ndarray:
    if ids.shape[:1] != (1,) or not ids.size:
        raise call.refused("mixes the images of a batch, or leaves nothing", remedy=BATCH)
    return ids[0]


def _placed(call: Call, x: Value, ids: np.ndarray, name: str) -> Value:
    if isinstance(x, Image):
        if ids.size != np.prod(x.shape) or len(np.unique(ids)) != ids.size:
            raise call.refused("takes parts of the input before it is quantized", remedy=QUANTIZE)
        return replace(x, shape=ids.shape)  # the program's input has this order: a device has its maps in any
    if isinstance(x, Pending):
        waiting = x

        def make(grid: Grid | None, first: str) -> Tensor:
            made = _moved(call, waiting.make(grid, first), ids, name)
            call.note()
            return made

        return replace(x, make=make, shape=ids.shape, of=None)
    assert isinstance(x, Coded)
    return Coded(tensor=_moved(call, x.tensor, ids, name), raw=x.raw)


def _moved(call: Call, source: Tensor, ids: np.ndarray, name: str) -> Tensor:
    made = add_move(call.builder, source, ids, name=name)
    if made is None:
        raise call.refused("moves values as no slice, reshape or transposition does", remedy=REPLACE)
    return made


def same(call: Call) -> Value:
    """Identity, and Dropout as it is when a network is used."""
    value = call.given(0)
    if value is None or (len(call.node.outputs) > 1 and call.node.outputs[1]):
        raise call.refused("gives a mask", remedy=REPLACE)
    return value


def cast(call: Call) -> Value:
    """Between kinds of floats alone: values keep their grids."""
    value = call.given(0)
    if isinstance(value, Coded) and not value.raw and call.attr("to") in (1, 10, 11, 16):  # float, half, double, bf16
        return value
    raise call.refused("changes codes to another type", remedy="use DequantizeLinear and QuantizeLinear")


# -- joins and paddings -----------------------------------------------------------------------------------------------
def concat(call: Call) -> Value:
    parts = [call.coded(place) for place in range(len(call.inputs))]
    rank = len(parts[0].shape)
    axis = int(call.attr("axis", 1)) % (rank + 1) - 1
    if axis < 0 or len({each.raw for each in parts}) != 1 or {len(each.shape) for each in parts} != {rank}:
        raise call.refused("joins images, or codes with values", remedy=BATCH)
    shape = list(parts[0].shape)
    shape[axis] = sum(each.shape[axis] for each in parts)
    same_grid = len({(each.grid.scale, each.grid.zero_point) for each in parts}) == 1
    natural = None
    if same_grid:
        natural = replace(
            parts[0].grid, low=min(each.grid.low for each in parts), high=max(each.grid.high for each in parts)
        )
    pending = call.pending(
        "concat", [each.tensor for each in parts], tuple(shape), settings={"axis": axis}, natural=natural
    )
    if not parts[0].raw:
        return pending
    if natural is None:
        raise call.refused("joins codes of different grids", remedy="put a DequantizeLinear in front of each")
    return Coded(tensor=pending.on(natural), raw=True)


def pad(call: Call) -> Coded:
    """Zeros around maps; behind it a window may take them in."""
    x = call.coded()
    rank = len(x.shape) + 1
    axes = call.array(3) if len(call.inputs) > 3 else None
    widths = call.listed("pads", 1) or []
    places = list(range(rank)) if axes is None else [int(each) % rank for each in axes.ravel()]
    pairs = [(0, 0)] * rank
    for order, axis in enumerate(places):
        pairs[axis] = (widths[order], widths[order + len(places)])
    if call.attr("mode", "constant") != "constant" or min(widths, default=0) < 0 or pairs[0] != (0, 0):
        raise call.refused("pads with something else than zeros, or cuts", remedy="pad with zeros, cut by Slice")
    if _fill(call, x) != x.grid.zero_point:
        raise call.refused("pads with a number that is not 0", remedy="pad with zeros")
    shape = tuple(size + sum(pair) for size, pair in zip(x.shape, pairs[1:], strict=True))
    return call.keeping("pad", x, shape, settings={"widths": tuple(pairs[1:])})


def _fill(call: Call, x: Coded) -> float:
    """The code that is padded with."""
    array = call.array(2)
    number = float(call.attr("value", 0.0)) if array is None or not array.size else float(array.flat[0])
    if not x.raw:
        return x.grid.zero_point + number / x.grid.scale
    return number - (HALF.get(array.dtype, 0) if array is not None else 0)


def softmax(call: Call) -> Pending:
    x = call.values()
    rank = len(x.shape) + 1
    axis = int(call.attr("axis", -1 if call.opset >= 13 else 1)) % rank
    joins = call.opset < 13 and np.prod(x.shape[axis:]) > 1  # older ones take all axes from there on as one
    if axis == 0 or joins:
        raise call.refused("is over several axes, or over images", remedy="take one axis, at operator set 13 or later")
    return call.pending("softmax", [x.tensor], x.shape, settings={"axis": axis - 1})
