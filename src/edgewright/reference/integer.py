"""Integer arithmetic of a quantized network, step by step.

A code q stands for the value scale * (q - zero_point). A layer multiplies codes, adds into 32 bits, and brings the
sum to the output's scale with one multiplication, one shift and one rounding, all in integers:

    acc  = sum(q_x * q_w) + bias - zero_point_x * sum(q_w)                      int32
    q_y  = clamp(zero_point_y + (acc * m + 2**(30 + n)) >> (31 + n))            64 bits, half rounds up

where M = scale_x * scale_w / scale_y = m * 2**-(31 + n), m a 31-bit integer. Weights are symmetric (zero point 0), one
scale per output channel. Source: Jacob et al. 2018, sections 2.2 and 2.4.

Axes: B batch, C input channels, O output channels, H and W rows and columns, I features.
"""

from __future__ import annotations

import math

import numpy as np

INT32 = np.iinfo(np.int32)


def fixed_point(multiplier: float) -> tuple[int, int]:
    """`multiplier` as (m, n): m * 2**-(31 + n), with m in [2**30, 2**31).

    (0, 0) for a multiplier below 2**-32, which no 32-bit sum can bring to a half.

    Raises:
        ValueError: the multiplier is negative, not finite, or 2**30 or more.
    """
    if not (math.isfinite(multiplier) and 0 <= multiplier < 2**30):
        raise ValueError(f"A multiplier must be in [0, 2**30), got {multiplier}.")
    if multiplier < 2**-32:
        return 0, 0
    fraction, exponent = math.frexp(multiplier)  # fraction in [0.5, 1)
    mantissa = round(fraction * 2**31)
    if mantissa == 2**31:
        mantissa, exponent = 2**30, exponent + 1
    return mantissa, -exponent


def rescale(values: np.ndarray, mantissa: np.ndarray | np.int64, shift: np.ndarray | np.int64) -> np.ndarray:
    """values * mantissa * 2**-(31 + shift), rounded to the nearest integer, halves up. int64 in, int64 out."""
    bits = 31 + np.asarray(shift, dtype=np.int64)
    product = np.asarray(values, dtype=np.int64) * np.asarray(mantissa, dtype=np.int64)
    return (product + (np.int64(1) << (bits - 1))) >> bits


def requantize(acc_BO: np.ndarray, multipliers_O: np.ndarray, *, zero_point: int, low: int, high: int) -> np.ndarray:
    """32-bit sums to codes of the output, one multiplier per channel (axis 1); saturates at [low, high].

    Args:
        acc_BO: sums, (B, O) or (B, O, H, W).
        low: a ReLU is `low = zero_point`.
    """
    pairs = [fixed_point(float(each)) for each in np.atleast_1d(multipliers_O)]
    shape = (1, -1) + (1,) * (acc_BO.ndim - 2)
    mantissa, shift = (np.array(part, dtype=np.int64).reshape(shape) for part in zip(*pairs, strict=True))
    return np.clip(zero_point + rescale(acc_BO, mantissa, shift), low, high)


def linear(x_BI: np.ndarray, weight_OI: np.ndarray, bias_O: np.ndarray, *, zero_point: int) -> np.ndarray:
    """Sums of a linear layer, (B, O).

    Args:
        x_BI: codes with `zero_point`.
        weight_OI: codes with zero point 0.
        bias_O: codes at the scale of x times the scale of the weight.
    """
    weight = weight_OI.astype(np.int64)
    offset_O = bias_O.astype(np.int64) - zero_point * weight.sum(1)
    return _as_int32(x_BI.astype(np.int64) @ weight.T + offset_O)


def conv2d(
    x_BCHW: np.ndarray,
    weight_OIKK: np.ndarray,
    bias_O: np.ndarray,
    *,
    zero_point: int,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
) -> np.ndarray:
    """Sums of a convolution, (B, O, H, W). What is padded is the value 0, whose code is `zero_point`."""
    rows, columns = ((size, size) for size in padding)
    x = np.pad(x_BCHW.astype(np.int64), ((0, 0), (0, 0), rows, columns), constant_values=zero_point)
    weight = weight_OIKK.astype(np.int64)
    offset_O = bias_O.astype(np.int64) - zero_point * weight.sum((1, 2, 3))
    height, width = (
        (x.shape[2 + axis] - dilation[axis] * (weight.shape[2 + axis] - 1) - 1) // stride[axis] + 1 for axis in (0, 1)
    )
    acc_BOHW = np.zeros((x.shape[0], weight.shape[0], height, width), dtype=np.int64)
    for group in range(groups):
        inputs = slice(group * x.shape[1] // groups, (group + 1) * x.shape[1] // groups)
        outputs = slice(group * weight.shape[0] // groups, (group + 1) * weight.shape[0] // groups)
        for row in range(weight.shape[2]):
            for column in range(weight.shape[3]):
                top, left = row * dilation[0], column * dilation[1]
                window_BCHW = x[:, inputs, top:, left:][:, :, :: stride[0], :: stride[1]][:, :, :height, :width]
                acc_BOHW[:, outputs] += np.einsum("bchw,oc->bohw", window_BCHW, weight[outputs, :, row, column])
    return _as_int32(acc_BOHW + offset_O.reshape(1, -1, 1, 1))


def add(
    a: np.ndarray, b: np.ndarray, *, scales: tuple[float, float, float], zero_points: tuple[int, int, int],
    low: int, high: int,
) -> np.ndarray:  # fmt: skip
    """Codes of the sum of two tensors; scales and zero points of a, b and the output, in that order.

    Both terms are brought to one fixed point and added in 64 bits, so that there is a single rounding.
    """
    ratios = [scales[0] / scales[2], scales[1] / scales[2]]
    _, shift = fixed_point(max(ratios))
    first, second = (round(ratio * 2.0 ** (31 + shift)) for ratio in ratios)
    total = (a.astype(np.int64) - zero_points[0]) * first + (b.astype(np.int64) - zero_points[1]) * second
    rounded = (total + (np.int64(1) << np.int64(30 + shift))) >> np.int64(31 + shift)
    return np.clip(zero_points[2] + rounded, low, high)


def global_average(
    x_BCHW: np.ndarray, *, scales: tuple[float, float], zero_points: tuple[int, int], low: int, high: int
) -> np.ndarray:
    """Codes of the mean of each feature map, (B, C, 1, 1); scales and zero points of input and output."""
    count = x_BCHW.shape[2] * x_BCHW.shape[3]
    sum_BC11 = (x_BCHW.astype(np.int64) - zero_points[0]).sum((2, 3), keepdims=True)
    mantissa, shift = fixed_point(scales[0] / (scales[1] * count))
    return np.clip(zero_points[1] + rescale(_as_int32(sum_BC11), np.int64(mantissa), np.int64(shift)), low, high)


def _as_int32(acc: np.ndarray) -> np.ndarray:
    """The sums, which must fit into 32 bits as they do on a device."""
    if acc.size and (acc.min() < INT32.min or acc.max() > INT32.max):
        raise OverflowError("A sum does not fit into 32 bits.")
    return acc
