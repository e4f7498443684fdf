"""Padding and resizing of maps of codes.

r    = (i + 1/2) * step - 1/2         where output i lies in the input (`align` maps corners on corners)
acc  = sum(w_row * w_column * (q - zero_point))      the four neighbours, each weight an 11-bit fraction, int32
"""

from __future__ import annotations

import numpy as np

from .fixed_point import as_int32, requantize
from .grid import Grid

FRACTION_BITS = 11  # two of them and 8-bit codes fill 30 bits; codes of 16 bits do not fit and are refused


def pad(codes: np.ndarray, widths: list[tuple[int, int]], *, zero_point: int) -> np.ndarray:
    """Zeros around a tensor, one (before, behind) per axis: the code of 0 is `zero_point`."""
    return np.pad(codes, widths, constant_values=zero_point)


def nearest2d(x_BCHW: np.ndarray, size: tuple[int, int], *, steps: tuple[float, float] | None = None) -> np.ndarray:
    """Each output takes the code at floor(i * step); no arithmetic on codes.

    Args:
        steps: input rows and columns per output row and column, None for the ratio of the sizes.
    """
    rows, columns = (
        np.minimum(np.floor(np.arange(size[axis], dtype=np.float32) * np.float32(step)).astype(np.int64), last)
        for axis, (step, last) in enumerate(_steps(x_BCHW, size, steps))
    )
    return x_BCHW[:, :, rows][:, :, :, columns]


def bilinear2d(
    x_BCHW: np.ndarray,
    size: tuple[int, int],
    *,
    grid: Grid,
    out: Grid,
    align: bool = False,
    steps: tuple[float, float] | None = None,
) -> np.ndarray:
    """Codes of the bilinear interpolation, one rounding.

    Raises:
        OverflowError: codes of more than 9 bits: their sums do not fit into 32 bits.
    """
    weights = [_weights(size[axis], last, step, align) for axis, (step, last) in enumerate(_steps(x_BCHW, size, steps))]
    centered = (x_BCHW.astype(np.int64) - grid.zero_point).astype(np.float64)  # exact, and quick to multiply
    sums = (weights[0] @ centered @ weights[1].T).astype(np.int64)
    return requantize(as_int32(sums), grid.scale / (out.scale * 4**FRACTION_BITS), out)


def _steps(
    x_BCHW: np.ndarray, size: tuple[int, int], steps: tuple[float, float] | None
) -> list[tuple[float, int]]:  # fmt: skip
    """Step and last index of rows and of columns."""
    given = steps or tuple(x_BCHW.shape[2 + axis] / size[axis] for axis in (0, 1))
    return [(given[axis], x_BCHW.shape[2 + axis] - 1) for axis in (0, 1)]


def neighbours(count: int, last: int, step: float, align: bool) -> tuple[np.ndarray, np.ndarray]:
    """The first of the two inputs that each output lies between, and how far it is to the next, in units of 2**-11.

    Args:
        count: how many outputs there are along the axis.
        last: index of the last input; behind it there is no next one.
        step: inputs per output; `align` maps corners on corners instead.
    """
    place = np.arange(count)
    source = place * (last / max(count - 1, 1)) if align else np.maximum((place + 0.5) * step - 0.5, 0.0)
    first = np.minimum(np.floor(source).astype(np.int64), last)
    return first, np.floor((source - first) * 2**FRACTION_BITS + 0.5).astype(np.int64)


def _weights(count: int, last: int, step: float, align: bool) -> np.ndarray:
    """What each input counts for in each output, in units of 2**-11, (count, inputs); each row sums to 2**11."""
    first, share = neighbours(count, last, step, align)
    place = np.arange(count)
    weights = np.zeros((count, last + 1))
    np.add.at(weights, (place, first), 2**FRACTION_BITS - share)
    np.add.at(weights, (place, np.minimum(first + 1, last)), share)
    return weights
