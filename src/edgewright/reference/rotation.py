"""The gradients of a convolution written as convolutions again: the form of textbooks, in general.

    dx = corr(dy, one zero-stuffed by stride S and padded by D (K - 1); weight rotated by 180°, inputs and outputs
         exchanged, dilation D), less the padding P
    dw = corr(padded x, dy as the kernel; stride D, dilation S), of which the first K x K are kept

In dx the kernel must be rotated, or each value would be sent where it did not come from: rotation is what transposing
the correlation does to its kernel. In dw stride and dilation change places, for dy is stretched over x by S, and the
next place of the kernel is D further.

Source: Dumoulin and Visin 2016, arXiv:1603.07285, section 4; LeCun 1989 for the shared weight's sum.
Axes as in `convolution`.
"""

from __future__ import annotations

import numpy as np

from .convolution import correlate
from .windows import Window


def rotated(weight_OIKK: np.ndarray) -> np.ndarray:
    """The kernel turned by 180 degrees."""
    return weight_OIKK[:, :, ::-1, ::-1]


def stuffed(dy_BOHW: np.ndarray, stride: tuple[int, int]) -> np.ndarray:
    """S - 1 zeros between neighbours."""
    rows, columns = ((size - 1) * step + 1 for size, step in zip(dy_BOHW.shape[2:], stride, strict=True))
    wide_BOHW = np.zeros((*dy_BOHW.shape[:2], rows, columns), dtype=dy_BOHW.dtype)
    wide_BOHW[:, :, :: stride[0], :: stride[1]] = dy_BOHW
    return wide_BOHW


def input_gradient(
    dy_BOHW: np.ndarray, weight_OIKK: np.ndarray, *, window: Window, size: tuple[int, ...], groups: int = 1
) -> np.ndarray:
    """dx of `size` rows and columns, (B, C, H, W): equal to `convolution.spread`."""
    wide_BOHW = stuffed(dy_BOHW, window.stride)
    high, wide = (window.reach(axis) - 1 for axis in (0, 1))
    # rows and columns at the end that the stride skips: the r of H + 2 P - D (K - 1) - 1 = S (H' - 1) + r
    below, right = (
        size[axis] + sum(window.padding[axis]) - window.reach(axis) - wide_BOHW.shape[2 + axis] + 1 for axis in (0, 1)
    )
    around = ((high, high + below), (wide, wide + right))
    back = Window(kernel=window.kernel, padding=around, dilation=window.dilation)
    dx_BCHW = correlate(wide_BOHW, _exchanged(rotated(weight_OIKK), groups), window=back, groups=groups)
    return window.crop(dx_BCHW, size)


def weight_gradient(dy_BOHW: np.ndarray, x_BCHW: np.ndarray, *, window: Window, groups: int = 1) -> np.ndarray:
    """dw, (O, I, K, K): equal to `convolution.weight_gradient`. The batch takes the part of the input channels."""
    rows, columns = dy_BOHW.shape[2:]
    over = Window(kernel=(rows, columns), stride=window.dilation, padding=window.padding, dilation=window.stride)
    parts = zip(np.split(x_BCHW, groups, axis=1), np.split(dy_BOHW, groups, axis=1), strict=True)
    each_IOKK = [correlate(np.swapaxes(x, 0, 1), np.swapaxes(dy, 0, 1), window=over) for x, dy in parts]
    dweight_OIKK = np.concatenate([np.swapaxes(each, 0, 1) for each in each_IOKK])
    return dweight_OIKK[:, :, : window.kernel[0], : window.kernel[1]]


def _exchanged(weight_OIKK: np.ndarray, groups: int) -> np.ndarray:
    """Inputs and outputs exchanged within each group: (G O/G, I, ...) becomes (G I, O/G, ...)."""
    weight_GOIKK = weight_OIKK.reshape(groups, -1, *weight_OIKK.shape[1:])
    return np.concatenate([np.swapaxes(each, 0, 1) for each in weight_GOIKK])
