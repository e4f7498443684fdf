"""Convolution, its two gradients, and the transposed convolution, with stride, padding, dilation and groups.

    y[b, o, h, w]  = bias[o] + sum over c, i, j of  weight[o, c, i, j] x[b, c, h S + i D - P, w S + j D - P]

What networks call convolution is a cross-correlation: the kernel is not flipped. It is linear in x and in the weight,
so both gradients are transposes of the sum above. One place (i, j) of the kernel at a time:

    forward       y        += weight[:, :, i, j] · x[grid]
    to the input  dx[grid] += weight[:, :, i, j]ᵀ · dy
    to the weight dweight[:, :, i, j] = dy · x[grid]ᵀ
    to the bias   dbias = sum of dy

"dweight = conv(x, dy), dx = conv(dy, rotated weight)" holds as it stands for one channel and stride 1 only; `rotation`
has its general form. The transposed convolution is "to the input" taken as a layer, which makes its own gradients the
forward pass and "to the weight" with the roles of x and dy exchanged.

Source: Dumoulin and Visin 2016, arXiv:1603.07285, chapters 2 and 4.
Axes: B batch, C input and O output channels, I input channels of one group, K kernel, G groups, P places of a map.
"""

from __future__ import annotations

import numpy as np

from .windows import Pair, Window


def conv2d(
    x_BCHW: np.ndarray, weight_OIKK: np.ndarray, bias_O: np.ndarray, *, window: Window, groups: int = 1
) -> np.ndarray:
    """(B, O, H', W'). With G groups, every O/G outputs see only their own I = C/G inputs."""
    return correlate(x_BCHW, weight_OIKK, window=window, groups=groups) + bias_O.reshape(1, -1, 1, 1)


def conv2d_backward(
    dy_BOHW: np.ndarray, x_BCHW: np.ndarray, weight_OIKK: np.ndarray, *, window: Window, groups: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of x, the weight and the bias, from that of the output."""
    dx_BCHW = spread(dy_BOHW, weight_OIKK, window=window, size=x_BCHW.shape[2:], groups=groups)
    dweight_OIKK = weight_gradient(dy_BOHW, x_BCHW, window=window, groups=groups)
    return dx_BCHW, dweight_OIKK, dy_BOHW.sum((0, 2, 3))


def correlate(
    x_BCHW: np.ndarray, weight_OIKK: np.ndarray, *, window: Window, groups: int = 1, fill: float = 0.0
) -> np.ndarray:
    """The sum of products alone, (B, O, H', W'). `fill` stands for what is padded."""
    weight_GOIKK = weight_OIKK.reshape(groups, -1, *weight_OIKK.shape[1:])
    sizes = tuple(window.count(axis, x_BCHW.shape[2 + axis]) for axis in (0, 1))
    y_BGOP = 0.0
    for row, column, grid_BCHW in window.taps(x_BCHW, fill=fill):
        y_BGOP = y_BGOP + weight_GOIKK[..., row, column] @ _grouped(grid_BCHW, groups)
    return np.reshape(y_BGOP, (len(x_BCHW), len(weight_OIKK), *sizes))


def spread(
    dy_BOHW: np.ndarray, weight_OIKK: np.ndarray, *, window: Window, size: tuple[int, ...], groups: int = 1
) -> np.ndarray:
    """The transpose of `correlate` in x: each dy is laid, times the kernel, over what its window had read.

    Args:
        size: rows and columns of x; those that no window reached get 0.

    Returns:
        (B, C, *size).
    """
    weight_GIOKK = np.swapaxes(weight_OIKK.reshape(groups, -1, *weight_OIKK.shape[1:]), 1, 2)
    dy_BGOP = _grouped(dy_BOHW, groups)
    rows, columns = dy_BOHW.shape[2:]
    channels = groups * weight_OIKK.shape[1]
    padded_BCHW = window.pad(np.zeros((len(dy_BOHW), channels, *size), dtype=dy_BOHW.dtype), fill=0)
    for row, column, grid_BCHW in window.grids(padded_BCHW, (rows, columns)):
        grid_BCHW += (weight_GIOKK[..., row, column] @ dy_BGOP).reshape(-1, channels, rows, columns)
    return window.crop(padded_BCHW, size)


def weight_gradient(dy_BOHW: np.ndarray, x_BCHW: np.ndarray, *, window: Window, groups: int = 1) -> np.ndarray:
    """The transpose of `correlate` in the weight, (O, I, K, K): how each dy goes along with what its window read."""
    dy_BGOP = _grouped(dy_BOHW, groups)
    inputs = x_BCHW.shape[1] // groups
    dweight_OIKK = np.zeros((dy_BOHW.shape[1], inputs, *window.kernel), dtype=dy_BOHW.dtype)
    for row, column, grid_BCHW in window.grids(window.pad(x_BCHW, fill=0), dy_BOHW.shape[2:]):
        products_BGOI = dy_BGOP @ np.swapaxes(_grouped(grid_BCHW, groups), 2, 3)
        dweight_OIKK[:, :, row, column] = products_BGOI.sum(0).reshape(-1, inputs)
    return dweight_OIKK


def conv_transpose2d(
    x_BCHW: np.ndarray,
    weight_COKK: np.ndarray,
    *,
    window: Window,
    output_padding: Pair = (0, 0),
    groups: int = 1,
) -> np.ndarray:
    """`spread` as a layer, (B, O, H', W') with H' = (H - 1) S - 2 P + D (K - 1) + output_padding + 1.

    Args:
        weight_COKK: the weight of the convolution that would lead back: its outputs are this layer's inputs.
        window: where the windows lie in the output; its padding is cut off.
        output_padding: of the sizes that the convolution brings to H, how far above the smallest.
    """
    size = tuple(
        (x_BCHW.shape[2 + axis] - 1) * window.stride[axis] + window.reach(axis) - sum(window.padding[axis]) + extra
        for axis, extra in enumerate(output_padding)
    )
    return spread(x_BCHW, weight_COKK, window=window, size=size, groups=groups)


def conv_transpose2d_backward(
    dy_BOHW: np.ndarray, x_BCHW: np.ndarray, weight_COKK: np.ndarray, *, window: Window, groups: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Gradients of x and of the weight."""
    rows, columns = x_BCHW.shape[2:]  # output padding can leave room for a window that x has no value for
    dx_BCHW = correlate(dy_BOHW, weight_COKK, window=window, groups=groups)[:, :, :rows, :columns]
    return dx_BCHW, weight_gradient(x_BCHW, dy_BOHW, window=window, groups=groups)


def _grouped(x_BCHW: np.ndarray, groups: int) -> np.ndarray:
    """(B, G, C/G, H W)."""
    batch, channels, height, width = x_BCHW.shape
    return x_BCHW.reshape(batch, groups, channels // groups, height * width)
