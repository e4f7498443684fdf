"""Leads and rises: figures by hand, published ones, and a kernel on real bytes as the oracle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewright.errors import ConfigError
from edgewright.export.c.memory import (
    Buffer,
    Overlap,
    RowWindow,
    block_lead_bytes,
    channel_band_lead_bytes,
    channel_lead_bytes,
    channel_rise_bytes,
    lead_bytes,
    pixel_by_pixel,
    pixel_lead_bytes,
    pixel_rise_bytes,
    plan,
    rise_bytes,
)


def window(size_in, size_out, *, kernel=3, stride=1, pad=1, bytes_in, bytes_out):
    return RowWindow(
        rows_in=size_in, rows_out=size_out, kernel=kernel, stride=stride, pad=pad,
        row_bytes_in=bytes_in, row_bytes_out=bytes_out,
    )  # fmt: skip


def footprint(rows):
    """Bytes of input and output together at the lead: max(D + I, O), and no more than one behind the other."""
    return min(max(lead_bytes(rows) + rows.bytes_in, rows.bytes_out), rows.bytes_in + rows.bytes_out)


# Rows of the first layers of MobileNetV1-0.25 at 96x96: every pair of maps that needs more than 28,000 bytes.
WAKE_WORDS = [
    window(96, 48, stride=2, pad=0, bytes_in=96 * 3, bytes_out=48 * 8),
    window(48, 48, bytes_in=48 * 8, bytes_out=48 * 8),
    window(48, 48, kernel=1, pad=0, bytes_in=48 * 8, bytes_out=48 * 16),
    window(48, 24, stride=2, pad=0, bytes_in=48 * 16, bytes_out=24 * 16),
    window(24, 24, kernel=1, pad=0, bytes_in=24 * 16, bytes_out=24 * 32),
]
# DS-CNN: 25 x 5 maps of 64 channels, depthwise and pointwise in turns.
KEYWORDS = [window(25, 5, bytes_in=5, bytes_out=5), window(25, 25, bytes_in=5 * 64, bytes_out=5 * 64)]


def test_a_3x3_window_at_stride_1_keeps_two_rows_back():
    """While row r is written, row r - 1 is read: 2 rows of output before it."""
    rows = window(8, 8, bytes_in=10, bytes_out=10)
    assert lead_bytes(rows) == 20
    assert rise_bytes(rows) == 20  # in a mirror
    assert footprint(rows) == 100


def test_a_window_that_halves_needs_the_lead_of_its_first_row():
    """Row 0 of 24 bytes is written before row 0 is free; from row 1 on 2r - 1 rows of 48 are."""
    assert lead_bytes(window(8, 4, stride=2, bytes_in=48, bytes_out=24)) == 24


def test_an_output_that_is_larger_begins_so_far_ahead_that_both_end_together():
    """16 bytes out of 8 a pixel: after pixel 9 of 10, 160 are written and 72 of the input are free."""
    pixels = pixel_by_pixel(num_pixels=10, channels_in=8, channels_out=16)
    assert lead_bytes(pixels) == 160 - 72
    assert footprint(pixels) == 160 + 8  # the larger of both, and one pixel
    assert footprint(pixel_by_pixel(num_pixels=10, channels_in=16, channels_out=8)) == 160 + 8


def test_the_footprint_is_never_more_than_one_behind_the_other():
    rows = window(2, 2, kernel=2, pad=1, bytes_in=1, bytes_out=100)
    assert lead_bytes(rows) == 200 and footprint(rows) == 202


def test_wake_words_need_37248_instead_of_55296_bytes_by_rows():
    assert max(each.bytes_in + each.bytes_out for each in WAKE_WORDS) == 55_296
    assert max(footprint(each) for each in WAKE_WORDS) == 37_248
    assert footprint(pixel_by_pixel(num_pixels=48 * 48, channels_in=8, channels_out=16)) == 36_872


def test_keywords_need_8640_instead_of_16000_bytes_by_rows():
    assert max(each.bytes_in + each.bytes_out for each in KEYWORDS) == 16_000
    assert max(footprint(each) for each in KEYWORDS) == 8_640


def test_a_plan_reaches_the_footprints_of_a_chain_where_operations_may_turn():
    """Eight maps of 25 x 5 x 64 by depthwise (640 ahead) and pointwise (64 ahead) layers."""
    leads = [640, 64] * 4
    buffers = [Buffer(name=f"x{i}", num_bytes=8_000, first=max(0, i - 1), last=min(i, 7)) for i in range(9)]
    both = [Overlap(output=f"x{i + 1}", input=f"x{i}", lead=lead, rise=lead) for i, lead in enumerate(leads)]
    turning = plan(buffers, both)
    assert turning.arena_bytes == turning.bound_bytes == 8_640
    ahead = plan(buffers, [replace(each, rise=None) for each in both])
    assert (ahead.arena_bytes, ahead.is_optimal) == (8_000 + sum(leads), True)


def test_a_residual_added_by_its_producer_takes_no_memory_of_its_own():
    """The widest block of ResNet-8: x -> conv -> a -> conv + x -> y, maps of 32 x 32 x 16."""
    maps = [
        Buffer(name=name, num_bytes=16_384, first=first, last=last)
        for name, first, last in (("x", 0, 1), ("a", 0, 1), ("y", 1, 2))
    ]
    assert plan(maps).arena_bytes == 49_152
    fused = plan(maps, [Overlap(output="y", input="x", lead=0)])
    assert fused.arena_bytes == fused.bound_bytes == 32_768


@st.composite
def axes(draw):
    """One axis of a window: sizes, kernel, stride, pad."""
    kernel, stride, size = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 7))
    pad = draw(st.integers(0, kernel - 1))
    most = (size + 2 * pad - kernel) // stride + 1
    kernel, pad = (kernel, pad) if most > 0 else (1, 0)
    most = max(1, (size + 2 * pad - kernel) // stride + 1)
    return size, draw(st.integers(1, most)), kernel, stride, pad


def made(rows, columns, channels_in, channels_out):
    size, size_out, kernel, stride, pad = columns
    across = RowWindow(
        rows_in=size, rows_out=size_out, kernel=kernel, stride=stride, pad=pad,
        row_bytes_in=channels_in, row_bytes_out=channels_out,
    )  # fmt: skip
    size, size_out, kernel, stride, pad = rows
    down = RowWindow(
        rows_in=size, rows_out=size_out, kernel=kernel, stride=stride, pad=pad,
        row_bytes_in=across.bytes_in, row_bytes_out=across.bytes_out,
    )  # fmt: skip
    return down, across


def loses(down, across, offset_in, offset_out, *, backwards, at_once=None):
    """Whether a kernel that goes through the pixels reads a byte of its input that it has written over.

    It writes all channels of a pixel and then reads all taps; with `at_once` so many channels, and those of the taps.
    """
    written = np.zeros(2000, dtype=bool)
    step = at_once or across.row_bytes_out
    pieces = [
        (row, column, channel)
        for row in range(down.rows_out) for column in range(across.rows_out)
        for channel in range(0, across.row_bytes_out, step)
    ]  # fmt: skip
    for row, column, channel in reversed(pieces) if backwards else pieces:
        first = offset_out + row * down.row_bytes_out + column * across.row_bytes_out
        written[first + channel : first + min(channel + step, across.row_bytes_out)] = True
        read = slice(channel, channel + step) if at_once else slice(None)
        for y in range(row * down.stride - down.pad, row * down.stride - down.pad + down.kernel):
            for x in range(column * across.stride - across.pad, column * across.stride - across.pad + across.kernel):
                start = offset_in + y * down.row_bytes_in + x * across.row_bytes_in
                on_map = 0 <= y < down.rows_in and 0 <= x < across.rows_in
                if on_map and written[start : start + across.row_bytes_in][read].any():
                    return True
    return False


@settings(max_examples=40, deadline=None)
@given(axes(), axes(), st.integers(1, 3), st.integers(1, 3))
def test_no_byte_is_lost_at_the_distance_of_pixels(rows, columns, channels_in, channels_out):
    down, across = made(rows, columns, channels_in, channels_out)
    lead, rise, place = pixel_lead_bytes(down, across), pixel_rise_bytes(down, across), 800
    assert not loses(down, across, place + lead, place, backwards=False)
    assert not loses(down, across, place, place + rise, backwards=True)


@settings(max_examples=12, deadline=None)
@given(st.integers(2, 6), st.integers(2, 6), st.integers(1, 3))
def test_a_byte_less_than_the_distance_of_pixels_loses_a_byte(num_rows, num_columns, channels):
    down, across = made((num_rows, num_rows, 3, 1, 1), (num_columns, num_columns, 3, 1, 1), channels, channels)
    lead, rise, place = pixel_lead_bytes(down, across), pixel_rise_bytes(down, across), 800
    assert loses(down, across, place + lead - 1, place, backwards=False)
    assert loses(down, across, place, place + rise - 1, backwards=True)


def block_loses(down, across, offset_in, offset_out, *, at_once):
    """`loses` of a kernel that reads the windows of so many pixels before it writes them, forwards."""
    written = np.zeros(2000, dtype=bool)
    pixels = [(row, column) for row in range(down.rows_out) for column in range(across.rows_out)]
    for first in range(0, len(pixels), at_once):
        for row, column in pixels[first : first + at_once]:
            for y in range(row * down.stride - down.pad, row * down.stride - down.pad + down.kernel):
                start, width = column * across.stride - across.pad, across.kernel
                low, high = max(0, start), min(across.rows_in, start + width)
                begin = offset_in + y * down.row_bytes_in
                if 0 <= y < down.rows_in and low < high:
                    taps = slice(begin + low * across.row_bytes_in, begin + high * across.row_bytes_in)
                    if written[taps].any():
                        return True
        for row, column in pixels[first : first + at_once]:
            start = offset_out + row * down.row_bytes_out + column * across.row_bytes_out
            written[start : start + across.row_bytes_out] = True
    return False


@settings(max_examples=40, deadline=None)
@given(axes(), axes(), st.integers(1, 3), st.integers(1, 3), st.integers(1, 4))
def test_no_byte_is_lost_at_the_distance_of_blocks(rows, columns, channels_in, channels_out, at_once):
    down, across = made(rows, columns, channels_in, channels_out)
    lead = block_lead_bytes(down, across, at_once=at_once)
    assert not block_loses(down, across, 800 + lead, 800, at_once=at_once)
    assert lead <= pixel_lead_bytes(down, across)


def band_loses(down, across, offset_in, offset_out, *, band, at_once):
    """`loses` of a kernel that makes so many channels of a band of rows before the next, each of the same channel."""
    written = np.zeros(2000, dtype=bool)
    channels = across.row_bytes_out
    for start in range(0, down.rows_out, band):
        rows = range(start, min(start + band, down.rows_out))
        for first in range(0, channels, at_once):
            end = min(first + at_once, channels)
            taps = {row * down.stride - down.pad + tap for row in rows for tap in range(down.kernel)}
            for y in taps & set(range(down.rows_in)):
                for x in range(across.rows_in):
                    begin = offset_in + y * down.row_bytes_in + x * channels
                    if written[begin + first : begin + end].any():
                        return True
            for row in rows:
                for x in range(across.rows_out):
                    begin = offset_out + row * down.row_bytes_out + x * channels
                    written[begin + first : begin + end] = True
    return False


@settings(max_examples=40, deadline=None)
@given(axes(), axes(), st.integers(1, 5), st.integers(1, 3), st.integers(1, 4))
def test_no_byte_is_lost_at_the_distance_of_bands(rows, columns, channels, band, at_once):
    down, across = made(rows, columns, channels, channels)
    lead = channel_band_lead_bytes(down, across, band=band, at_once=at_once)
    assert not band_loses(down, across, 800 + lead, 800, band=band, at_once=at_once)


@settings(max_examples=12, deadline=None)
@given(st.integers(2, 6), st.integers(2, 6), st.integers(1, 4), st.integers(1, 3))
def test_a_byte_less_than_the_distance_of_bands_loses_a_byte(num_rows, num_columns, channels, band):
    down, across = made((num_rows, num_rows, 3, 1, 1), (num_columns, num_columns, 3, 1, 1), channels, channels)
    lead = channel_band_lead_bytes(down, across, band=band, at_once=1)
    assert lead == 0 or band_loses(down, across, 800 + lead - 1, 800, band=band, at_once=1)


@settings(max_examples=12, deadline=None)
@given(st.integers(2, 6), st.integers(2, 6), st.integers(1, 3), st.integers(1, 3))
def test_a_byte_less_than_the_distance_of_blocks_loses_a_byte(num_rows, num_columns, channels, at_once):
    down, across = made((num_rows, num_rows, 3, 1, 1), (num_columns, num_columns, 3, 1, 1), channels, channels)
    lead = block_lead_bytes(down, across, at_once=at_once)
    assert lead == 0 or block_loses(down, across, 800 + lead - 1, 800, at_once=at_once)


@settings(max_examples=40, deadline=None)
@given(axes(), axes(), st.integers(1, 3), st.integers(1, 3))
def test_whole_rows_are_at_least_as_far_as_pixels(rows, columns, channels_in, channels_out):
    down, across = made(rows, columns, channels_in, channels_out)
    assert lead_bytes(down) >= pixel_lead_bytes(down, across)
    assert rise_bytes(down) >= pixel_rise_bytes(down, across)


def test_pixels_of_a_3x3_window_keep_a_row_and_two_pixels_back():
    """Pixel (r, c) is written while (r - 1, c - 1) is read: a row, one pixel more, and itself."""
    down, across = made((25, 25, 3, 1, 1), (5, 5, 3, 1, 1), 64, 64)
    assert pixel_lead_bytes(down, across) == pixel_rise_bytes(down, across) == 5 * 64 + 2 * 64


@settings(max_examples=40, deadline=None)
@given(axes(), axes(), st.integers(1, 6), st.integers(1, 4))
def test_no_byte_is_lost_at_the_distance_of_channels(rows, columns, channels, at_once):
    down, across = made(rows, columns, channels, channels)
    lead, rise = (each(down, across, at_once=at_once) for each in (channel_lead_bytes, channel_rise_bytes))
    assert not loses(down, across, 800 + lead, 800, backwards=False, at_once=at_once)
    assert not loses(down, across, 800, 800 + rise, backwards=True, at_once=at_once)
    assert lead <= pixel_lead_bytes(down, across) and rise <= pixel_rise_bytes(down, across)


@settings(max_examples=12, deadline=None)
@given(st.integers(3, 6), st.integers(3, 6), st.sampled_from([4, 8]))
def test_a_byte_less_than_the_distance_of_channels_loses_a_byte(num_rows, num_columns, channels):
    down, across = made((num_rows, num_rows, 3, 1, 1), (num_columns, num_columns, 3, 1, 1), channels, channels)
    lead, rise = channel_lead_bytes(down, across), channel_rise_bytes(down, across)
    assert lead == rise == (num_columns + 1) * channels + 4
    assert loses(down, across, 800 + lead - 1, 800, backwards=False, at_once=4)
    assert loses(down, across, 800, 800 + rise - 1, backwards=True, at_once=4)


def test_a_window_without_rows_is_refused():
    with pytest.raises(ConfigError, match="sizes from 1 and a pad from 0, got RowWindow"):
        pixel_by_pixel(num_pixels=0, channels_in=1, channels_out=1)
