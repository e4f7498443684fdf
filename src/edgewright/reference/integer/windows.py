"""Sliding windows: which values of a map each output reads. Shared by convolution and pooling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

Pair = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Window:
    """A window over rows and columns.

    Args:
        padding: (above, below), (left, right); the two may differ.
        ceil: a last window may begin inside the map and reach over its end.
    """

    kernel: Pair
    stride: Pair = (1, 1)
    padding: tuple[Pair, Pair] = ((0, 0), (0, 0))
    dilation: Pair = (1, 1)
    ceil: bool = False

    def count(self, axis: int, size: int) -> int:
        """How many windows fit along an axis of the map."""
        before, behind = self.padding[axis]
        room = size + before + behind - self.reach(axis)
        count = (room + (self.stride[axis] - 1 if self.ceil else 0)) // self.stride[axis] + 1
        if self.ceil and (count - 1) * self.stride[axis] >= size + before:
            count -= 1  # a window that would begin in the padding behind the map
        return count

    def reach(self, axis: int) -> int:
        """First to last value that one window reads."""
        return self.dilation[axis] * (self.kernel[axis] - 1) + 1

    def taps(self, x_BCHW: np.ndarray, *, fill: int) -> Iterator[tuple[int, int, np.ndarray]]:
        """Each place in the kernel, and what it reads in all windows at once, (B, C, H', W')."""
        height, width = (self.count(axis, x_BCHW.shape[2 + axis]) for axis in (0, 1))
        padded = np.pad(x_BCHW, ((0, 0), (0, 0), *self._widths(x_BCHW.shape[2:])), constant_values=fill)
        for row in range(self.kernel[0]):
            for column in range(self.kernel[1]):
                top, left = row * self.dilation[0], column * self.dilation[1]
                rows, columns = padded[:, :, top :: self.stride[0]], slice(left, None, self.stride[1])
                yield row, column, rows[:, :, :height, columns][..., :width]

    def _widths(self, sizes: tuple[int, ...]) -> list[Pair]:
        """The padding, and behind the map whatever the last window reaches beyond it."""
        widths = []
        for axis, size in enumerate(sizes):
            before, behind = self.padding[axis]
            end = (self.count(axis, size) - 1) * self.stride[axis] + self.reach(axis)
            widths.append((before, max(behind, end - size - before)))
        return widths
