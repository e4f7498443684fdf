"""Sliding windows: which values of a map each output reads. Shared by convolution and pooling, float and integer.

A window of K values at distance D covers D (K - 1) + 1 values, and along an axis of size H, padded by P on either side,

    H' = floor((H + 2 P - D (K - 1) - 1) / S) + 1

windows fit at stride S. Seen from one place (i, j) of the kernel, all windows together read one regular grid of the
padded map: rows i D, i D + S, i D + 2 S, ... So every layer with windows is a loop over the few places of the kernel,
and its gradient walks over the same grids and adds instead of reading.

Source: Dumoulin and Visin 2016, A guide to convolution arithmetic, arXiv:1603.07285.
Axes: B batch, C channels, H and W rows and columns.
"""

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

    @classmethod
    def square(cls, kernel: int, *, stride: int = 1, padding: int = 0, dilation: int = 1) -> Window:
        """The same along rows and columns, and padded equally on all four sides."""
        sides = (padding, padding)
        return cls(
            kernel=(kernel, kernel), stride=(stride, stride), padding=(sides, sides), dilation=(dilation, dilation)
        )

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

    def taps(self, x_BCHW: np.ndarray, *, fill: float) -> Iterator[tuple[int, int, np.ndarray]]:
        """Each place in the kernel, and what it reads in all windows at once, (B, C, H', W')."""
        counts = (self.count(0, x_BCHW.shape[2]), self.count(1, x_BCHW.shape[3]))
        yield from self.grids(self.pad(x_BCHW, fill=fill), counts)

    def grids(self, padded_BCHW: np.ndarray, counts: tuple[int, ...]) -> Iterator[tuple[int, int, np.ndarray]]:
        """Each place in the kernel, and its grid of `counts` rows and columns: a view, to be read or added to."""
        for row, column in np.ndindex(*self.kernel):
            top, left = row * self.dilation[0], column * self.dilation[1]
            grid = padded_BCHW[:, :, top :: self.stride[0], left :: self.stride[1]]
            yield row, column, grid[:, :, : counts[0], : counts[1]]

    def pad(self, x_BCHW: np.ndarray, *, fill: float) -> np.ndarray:
        """The map with its padding, and behind it whatever the last window reaches beyond that."""
        widths = []
        for axis, size in enumerate(x_BCHW.shape[2:]):
            before, behind = self.padding[axis]
            end = (self.count(axis, size) - 1) * self.stride[axis] + self.reach(axis)
            widths.append((before, max(behind, end - size - before)))
        return np.pad(x_BCHW, ((0, 0), (0, 0), *widths), constant_values=fill)

    def crop(self, padded_BCHW: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
        """A map of `size` rows and columns out of its padding."""
        (above, _), (left, _) = self.padding
        return padded_BCHW[:, :, above : above + size[0], left : left + size[1]]
