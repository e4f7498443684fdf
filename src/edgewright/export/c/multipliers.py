"""Constants of the kernels: multipliers in integers, folded biases, and the limits within which sums fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import UnsupportedError
from ...program import Tensor
from ...reference.integer import Grid, fixed_point

HIGH_WORD_SHIFT = 2  # from this shift on the rounding needs the high word of the product alone


@dataclass(frozen=True, kw_only=True)
class Constant:
    """An array in flash.

    Attributes:
        role: what it is to its operation; the end of its name.
    """

    role: str
    values: np.ndarray


def multipliers(reals: Any) -> tuple[np.ndarray, np.ndarray]:
    """Mantissas (int32) and shifts (int8) of real multipliers: 5 bytes each. One of 0 gets a shift that is usual."""
    mantissas, shifts = np.vectorize(fixed_point, otypes=[np.int64, np.int64])(np.atleast_1d(reals))
    shifts = np.where(mantissas == 0, HIGH_WORD_SHIFT, shifts)
    return mantissas.astype(np.int32), shifts.astype(np.int8)


def multiplier(real: float) -> dict[str, int]:
    """One multiplier as fields of a kernel's sizes."""
    mantissas, shifts = multipliers(real)
    return {"mantissa": int(mantissas[0]), "shift": int(shifts[0])}


def per_channel(reals: np.ndarray) -> tuple[tuple[Constant, ...], int]:
    """The arrays of one multiplier per channel, and whether all of them can use the high word alone."""
    mantissas, shifts = multipliers(reals)
    arrays = (Constant(role="mantissa", values=mantissas), Constant(role="shift", values=shifts))
    return arrays, int(shifts.min() >= HIGH_WORD_SHIFT)


def grid_of(tensor: Tensor) -> Grid:
    """The grid of a tensor of codes.

    Raises:
        UnsupportedError: it has none, or codes beyond 8 signed bits.
    """
    grid = tensor.grid
    if grid is None:
        raise UnsupportedError(f"The tensor {tensor.name} holds float numbers, expected codes: quantize what makes it.")
    if grid.low < -128 or grid.high > 127:
        raise UnsupportedError(
            f"The tensor {tensor.name} has codes from {grid.low} to {grid.high}, expected 8 signed bits: quantize its "
            "activations to 8 bits or less."
        )
    return grid


def end_of(grid: Grid) -> dict[str, int]:
    """Where the codes of an output saturate, as the kernels' `ew_grid`."""
    return {"zero_point": grid.zero_point, "low": grid.low, "high": grid.high}


def regrid(source: Grid, out: Grid) -> dict[str, Any]:
    """From one grid to another, as the kernels' `ew_regrid`. Equal grids get ends that no code exceeds."""
    same = (source.scale, source.zero_point) == (out.scale, out.zero_point)
    end = end_of(out)
    if same and source.low >= out.low and source.high <= out.high:
        end |= {"low": -128, "high": 127}
    real = 1.0 if same else source.scale / out.scale
    return {"zero_point": source.zero_point, **multiplier(real), "same": int(same), "out": end}


def folded_bias(bias_O: np.ndarray, weight_OI: np.ndarray, x: Grid) -> np.ndarray:
    """The bias with -zero_point * sum(weight) in it, int32; modulo 2**32, as the kernels add."""
    sums_O = weight_OI.reshape(len(weight_OI), -1).astype(np.int64).sum(1)
    return (bias_O.astype(np.int64) - x.zero_point * sums_O).astype(np.uint32).astype(np.int32)
