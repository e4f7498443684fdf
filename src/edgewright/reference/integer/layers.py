"""Sums of the layers that multiply: int32, at the scale of the one input times the scale of the other.

Products and sums are taken in float64, which holds every integer up to 2**53 exactly and is quick; `as_int32` then
refuses what a 32-bit accumulator could not hold. The order of additions does not matter to integers.
"""

from __future__ import annotations

import numpy as np

from .. import convolution
from ..windows import Pair, Window
from .fixed_point import as_int32


def linear(x_I: np.ndarray, weight_OI: np.ndarray, bias_O: np.ndarray, *, zero_point: int) -> np.ndarray:
    """Sums of a linear layer over the last axis, (..., O).

    Args:
        x_I: codes with `zero_point`, (..., I).
        weight_OI: codes with zero point 0.
        bias_O: codes at the scale of x times the scale of the weight.
    """
    offset_O = bias_O.astype(np.int64) - zero_point * weight_OI.astype(np.int64).sum(1)
    return as_int32(_product(x_I, weight_OI.T) + offset_O)


def matmul(a: np.ndarray, b: np.ndarray, *, zero_points: tuple[int, int]) -> np.ndarray:
    """Sums of a product of two tensors of activations, both with a zero point; leading axes are broadcast."""
    return as_int32(_product(a.astype(np.int64) - zero_points[0], b.astype(np.int64) - zero_points[1]))


def conv2d(
    x_BCHW: np.ndarray,
    weight_OIKK: np.ndarray,
    bias_O: np.ndarray,
    *,
    zero_point: int,
    window: Window,
    groups: int = 1,
) -> np.ndarray:
    """Sums of a convolution, (B, O, H, W). What is padded is the value 0, whose code is `zero_point`."""
    offset_O = bias_O.astype(np.int64) - zero_point * weight_OIKK.astype(np.int64).sum((1, 2, 3))
    acc_BOHW = convolve(x_BCHW, weight_OIKK, fill=zero_point, window=window, groups=groups)
    return as_int32(acc_BOHW + offset_O.reshape(1, -1, 1, 1))


def convolve(
    x_BCHW: np.ndarray, weight_OIKK: np.ndarray, *, fill: int, window: Window, groups: int = 1
) -> np.ndarray:  # fmt: skip
    """Sums of products alone, (B, O, H, W) in int64, exact up to 2**53: no bias, and no limit of 32 bits.

    Args:
        fill: the number that stands for what is padded.
    """
    x_BCHW, weight_OIKK = x_BCHW.astype(np.float64), weight_OIKK.astype(np.float64)
    return convolution.correlate(x_BCHW, weight_OIKK, window=window, groups=groups, fill=fill).astype(np.int64)


def conv_transpose2d(
    x_BCHW: np.ndarray,
    weight_IOKK: np.ndarray,
    bias_O: np.ndarray,
    *,
    zero_point: int,
    window: Window,
    output_padding: Pair = (0, 0),
    groups: int = 1,
) -> np.ndarray:
    """Sums of a transposed convolution: every input is spread over one window of the output, overlaps add up.

    Args:
        weight_IOKK: codes, I input channels in `groups` equal parts, O output channels of one part.
        window: where the windows lie in the output; its padding is cut off.
        output_padding: rows below and columns to the right that no window need reach.
    """
    x_BCHW, weight_IOKK = x_BCHW.astype(np.float64) - zero_point, weight_IOKK.astype(np.float64)
    sums_BOHW = convolution.conv_transpose2d(
        x_BCHW, weight_IOKK, window=window, output_padding=output_padding, groups=groups
    )
    return as_int32(sums_BOHW.astype(np.int64) + bias_O.astype(np.int64).reshape(1, -1, 1, 1))


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.matmul(a.astype(np.float64), b.astype(np.float64)).astype(np.int64)
