"""QuantizeLinear and DequantizeLinear: the file's integers as the project's simulation of them.

Where the file has codes, the graph has the values that they stand for: quantizing is a `QuantizeActivation` layer,
dequantizing with the same scale is nothing, and what only moves codes moves values.

A function that `INTEGERS` lists is the ONNX operator of its name there; source: the ONNX operator specification.
"""

from __future__ import annotations

import torch

from ...errors import UnsupportedError
from ...types import QuantSpec
from ..quantized import QuantizeActivation
from .elementwise import dtype_of
from .names import cleaned
from .op import Builder, Built, Op
from .values import Value

BITS = {torch.int8: 8, torch.uint8: 8, torch.int16: 16, torch.int32: 32}


def quantize(op: Op) -> Built:
    x = op.x
    grid = _grid_of(op, _code_type(op))
    if x.known:
        return _codes_now(op, grid)
    if x.grid == grid:  # it was rounded to this grid before, and only moved since
        return x.on(grid, codes=True)
    if grid.axis is None:
        name = op.outputs[0].removesuffix("_codes").removesuffix("_QuantizeLinear_Output")
        made = op.emit.layer(
            f"quantizers.{cleaned(name)}", (), lambda: QuantizeActivation.of(grid), x, settings=(grid,)
        )
    else:
        scale = op.emit.constant(torch.tensor(grid.scale))
        zero = op.emit.constant(torch.tensor(grid.zero_point, dtype=torch.int32))
        made = op.call(torch.ops.edgewright.fake_quantize.default, x, scale, zero, grid.low, grid.high, grid.axis)
    return made.on(grid, codes=True)


def _code_type(op: Op) -> torch.dtype:
    zero = op.get(2)
    if zero is not None:
        return zero.dtype
    found = dtype_of(op.attr("output_dtype")) if op.attr("output_dtype") else torch.uint8
    if found not in BITS:
        raise UnsupportedError("it makes codes of a type that is not read")
    return found


def _grid_of(op: Op, codes: torch.dtype, bits: int | None = None) -> QuantSpec:
    """The grid of a (de)quantization, from its scale and zero point."""
    scale, zero = op.need(1), op.get(2)
    op.only(scale.uniform and (zero is None or zero.uniform), "its scale is computed from the image")
    op.only(not op.attr("block_size", 0) and scale.rank <= 1, "its scales are in blocks")
    op.only(codes in BITS, f"its codes are {str(codes).removeprefix('torch.')}")
    scales = scale.seen[0].reshape(-1).tolist()
    op.only(bool(scales) and min(scales) > 0, "its scale is not positive")
    zeros = [0] * len(scales) if zero is None else [int(each) for each in zero.seen[0].reshape(-1).tolist()]
    op.only(len(zeros) == len(scales), "it has another number of zero points than of scales")
    return QuantSpec(
        scale=tuple(scales),
        zero_point=tuple(zeros),
        axis=op.attr("axis", 1) % max(op.x.rank, 1) if len(scales) > 1 else None,
        bits=bits or (zero.bits if zero is not None else None) or BITS[codes],
        signed=codes is not torch.uint8,
    )


def _lined_up(numbers: tuple[float, ...], grid: QuantSpec, rank: int) -> torch.Tensor:
    values = torch.tensor(numbers, dtype=torch.float32)
    if grid.axis is None:
        return values.reshape(())
    return values.reshape([-1 if axis == grid.axis else 1 for axis in range(rank)])


def _codes_now(op: Op, grid: QuantSpec) -> Value:
    """The codes of a stored tensor."""
    x, rank = op.x.seen[0], op.x.rank
    codes = x.div(_lined_up(grid.scale, grid, rank)).round() + _lined_up(tuple(map(float, grid.zero_point)), grid, rank)
    stored = codes.clamp(grid.low, grid.high).to(_code_type(op))
    return op.emit.constant(stored, origin=op.x.origin, bits=grid.bits)


def dequantize(op: Op) -> Built:
    x = op.x
    if x.known:
        op.only(x.uniform, "its codes follow the batch")
        grid = _grid_of(op, x.dtype, x.bits)
        zero = _lined_up(tuple(map(float, grid.zero_point)), grid, x.rank)
        values = (x.seen[0].to(torch.float32) - zero) * _lined_up(grid.scale, grid, x.rank)
        return op.emit.constant(values, origin=x.origin, grid=grid)
    op.only(x.codes and x.grid is not None, "its codes are computed by an operator on integers")
    assert x.grid is not None
    grid = _grid_of(op, torch.int8 if x.grid.signed else torch.uint8, x.grid.bits)
    same = (grid.scale, grid.zero_point) == (x.grid.scale, x.grid.zero_point)
    op.only(same, "it has another scale or zero point than the codes it reads")
    return x.on(x.grid, codes=False)


INTEGERS: dict[str, Builder] = {"QuantizeLinear": quantize, "DequantizeLinear": dequantize}
