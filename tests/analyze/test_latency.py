"""Latency from a table: between measured points a known law is found again, outside of them nothing is claimed."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewright.analyze.latency import fit_points, kind_of, table_latency, table_source
from edgewright.types import LatencyTable, ModelProfile, OpProfile, Validated, Window


def conv(channels_in, channels_out, side, *, kernel=1, stride=1, groups=1, **changes):
    """The row of a convolution whose output is `side` x `side`."""
    window = Window(
        kernel=(kernel, kernel), stride=(stride, stride), padding=(0, 0), dilation=(1, 1), groups=groups,
        transposed=changes.pop("transposed", False),
    )  # fmt: skip
    fields = {
        "name": "conv", "layer": "conv", "op": "Conv2d", "shape_in": (1, channels_in, side * stride, side * stride),
        "shape_out": (1, channels_out, side, side), "window": window,
        "macs": channels_in * channels_out * side**2 * kernel**2 // groups, "elementwise": 0, "params": 0,
        "weight_bytes": 4.0 * channels_in * channels_out * kernel**2 / groups,
        "activation_bytes": 4.0 * side**2 * (channels_in * stride**2 + channels_out),
    }  # fmt: skip
    return OpProfile(**(fields | changes))


def other(op, num_bytes, *, elementwise=0, shape_out=(1, 8)):
    return OpProfile(
        name=op, layer="", op=op, shape_in=shape_out, shape_out=shape_out, macs=0, elementwise=elementwise, params=0,
        weight_bytes=0.0, activation_bytes=float(num_bytes),
    )  # fmt: skip


def table_from(rows, law):
    """A table in which each row took what `law` says."""
    points = {}
    for row in rows:
        kind, point = kind_of(row)
        points.setdefault(kind, []).append((*point, law(row)))
    frozen = {kind: tuple(of_kind) for kind, of_kind in points.items()}
    return LatencyTable(
        runtime="a runtime", machine="a machine", threads=1, call_overhead_s=1e-6, points={"float32": frozen}
    )


def drawn(count, *, multiple=16):
    rng = np.random.default_rng(0)
    for _ in range(count):
        reads, makes = (multiple * int(rng.integers(1, 40)) for _ in range(2))
        yield conv(reads, makes, int(rng.choice((7, 14, 28, 56))))


def saturating(row):
    """A rate that grows with the channels towards 80 G/s, and 1 microsecond to start."""
    channels_in, channels_out = row.shape_in[1], row.shape_out[1]
    rate = 80e9 * channels_in / (channels_in + 40) * channels_out / (channels_out + 20)
    return row.macs / rate + 1e-6


def test_kinds_are_told_apart():
    assert kind_of(conv(64, 32, 7)) == ("conv_1x1", (100352.0, 64.0, 32.0, 49.0, 1.0, 1.0))
    cases = {
        "conv": conv(64, 32, 7, kernel=3),
        "conv_first": conv(3, 32, 7, kernel=3),
        "conv_depthwise": conv(32, 32, 7, kernel=3, groups=32),
        "conv_grouped": conv(32, 32, 7, kernel=3, groups=4),
        "conv_1x1_odd": conv(58, 58, 7),
        "conv_transposed": conv(32, 32, 7, kernel=2, transposed=True),
        "aten.silu": other("aten.silu", 64),
        "copy": other("aten.contiguous", 64),
        "aten.add": other("aten.add", 64),
        "aten.add_images": other("aten.add", 64, shape_out=(1, 8, 2, 2)),
    }
    assert {name: kind_of(row)[0] for name, row in cases.items()} == {name: name for name in cases}


def test_a_linear_layer_of_one_row_is_not_one_of_many():
    row = conv(8, 8, 1, op="Linear", window=None, macs=1000, shape_in=(1, 50), shape_out=(1, 20))
    many = conv(8, 8, 1, op="Linear", window=None, macs=9000, shape_in=(1, 9, 50), shape_out=(1, 9, 20))
    assert kind_of(row) == ("linear_vector", (1000.0, 50.0, 20.0))
    assert kind_of(many) == ("linear_rows", (9000.0, 50.0, 20.0, 9.0))


def test_a_constant_rate_is_found_again_exactly():
    table = table_from(drawn(40), lambda row: row.macs / 50e9)
    row = conv(160, 240, 20)
    assert table_latency(row, table) == pytest.approx(160 * 240 * 400 / 50e9, rel=1e-6)


def test_unseen_shapes_follow_the_law_behind_the_points():
    """5 %: the law bends, and 80 points lie three quarters of a doubling apart."""
    table = table_from(drawn(80), saturating)
    rng = np.random.default_rng(1)
    rows = [conv(int(8 * rng.integers(4, 70)), int(8 * rng.integers(4, 70)), side) for side in (8, 10, 20, 40)]
    errors = [table_latency(row, table) / saturating(row) - 1 for row in rows]
    assert max(map(abs, errors)) < 0.05


@given(st.integers(16, 600), st.integers(16, 600), st.integers(7, 56))
def test_every_estimate_inside_the_points_is_a_positive_time(channels_in, channels_out, side):
    seconds = table_latency(conv(4 * (channels_in // 4), 4 * (channels_out // 4), side), SATURATING)
    assert seconds is not None and 0 < seconds < math.inf


SATURATING = table_from(drawn(60), saturating)


def test_the_block_of_the_channels_is_found_from_the_times():
    """On a machine that computes 16 channels at a time, 24 of them take as long as 32."""

    def whole_blocks(row):
        blocks = [16 * math.ceil(channels / 16) for channels in (row.shape_in[1], row.shape_out[1])]
        return blocks[0] * blocks[1] * math.prod(row.shape_out[2:]) / 60e9

    table = table_from(drawn(80, multiple=4), whole_blocks)
    points = table.points["float32"]["conv_1x1"]
    assert fit_points(points, "conv_1x1").block == 16
    unseen = table_latency(conv(24, 24, 14), table) / whole_blocks(conv(24, 24, 14))
    assert unseen == pytest.approx(1, abs=0.01)


def test_the_table_claims_nothing_that_it_has_not_measured():
    assert table_latency(conv(32, 32, 14, kernel=3), SATURATING) is None  # a kind without points
    assert table_latency(conv(4096, 32, 14), SATURATING) is None  # channels far beyond
    assert table_latency(conv(32, 32, 1), SATURATING) is None  # an image far below
    assert table_latency(other("aten.silu", 64), SATURATING) is None
    assert table_latency(conv(64, 64, 14), SATURATING, "int8") is None  # another type


def test_what_another_operator_does_costs_nothing():
    assert table_latency(conv(64, 64, 14, fused_into="host"), SATURATING) == 0.0


def profile_of(*latencies):
    """A convolution that the table knows, a function that it does not, and one that another operator does."""
    rows = (conv(64, 64, 14), other("aten.silu", 64), conv(64, 64, 14, fused_into="host"))
    timed = tuple(replace(row, latency_s=each) for row, each in zip(rows, latencies, strict=True))
    return ModelProfile(
        rows=timed, dtype="float32", device="mine", params=0, buffers=0, macs=1, elementwise=0, weight_bytes=0.0,
        peak_ram_bytes=1, peak_at="", peak_tensors=(), unknown=(),
    )  # fmt: skip


def test_an_estimate_says_what_the_table_answered_and_its_error_where_that_is_most_of_the_time():
    seen = Validated(name="net", dtype="float32", predicted_s=1.1, measured_s=1.0)
    table = replace(SATURATING, validation=(seen,))
    most, little = profile_of(3.0, 1.0, 0.0), profile_of(1.0, 3.0, 0.0)
    assert table_source(most, table, batch=1) == (
        "estimated from measured operators, 1 of 2 in the table, 75 % of the time; the rest by roofline, error "
        "unknown; median error 10 %, worst 10 % on 1 unseen model"
    )
    assert table_source(most, table, batch=4).endswith("on 1 unseen model, measured at batch 1")
    assert table_source(little, table, batch=1).endswith("25 % of the time; the rest by roofline, error unknown")


def test_a_function_is_timed_by_its_bytes():
    table = table_from(
        [other("aten.silu", size) for size in (1e3, 1e4, 1e5, 1e6)], lambda row: 2e-10 * row.activation_bytes
    )
    assert table_latency(other("aten.silu", 3e4), table) == pytest.approx(6e-6, rel=0.02)


def test_no_rate_is_far_outside_the_measured_ones():
    """Seven wild points let the process swing; what it says stays within a factor 1.5 of what was seen."""
    sizes = (1e3, 3e3, 1e4, 3e4, 1e5, 3e5, 1e6)
    wild = dict(zip(sizes, (1, 900, 2, 500, 1, 700, 3), strict=True))
    table = table_from(
        [other("aten.silu", size) for size in sizes], lambda row: row.activation_bytes * wild[row.activation_bytes]
    )
    for num_bytes in np.geomspace(700, 1.4e6, 50):
        assert 1 / 1.51 <= table_latency(other("aten.silu", num_bytes), table) / num_bytes <= 900 * 1.51


def test_the_error_is_stated_in_words():
    seen = tuple(
        Validated(name=f"net{index}", dtype="float32", predicted_s=share, measured_s=1.0)
        for index, share in enumerate((1.05, 0.9, 1.21))
    )
    table = LatencyTable(
        runtime="r", machine="m", threads=1, call_overhead_s=1e-6, points={"float32": {}}, validation=seen
    )
    assert table.accuracy("float32") == "median error 10 %, worst 21 % on 3 unseen models"
    assert table.accuracy("int8") == "error at int8 unknown"
