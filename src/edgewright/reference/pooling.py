"""Pooling: the largest value or the mean of each window, and where the gradient goes.

    max       y = max over the window           dx: all of dy to the largest value, added up where windows overlap
    average   y = sum over the window / count   dx: dy / count to every value of the window
    global    y = mean over the map             dx: dy / (H W) everywhere

Of equal values the first in reading order counts as the largest, as in PyTorch; any choice is a sub-gradient.
A K x K maximum takes K² - 1 comparisons, and no multiplication.

Axes: B batch, C channels, H and W rows and columns, T places of the window.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .windows import Window


def max_pool2d(x_BCHW: np.ndarray, window: Window) -> np.ndarray:
    """(B, C, H', W'). What is padded never wins."""
    return np.max(_seen(x_BCHW, window), axis=0)


def max_pool2d_backward(dy_BCHW: np.ndarray, x_BCHW: np.ndarray, window: Window) -> np.ndarray:
    """Every dy goes to the place that its window took y from."""
    winner_BCHW = np.argmax(_seen(x_BCHW, window), axis=0)
    padded_BCHW = window.pad(np.zeros_like(x_BCHW, dtype=float), fill=0)
    for tap, (_, _, grid_BCHW) in enumerate(window.grids(padded_BCHW, dy_BCHW.shape[2:])):
        grid_BCHW += np.where(winner_BCHW == tap, dy_BCHW, 0)
    return window.crop(padded_BCHW, x_BCHW.shape[2:])


def average_pool2d(x_BCHW: np.ndarray, window: Window, *, count_padding: bool = True) -> np.ndarray:
    """(B, C, H', W').

    Args:
        count_padding: divide by the padded places too (never by those that only `Window.ceil` reaches).
    """
    sums_BCHW = np.sum([grid for _, _, grid in window.taps(x_BCHW, fill=0)], axis=0)
    return sums_BCHW / counts(x_BCHW, window, count_padding=count_padding)


def average_pool2d_backward(
    dy_BCHW: np.ndarray, x_BCHW: np.ndarray, window: Window, *, count_padding: bool = True
) -> np.ndarray:
    """Every dy is shared equally by the places of its window."""
    share_BCHW = dy_BCHW / counts(x_BCHW, window, count_padding=count_padding)
    padded_BCHW = window.pad(np.zeros_like(x_BCHW, dtype=float), fill=0)
    for _, _, grid_BCHW in window.grids(padded_BCHW, dy_BCHW.shape[2:]):
        grid_BCHW += share_BCHW
    return window.crop(padded_BCHW, x_BCHW.shape[2:])


def counts(x_BCHW: np.ndarray, window: Window, *, count_padding: bool) -> np.ndarray:
    """By how many places each window divides, int64 (H', W')."""
    ones = np.pad(
        np.ones((1, 1, *x_BCHW.shape[2:]), dtype=np.int64),
        ((0, 0), (0, 0), *window.padding),
        constant_values=int(count_padding),
    )
    inside = Window(kernel=window.kernel, stride=window.stride, dilation=window.dilation, ceil=window.ceil)
    found_HW = np.sum([grid for _, _, grid in inside.taps(ones, fill=0)], axis=0)[0, 0]
    return found_HW[: window.count(0, x_BCHW.shape[2]), : window.count(1, x_BCHW.shape[3])]


def global_average_pool2d(x_BCHW: np.ndarray) -> np.ndarray:
    """(B, C)."""
    return x_BCHW.mean((2, 3))


def global_average_pool2d_backward(dy_BC: np.ndarray, x_BCHW: np.ndarray) -> np.ndarray:
    """The same share of dy everywhere."""
    return np.ones_like(x_BCHW, dtype=float) * dy_BC[:, :, None, None] / np.prod(x_BCHW.shape[2:])


def adaptive_average_pool2d(x_BCHW: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(B, C, *size): means from row floor(i H / H') to ceil((i + 1) H / H'), columns likewise; they may overlap."""
    y_BCHW = np.zeros((*x_BCHW.shape[:2], *size))
    for row, column, rows, columns in _parts(x_BCHW.shape[2:], size):
        y_BCHW[:, :, row, column] = x_BCHW[:, :, rows, columns].mean((2, 3))
    return y_BCHW


def adaptive_average_pool2d_backward(dy_BCHW: np.ndarray, x_BCHW: np.ndarray) -> np.ndarray:
    """Every dy is shared equally by the places of its part."""
    dx_BCHW = np.zeros_like(x_BCHW, dtype=float)
    for row, column, rows, columns in _parts(x_BCHW.shape[2:], dy_BCHW.shape[2:]):
        part_BCHW = dx_BCHW[:, :, rows, columns]
        part_BCHW += dy_BCHW[:, :, row, column, None, None] / np.prod(part_BCHW.shape[2:])
    return dx_BCHW


def _seen(x_BCHW: np.ndarray, window: Window) -> np.ndarray:
    """What each place of the window reads, (T, B, C, H', W'), in reading order."""
    lowest = np.iinfo(x_BCHW.dtype).min if np.issubdtype(x_BCHW.dtype, np.integer) else -np.inf
    return np.stack([grid for _, _, grid in window.taps(x_BCHW, fill=lowest)])


def _parts(full: tuple[int, ...], size: tuple[int, ...]) -> Iterator[tuple[int, int, slice, slice]]:
    for row, column in np.ndindex(*size):
        rows, columns = (
            slice(index * whole // parts, -(-(index + 1) * whole // parts))
            for index, whole, parts in zip((row, column), full, size, strict=True)
        )
        yield row, column, rows, columns
