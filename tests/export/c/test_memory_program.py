"""What a program keeps in the arena: lifetimes, aliases, and distances read off its operations."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from edgewright.export.c.memory import COLUMNS, Buffer, Overlap, draw, headline, plan, table
from edgewright.export.c.memory.program import buffers_of
from edgewright.program import Operation, Program, Tensor
from edgewright.reference.integer import Grid, Window

GRID = Grid(scale=0.1, zero_point=0, low=-128, high=127)
SAME = Window(kernel=(3, 3), padding=((1, 1), (1, 1)))


def conv(source, output, channels, channels_out, *, window=SAME, groups=1):
    height, width = window.kernel
    return Operation(
        kind="conv", inputs=(source,), output=output, settings={"window": window, "groups": groups},
        arrays={
            "weight_OIKK": np.ones((channels_out, channels // groups, height, width), dtype=np.int8),
            "bias_O": np.zeros(channels_out, dtype=np.int64), "weight_scale_O": np.ones(channels_out),
        },
    )  # fmt: skip


def add(first, second, output):
    return Operation(kind="add", inputs=(first, second), output=output, settings={"sign": 1})


def program(shapes, *operations, outputs=None):
    tensors = {name: Tensor(name=name, shape=shape, grid=GRID) for name, shape in shapes.items()}
    return Program(
        name="net", tensors=tensors, operations=operations, inputs=("x",), outputs=outputs or (operations[-1].output,)
    )  # fmt: skip


def test_a_residual_lives_until_it_is_added_and_the_sum_is_written_over_what_dies():
    shapes = dict.fromkeys(("x", "a", "b", "y"), (16, 32, 32))
    needs = buffers_of(program(shapes, conv("x", "a", 16, 16), conv("a", "b", 16, 16), add("x", "b", "y")))
    assert {each.name: (each.first, each.last) for each in needs.buffers} == {
        "x": (0, 2), "a": (0, 1), "b": (1, 2), "y": (2, 2),
    }  # fmt: skip
    assert set(needs.overlaps) == {
        Overlap(output="b", input="a", lead=(32 + 2) * 16),
        Overlap(output="y", input="x", lead=0), Overlap(output="y", input="b", lead=0),
    }  # fmt: skip
    assert plan(needs.buffers).arena_bytes == 49_152
    assert plan(needs.buffers, needs.overlaps).arena_bytes == 2 * 16_384 + 544


def test_each_kind_of_convolution_has_a_distance_of_its_own():
    """5 columns of 64 channels: a 3x3 kernel keeps a row and a pixel back, and the pixel it is at, or 16 of it."""
    shapes = dict.fromkeys(("x", "dense", "depthwise", "pointwise"), (64, 25, 5))
    needs = buffers_of(
        program(
            shapes, conv("x", "dense", 64, 64), conv("dense", "depthwise", 64, 64, groups=64),
            conv("depthwise", "pointwise", 64, 64, window=Window(kernel=(1, 1))),
        ),
        may_run_backwards=True,
    )  # fmt: skip
    assert [(each.lead, each.rise) for each in needs.overlaps] == [(448, 448), (400, 400), (64, 64)]


def test_a_reshape_that_moves_nothing_has_no_buffer():
    reshape = Operation(kind="reshape", inputs=("a",), output="flat")
    table_ = Operation(
        kind="look_up", inputs=("flat",), output="y", arrays={"table": np.arange(256, dtype=np.int64)}
    )  # fmt: skip
    net = program({"x": (4, 1, 1), "a": (4, 1, 1), "flat": (4,), "y": (4,)}, conv("x", "a", 4, 4), reshape, table_)
    needs = buffers_of(net, scratch={"a": 12, "y": 0})
    assert needs.homes["flat"].root == "a" and not needs.floats
    assert {each.name: (each.num_bytes, each.first, each.last) for each in needs.buffers} == {
        "x": (4, 0, 0), "a": (4, 0, 2), "y": (4, 2, 2), "scratch of a": (12, 0, 0),
    }  # fmt: skip
    assert Overlap(output="y", input="a", lead=0) in needs.overlaps


def test_what_leaves_the_program_or_is_read_again_is_never_written_over():
    shapes = dict.fromkeys("xaby", (4, 4, 4))
    steps = conv("x", "a", 4, 4), conv("a", "b", 4, 4), add("a", "b", "y")
    assert [(each.output, each.input) for each in buffers_of(program(shapes, *steps)).overlaps] == [
        ("a", "x"), ("y", "a"), ("y", "b"),
    ]  # fmt: skip
    kept = buffers_of(program(shapes, *steps, outputs=("a", "y")))
    assert [(each.output, each.input) for each in kept.overlaps] == [("a", "x"), ("y", "b")]


def test_an_input_that_is_repeated_over_the_map_is_not_written_over():
    net = program({"x": (4, 4, 4), "a": (4, 1, 1), "y": (4, 4, 4)},
                  conv("x", "a", 4, 4, window=Window(kernel=(4, 4))), add("x", "a", "y"))  # fmt: skip
    assert [each.input for each in buffers_of(net).overlaps] == ["x"]


def test_float_outputs_lie_with_the_caller():
    net = program({"x": (4,), "y": (4,)}, Operation(kind="dequantize", inputs=("x",), output="y"))
    floats = Program(
        name="net", tensors={**net.tensors, "y": Tensor(name="y", shape=(4,), grid=None)},
        operations=net.operations, inputs=("x",), outputs=("y",),
    )  # fmt: skip
    needs = buffers_of(floats)
    assert needs.floats == ("y",) and [each.name for each in needs.buffers] == ["x"]


PLAN = plan(
    [Buffer(name="a<b>", num_bytes=64, first=0, last=1), Buffer(name="y", num_bytes=32, first=1, last=2)],
    [Overlap(output="y", input="a<b>", lead=None, rise=16)],
)


def test_the_table_says_where_each_buffer_lies_and_over_what():
    assert [len(row) for row in table(PLAN)] == [len(COLUMNS)] * 2
    assert table(PLAN) == [
        ("a<b>", "64", "0", "64", "0 to 1", ""), ("y", "32", "16", "48", "1 to 2", "a<b> (backwards)"),
    ]  # fmt: skip


def test_the_headline_tells_a_plan_at_its_bound_from_one_above():
    assert headline(PLAN) == "Arena 64 bytes, equal to the liveness bound; the peak is operation 0."
    maps = [Buffer(name=f"x{i}", num_bytes=64, first=max(0, i - 1), last=min(i, 2)) for i in range(4)]
    ahead = plan(maps, [Overlap(output=f"x{i + 1}", input=f"x{i}", lead=8) for i in range(3)])
    assert headline(ahead).startswith("Arena 88 bytes, 16 above the liveness bound, no plan is smaller;")


def test_the_picture_has_a_box_for_each_buffer_and_is_one_file():
    picture = ElementTree.fromstring(draw(PLAN))
    boxes = [each for each in picture.findall(".//{*}rect") if each.get("class", "").startswith("buffer")]
    titles = [each.findtext("{*}title") for each in boxes]
    assert titles == ["a<b>: 64 bytes at 0, operations 0 to 1", "y: 32 bytes at 16, operations 1 to 2"]
    low, high = boxes
    assert float(high.get("height")) == pytest.approx(float(low.get("height")) / 2, abs=0.2)
    assert "liveness bound 64" in draw(PLAN) and "prefers-color-scheme: dark" in draw(PLAN)
    assert "http" not in draw(PLAN).replace("http://www.w3.org/2000/svg", "")
