"""QuantizeLinear and DequantizeLinear: where values get their grids, and constants their codes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...reference.integer import Grid
from ..building import as_signed, fitted, holds
from ..types import Tensor
from .call import QUANTIZE, Call
from .values import Coded, Curve, Image, Known, Pending, Stored, Value

BITS = {"int8": 8, "uint8": 8, "int16": 16, "uint16": 16, "int32": 32}
DEFAULT = np.dtype(np.uint8)  # of the codes, where no zero point says otherwise
PER_TENSOR = "use one scale for the whole tensor: per-channel is for weights"
HALF = {np.dtype(np.uint8): 2**7, np.dtype(np.uint16): 2**15}  # how far unsigned codes are moved down


# -- grids ------------------------------------------------------------------------------------------------------------
def scale_and_zero(call: Call, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Both broadcast to `shape`: scale float64, zero point int64."""
    scale, zero = call.array(1), call.array(2)
    assert scale is not None, "the table of operators asks for it"
    if not scale.size or not np.isfinite(scale).all() or (scale <= 0).any():
        raise call.refused("has a scale that is no positive number", remedy="quantize the model again")
    if call.attr("block_size", 0) or scale.ndim > 1:
        raise call.refused("has scales in blocks", remedy="quantize per tensor or per channel")
    zero = np.zeros(scale.shape, np.int64) if zero is None else zero.astype(np.int64)
    if zero.size not in (1, scale.size):
        raise call.refused("has another number of zero points than of scales", remedy="quantize the model again")
    lined = [1] * len(shape)
    if scale.size > 1:
        lined[call.attr("axis", 1) % len(shape)] = -1
    first, second = (
        np.broadcast_to(each.reshape(lined if each.size > 1 else [1] * len(shape)), shape)
        for each in (scale.astype(np.float64), zero)
    )
    return first, second


def grid_of(call: Call, dtype: np.dtype[Any]) -> Grid:
    """The grid of a tensor, shifted to signed codes."""
    scale, zero = call.array(1), call.array(2)
    if dtype.name not in BITS or dtype.name == "int32":
        raise call.refused(f"has codes of the type {dtype}", remedy="quantize activations to int8 or uint8")
    if scale is None or scale.size != 1 or (zero is not None and zero.size != 1):
        raise call.refused("has a scale per channel of an activation", remedy=PER_TENSOR)
    (step,), (origin,) = (each.ravel() for each in scale_and_zero(call, (1,)))
    limits, given = np.iinfo(dtype), call.given(2)
    low, high = int(limits.min), int(limits.max)
    if isinstance(given, Known) and given.bits:
        low, high = (-(2 ** (given.bits - 1)), 2 ** (given.bits - 1) - 1) if low else (0, 2**given.bits - 1)
    grid = Grid(scale=float(step), zero_point=int(origin), low=low, high=high)
    return as_signed(grid, bits=BITS[dtype.name], signed=dtype.kind == "i")


def _code_type(call: Call) -> np.dtype[Any]:
    zero = call.array(2)
    return DEFAULT if zero is None else zero.dtype


# -- operators --------------------------------------------------------------------------------------------------------
def quantize(call: Call) -> Value:
    x = call.given(0)
    if call.attr("output_dtype") and call.given(2) is None:
        raise call.refused("names its type by an attribute alone", remedy="give it a zero point")
    if isinstance(x, Known):
        return _codes_now(call, x)
    grid = grid_of(call, _code_type(call))
    if isinstance(x, Image):
        if x.dtype.kind != "f":
            raise call.refused("quantizes integers", remedy="export the file with a float input")
        return Coded(tensor=enter(call, x, grid), raw=True)
    if isinstance(x, Curve):
        return Coded(tensor=_table(call, x, grid), raw=True)
    if isinstance(x, Pending):
        return Coded(tensor=call.made(x, grid), raw=True)
    source = call.values().tensor
    if source.grid is not None and holds(grid, source.grid):
        return Coded(tensor=source, raw=True)
    target = call.builder.tensor(call.name, source.shape, grid)
    return Coded(tensor=call.builder.add("rescale", [source], target), raw=True)


def enter(call: Call, image: Image, grid: Grid) -> Tensor:
    """The input of the program for one of the file."""
    entered = call.reading.entered
    if image.name not in entered:
        entered[image.name] = call.builder.tensor(image.name, image.shape, grid)
        call.builder.inputs.append(entered[image.name].name)
    tensor = entered[image.name]
    if (tensor.shape, tensor.grid) != (image.shape, grid):
        raise call.refused(
            f"quantizes the input {image.name} a second time, in another way", remedy="quantize the input once"
        )
    return tensor


def _table(call: Call, curve: Curve, grid: Grid) -> Tensor:
    entries = grid.nearest(curve.values)
    output = call.builder.tensor(curve.name, curve.shape, grid)
    return call.builder.add("look_up", [curve.source], output, arrays={"table": fitted(entries)})


def _codes_now(call: Call, x: Known) -> Known:
    """Codes of a constant: halves to even, saturated, as the standard says."""
    scale, zero = scale_and_zero(call, x.values.shape)
    dtype = _code_type(call)
    limits = np.iinfo(dtype)
    codes = np.rint(x.values / scale) + zero
    return Known(values=np.clip(codes, limits.min, limits.max).astype(dtype))


def dequantize(call: Call) -> Value:
    x = call.given(0)
    if isinstance(x, Known):
        if x.values.dtype.name not in BITS:
            raise call.refused(f"reads codes of the type {x.values.dtype}", remedy="quantize to int8 or uint8")
        scale, zero = scale_and_zero(call, x.values.shape)
        codes = x.values.astype(np.int64)
        values = (scale * (codes - zero)).astype(np.float32)
        return Known(values=values, stored=Stored(codes=codes, scale=scale, zero=zero))
    if isinstance(x, Image):
        return Coded(tensor=enter(call, x, grid_of(call, x.dtype)))
    if not isinstance(x, Coded) or not x.raw:
        raise call.refused("dequantizes what is not quantized", remedy=QUANTIZE)
    grid = grid_of(call, _code_type(call))
    if not holds(grid, x.grid):  # other values for the same codes: a function of them
        return Curve(source=x.tensor, values=grid.values(x.grid.codes), name=call.name)
    return Coded(tensor=x.tensor)
