"""Tensors inside of others' buffers, and buffers that are needed piece by piece."""

import ctypes
import subprocess
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from c_cases import images_of
from dead_programs import Builder, Growing
from edgewright.errors import ExportError
from edgewright.export.c import emit, write
from edgewright.export.c.emit import KERNELS
from edgewright.export.c.layout import layouts
from edgewright.export.c.memory import Buffer, Overlap, Piece, check, draw, liveness_bound, plan
from edgewright.export.c.memory.homes import homes_of
from edgewright.export.c.memory.program import buffers_of
from edgewright.program.stripes import block_between, blocks_of, striped
from edgewright.reference.integer import Window
from edgewright.verify.firmware.host import compare_on_host, find_compiler

SAME = Window(kernel=(3, 3), padding=((1, 1), (1, 1)))


def piece(begin, end, *lives):
    return Piece(begin=begin, end=end, lives=lives)


def by_rows(*, behind=0):
    """x dies by rows of 8 bytes and y grows by rows of 8: operation i reads row i of x and makes row i of y."""
    dying = tuple(piece(8 * i, 8 * i + 8, (0, min(i + behind, 3))) for i in range(4))
    x = Buffer(name="x", num_bytes=32, first=0, last=3, pieces=dying)
    y = Buffer(name="y", num_bytes=32, first=0, last=3, pieces=tuple(piece(8 * i, 8 * i + 8, (i, 3)) for i in range(4)))
    return [x, y]


def test_a_map_that_grows_lies_over_one_that_dies_a_row_ahead():
    made = plan(by_rows())
    assert made.arena_bytes == made.bound_bytes == 40
    assert made.offsets == {"y": 0, "x": 8}
    assert plan(by_rows(behind=1)).arena_bytes == 48  # rows that are read once more keep the other off


def test_an_overlap_of_rows_holds_for_its_operation_alone():
    each = [
        Overlap(output="y", input="x", op=i, lead=0, output_span=(8 * i, 8 * i + 8), input_span=(8 * i, 8 * i + 8))
        for i in range(4)
    ]
    made = plan(by_rows(), each)
    assert made.arena_bytes == made.bound_bytes == 32
    with pytest.raises(ExportError, match="both are live and no overlap permits it"):
        check(replace(made, overlaps=tuple(each[:3])))


def test_the_bound_counts_pieces_while_they_are_needed():
    bound = liveness_bound([*by_rows(), Buffer(name="s", num_bytes=4, first=2, last=2)])
    assert (bound.num_bytes, bound.op) == (44, 2)


def test_the_picture_has_a_box_for_each_piece_and_time():
    boxes = ElementTree.fromstring(draw(plan(by_rows()))).findall(".//{*}rect")
    told = [each.findtext("{*}title") for each in boxes if each.get("class", "").startswith("buffer")]
    assert told[:2] == ["x: 8 bytes at 8, operations 0 to 0", "x: 8 bytes at 16, operations 0 to 1"]
    assert len(told) == 8 and told[-1] == "y: 8 bytes at 24, operations 3 to 3"


@st.composite
def pieced(pick):
    buffers = []
    for index in range(pick(st.integers(1, 5))):
        pieces, at = [], 0
        for _ in range(pick(st.integers(1, 3))):
            size, first = pick(st.integers(1, 3)), pick(st.integers(0, 4))
            pieces.append(piece(at, at + size, (first, pick(st.integers(first, 4)))))
            at += size
        first, last = min(each.lives[0][0] for each in pieces), max(each.lives[0][1] for each in pieces)
        buffers.append(Buffer(name=f"b{index}", num_bytes=at, first=first, last=last, pieces=tuple(pieces)))
    return buffers


@settings(max_examples=100, deadline=None)
@given(pieced())
def test_no_byte_is_needed_by_two_buffers_at_once(buffers):
    made = plan(buffers, alignment=1, max_nodes=200)
    taken = set()
    for each in buffers:
        for part in each.pieces:
            for first, last in part.lives:
                places = {(made.offsets[each.name] + byte, op) for byte in range(part.begin, part.end)
                          for op in range(first, last + 1)}  # fmt: skip
                assert not places & taken
                taken |= places
    assert max(byte for byte, _ in taken) < made.arena_bytes >= made.bound_bytes


def test_rows_are_views_and_parts_are_made_in_their_place():
    """Rows of 4 columns with 4 channels: 16 bytes each."""
    builder, rng = Builder(shape=(4, 6, 4)), np.random.default_rng(0)
    weight, bias = rng.integers(-9, 9, (4, 4, 3, 3)), rng.integers(-99, 99, 4)
    grid = builder.tensors["x"].grid
    cut = builder.make("slice", ["x"], (4, 3, 4), grid=grid, settings={"axis": 1, "start": 3, "stop": 6})
    top, below = (builder.conv(cut, weight, bias, window=SAME, grid=grid) for _ in range(2))
    whole = builder.make("concat", [top, below, cut], (4, 9, 4), grid=grid, settings={"axis": 1})
    program = builder.program(whole)
    homes = homes_of(program, layouts(program)).of
    assert (homes[cut].root, homes[cut].at) == ("x", 48)
    assert [(homes[each].root, homes[each].at) for each in (top, below, whole)] == [(whole, 0), (whole, 48), (whole, 0)]
    buffers = {each.name: each for each in buffers_of(program).buffers}
    assert [(each.begin, each.end, each.lives) for each in buffers["x"].pieces] == [
        (0, 48, ((0, 0),)), (48, 96, ((0, 3),)),
    ]  # fmt: skip
    assert [each.lives for each in buffers[whole].pieces] == [((1, 3),), ((2, 3),), ((3, 3),)]
    text = emit(program).files["model.c"]
    assert "ew_slice(" not in text and text.count("ew_concat(") == 1


def test_rows_off_the_alignment_are_moved():
    builder = Builder(shape=(1, 6, 3))
    settings = {"axis": 1, "start": 1, "stop": 6}
    cut = builder.make("slice", ["x"], (1, 5, 3), grid=builder.tensors["x"].grid, settings=settings)
    program = builder.program(builder.same("rescale", cut))
    assert homes_of(program, layouts(program)).of[cut].root == cut
    assert "ew_slice(" in emit(program).files["model.c"]


def striped_net():
    builder, rng = Builder(shape=(4, 12, 8)), np.random.default_rng(0)
    first = builder.conv("x", rng.integers(-9, 9, (8, 4, 3, 3)), rng.integers(-99, 99, 8), window=SAME)
    deep = builder.conv(first, rng.integers(-9, 9, (8, 1, 3, 3)), rng.integers(-99, 99, 8), window=SAME, groups=8)
    second = builder.conv(deep, rng.integers(-9, 9, (8, 8, 1, 1)), rng.integers(-99, 99, 8))
    total = builder.same("add", first, second, settings={"sign": 1})
    small = builder.pool("average_pool", total, Window(kernel=(2, 2), stride=(2, 2)))
    return builder.program(builder.linear(builder.flat(small), rng.integers(-9, 9, (3, 192)), np.array([1, 2, 3])))


@pytest.mark.parametrize("keep", [True, False])
def test_stripes_in_c_give_the_codes_of_the_program_in_less_memory(tmp_path, keep):
    program = striped_net()
    slim = striped(program, block_between(program, 0, 4), rows=2, keep=keep)
    firmware = emit(slim)
    assert firmware.plan.arena_bytes < emit(program).plan.arena_bytes
    assert firmware.table_bytes == emit(program).table_bytes
    write(firmware, tmp_path / "c")
    parity = compare_on_host(slim, tmp_path / "c", images_of(slim, count=4, seed=1))
    assert parity.differing == 0 and parity.total > 0


def test_the_code_of_a_layer_is_there_once_whatever_the_number_of_stripes():
    program = striped_net()
    texts = [emit(striped(program, block_between(program, 0, 4), rows=rows)).files["model.c"] for rows in (1, 3)]
    for text in texts:
        assert text.count("ew_depthwise(&sizes") == text.count("ew_pointwise(&sizes") == 1
        assert "int32_t window_rows, int32_t window_out_rows, int32_t window_top" in text
        assert ".kernel_rows = 3" in text and ".rows = window_rows" in text


def test_stripes_of_one_layer_lie_at_one_place():
    program = striped_net()
    slim = striped(program, block_between(program, 0, 4), rows=1)
    homes = buffers_of(slim).homes
    for layer in ("conv0", "conv1", "conv2"):
        roots = {homes[each.output].root for each in slim.operations if each.layer == layer and each.kind == "conv"}
        assert len(roots) == 1


@pytest.mark.slow
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32 - 1), data=st.data())
def test_random_programs_in_stripes_give_their_codes_in_c(tmp_path_factory, seed, data):
    growing = Growing(np.random.default_rng(seed))
    for _ in range(5):
        growing.grow()
    program = growing.finished(flat=True)
    blocks = list(blocks_of(program))
    assume(blocks)
    block = data.draw(st.sampled_from(blocks))
    rows = data.draw(st.integers(1, program.tensors[block.exit].shape[1] - 1))
    slim = striped(program, block, rows=rows, keep=data.draw(st.booleans()))
    folder = tmp_path_factory.mktemp("stripes") / "c"
    write(emit(slim), folder)
    parity = compare_on_host(slim, folder, images_of(slim, count=3, seed=seed % 1000))
    assert parity.differing == 0, [each for each in parity.operations if each.differing]


def test_a_copy_may_lie_over_what_it_copies_in_any_way(tmp_path):
    """A copy that is also handed out next to its source, and one that follows a map which grew over it."""
    builder = Builder(shape=(4, 6, 4))
    cut = builder.make(
        "slice", ["x"], (4, 4, 4), grid=builder.tensors["x"].grid, settings={"axis": 1, "start": 2, "stop": 6}
    )
    moved = builder.same("copy", cut)
    again = builder.same("copy", builder.same("rescale", moved))
    program = builder.program(again)
    assert {each.rise for each in buffers_of(program).overlaps if each.output == moved} == {0}
    write(emit(program), tmp_path / "c")
    assert compare_on_host(program, tmp_path / "c", images_of(program, count=3, seed=0)).differing == 0


@pytest.mark.parametrize(("source", "target"), [(8, 3), (3, 8), (0, 40), (5, 5)])
def test_the_kernel_of_a_copy_moves_either_way(tmp_path, source, target):
    """23 bytes: five words and a rest, over each other in both directions and apart."""
    code = tmp_path / "copy.c"
    code.write_text(
        '#include "copy.h"\nvoid move(int8_t *x, int8_t *y);\n'
        "void move(int8_t *x, int8_t *y) { const ew_copy_sizes s = {23}; ew_copy(&s, x, y); }\n"
    )
    library = tmp_path / "copy.so"
    command = [find_compiler(), "-std=c99", "-O2", "-Wall", "-Werror", "-fPIC", "-shared", f"-I{KERNELS}", str(code)]
    subprocess.run([*command, "-o", str(library)], check=True)
    memory = (ctypes.c_int8 * 64)(*range(64))
    wanted = list(range(64))
    wanted[target : target + 23] = wanted[source : source + 23]
    start = ctypes.addressof(memory)
    ctypes.CDLL(str(library)).move(ctypes.c_void_p(start + source), ctypes.c_void_p(start + target))
    assert list(memory) == wanted
