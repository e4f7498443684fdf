"""How far an output must lie ahead of its input, or behind it, so that a kernel never writes over what it still reads.

A kernel that makes an output piece by piece, in the order of its addresses, reads inputs whose addresses grow too. Let
it have written up to byte `written` of the output while it reads from byte `needed` of the input on: nothing is lost
where output + written <= input + needed at every piece. Running from the last piece to the first is the same in a
mirror. The idea is the "diagonal" overlap of Blacker et al. 2021 (arXiv:2010.01668).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class RowWindow:
    """A window that slides over the rows of a map: output row r reads rows r * stride - pad to that + kernel - 1.

    Attributes:
        kernel: rows from the first tap to the last, dilation included.
        row_bytes_in, row_bytes_out: bytes of one row (or of one pixel, where every pixel is a row of its own).

    Raises:
        ConfigError: a size is below 1, or a pad below 0.
    """

    rows_in: int
    rows_out: int
    kernel: int
    stride: int
    pad: int
    row_bytes_in: int
    row_bytes_out: int

    def __post_init__(self) -> None:
        sizes = (self.rows_in, self.rows_out, self.kernel, self.stride, self.row_bytes_in, self.row_bytes_out)
        if min(sizes) < 1 or self.pad < 0:
            raise ConfigError(f"A window over rows has sizes from 1 and a pad from 0, got {self}.")

    @property
    def bytes_in(self) -> int:
        return self.rows_in * self.row_bytes_in

    @property
    def bytes_out(self) -> int:
        return self.rows_out * self.row_bytes_out


def pixel_by_pixel(*, num_pixels: int, channels_in: int, channels_out: int) -> RowWindow:
    """The window of a 1x1 convolution or an elementwise operation: every pixel is a row of its own."""
    return RowWindow(
        rows_in=num_pixels, rows_out=num_pixels, kernel=1, stride=1, pad=0,
        row_bytes_in=channels_in, row_bytes_out=channels_out,
    )  # fmt: skip


def lead_bytes(window: RowWindow) -> int:
    """Bytes that the output must begin before its input, written from the first row to the last.

    D = max over r of (r + 1) * row_bytes_out - max(0, r * stride - pad) * row_bytes_in: whole rows, in whatever order a
    kernel makes the pixels of one.
    """
    row = np.arange(window.rows_out, dtype=np.int64)
    needed = np.maximum(0, row * window.stride - window.pad) * window.row_bytes_in
    return max(0, int(np.max((row + 1) * window.row_bytes_out - needed)))


def rise_bytes(window: RowWindow) -> int:
    """Bytes that the output must begin after its input, written from the last row to the first.

    max over r of min(rows_in, r * stride - pad + kernel) * row_bytes_in - r * row_bytes_out.
    """
    row = np.arange(window.rows_out, dtype=np.int64)
    needed = np.clip(row * window.stride - window.pad + window.kernel, 0, window.rows_in) * window.row_bytes_in
    return max(0, int(np.max(needed - row * window.row_bytes_out)))


def pixel_lead_bytes(rows: RowWindow, columns: RowWindow) -> int:
    """`lead_bytes` for a kernel that makes the pixels of a row in their order: at most as far as by whole rows.

    Args:
        rows: the window along the rows of the map.
        columns: the window along one row, whose "rows" are pixels.
    """
    begin = _edges(rows, columns, ends=False)
    needed = np.minimum.accumulate(begin[::-1])[::-1]  # the next row begins at its left edge: further back
    return max(0, int(np.max(_written(rows, columns) + columns.row_bytes_out - needed)))


def pixel_rise_bytes(rows: RowWindow, columns: RowWindow) -> int:
    """`rise_bytes` for a kernel that makes the pixels from the last of the map to the first."""
    needed = np.maximum.accumulate(_edges(rows, columns, ends=True))
    return max(0, int(np.max(needed - _written(rows, columns))))


def channel_lead_bytes(rows: RowWindow, columns: RowWindow, *, at_once: int = 4) -> int:
    """`pixel_lead_bytes` where each channel is made of the same channel alone, `at_once` neighbours at a time.

    Within a pixel what is read moves on with what is written, so a depthwise layer lies closer by almost a pixel.

    Args:
        at_once: channels that a kernel reads before it writes them: the lanes of its widest instruction, or 1.
    """
    start, begin = _written(rows, columns), _edges(rows, columns, ends=False)
    later = np.minimum.accumulate(begin[::-1])[::-1][1:]
    within = start + min(at_once, columns.row_bytes_out) - begin
    return max(0, int(np.max(within)), int(np.max(start[1:] - later, initial=0)))


def channel_rise_bytes(rows: RowWindow, columns: RowWindow, *, at_once: int = 4) -> int:
    """`pixel_rise_bytes` for such a kernel, which goes through the channels from the last to the first too."""
    start, end = _written(rows, columns), _edges(rows, columns, ends=True)
    earlier = np.maximum.accumulate(end)[:-1]
    within = end - columns.row_bytes_in + min(at_once, columns.row_bytes_out) - start
    return max(0, int(np.max(within)), int(np.max(earlier - start[1:], initial=0)))


def channel_band_lead_bytes(rows: RowWindow, columns: RowWindow, *, band: int, at_once: int) -> int:
    """`lead_bytes` for a kernel that makes `at_once` channels of a band of rows before the next channels of the band.

    What is written of a band must leave alone what its next channels read, which begins `at_once` bytes later too; the
    last channels of its last pixel only what the next band reads.
    """
    row = np.arange(0, rows.rows_out, band, dtype=np.int64)
    needed = np.maximum(0, row * rows.stride - rows.pad) * rows.row_bytes_in
    ahead = row * rows.row_bytes_out - needed
    end = np.minimum(row + band, rows.rows_out) * rows.row_bytes_out - columns.row_bytes_out
    within = end - needed if columns.row_bytes_out > at_once else ahead
    return max(0, int(np.max(ahead[1:], initial=0)), int(np.max(within)))


def block_lead_bytes(rows: RowWindow, columns: RowWindow, *, at_once: int) -> int:
    """`pixel_lead_bytes` for a kernel that reads the windows of `at_once` pixels and only then writes these.

    What is written ahead of a block must leave alone what the block and all behind it read: with one tap and as many
    channels as before, the output can lie in the very place of its input.
    """
    begin = _edges(rows, columns, ends=False)
    needed = np.minimum.accumulate(begin[::-1])[::-1]
    return max(0, int(np.max((_written(rows, columns) - needed)[::at_once])))


def run_lead_bytes(rows: RowWindow, columns: RowWindow, *, at_once: int, reads_first: bool) -> int:
    """`pixel_lead_bytes` for a kernel that makes runs of `at_once` pixels of a row, the last one shorter.

    Args:
        reads_first: whether it reads all of a run's windows before it writes the first pixel; else it reads all the
            while, and makes the pixels in any order.
    """
    shape = (rows.rows_out, columns.rows_out)
    begin = _edges(rows, columns, ends=False)
    needed = np.minimum.accumulate(begin[::-1])[::-1].reshape(shape)[:, ::at_once]
    written = _written(rows, columns).reshape(shape)[:, ::at_once]
    if not reads_first:
        pixels = np.minimum(at_once, columns.rows_out - np.arange(0, columns.rows_out, at_once))
        written = written + pixels * columns.row_bytes_out
    return max(0, int(np.max(written - needed)))


def _written(rows: RowWindow, columns: RowWindow) -> np.ndarray:
    """First byte of each output pixel, in the order of their addresses."""
    row, column = np.divmod(np.arange(rows.rows_out * columns.rows_out, dtype=np.int64), columns.rows_out)
    return row * rows.row_bytes_out + column * columns.row_bytes_out


def _edges(rows: RowWindow, columns: RowWindow, *, ends: bool) -> np.ndarray:
    """First byte that the window of each output pixel reads, or the byte after its last."""
    row, column = np.divmod(np.arange(rows.rows_out * columns.rows_out, dtype=np.int64), columns.rows_out)
    row, column = row * rows.stride - rows.pad, column * columns.stride - columns.pad
    if not ends:
        return np.maximum(0, row) * rows.row_bytes_in + np.maximum(0, column) * columns.row_bytes_in
    row = np.clip(row + rows.kernel, 1, rows.rows_in) - 1
    column = np.clip(column + columns.kernel, 1, columns.rows_in)
    return row * rows.row_bytes_in + column * columns.row_bytes_in
